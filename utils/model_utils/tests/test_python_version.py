"""Which versions are refused, how, and that old ones can read the check."""

import ast
import sys
from pathlib import Path

import pytest

from utils.model_utils.guards import python_version
from utils.model_utils.guards.python_version import refuse_other_pythons

ROOT = Path(__file__).resolve().parents[3]
SENTENCE = (
    f"this is Python 3.10.13 ('{sys.executable}'), wanted Python 3.11 or 3.12: start it with one of these; launchers "
    "take it from PYTHON=/path/to/python3.12"
)


@pytest.fixture
def process(monkeypatch):
    def pretend(version, *arguments):
        monkeypatch.setattr(sys, "version_info", (*version, "final", 0))
        monkeypatch.setattr(sys, "argv", list(arguments))

    return pretend


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 11, 7), (3, 12, 1), (3, 12, 99)])
def test_supported_versions_pass(version, process):
    process(version, str(ROOT / "nas_fpn/train.py"))
    refuse_other_pythons(str(ROOT))


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 10, 13), (3, 13, 0), (4, 0, 0)])
def test_a_user_s_program_gets_an_exception(version, process, capsys):
    for arguments in ([], [""], ["-c"], ["/home/user/program.py", "--program=mszoo"]):
        process(version, *arguments)
        with pytest.raises(ImportError, match=f"^this is Python {version[0]}\\.{version[1]}\\.{version[2]} "):
            refuse_other_pythons(str(ROOT))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("train.py", [ROOT / "nas_fpn/train.py", "--device_target=CPU"]),
        ("run_eval.sh", [ROOT / "utils/launch/launch.py", "--program=run_eval.sh", "--", "0"]),
        ("python -m", ["-m"]),
        ("mszoo", ["/usr/local/bin/mszoo", "train"]),
    ],
)
def test_a_command_ends_with_one_sentence(name, arguments, process, capsys):
    process((3, 10, 13), *map(str, arguments))
    with pytest.raises(SystemExit) as ended:
        refuse_other_pythons(str(ROOT))
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"{name}: error: {SENTENCE}\n"


@pytest.mark.parametrize("path", [ROOT / "utils/__init__.py", Path(python_version.__file__)])
def test_old_versions_can_read_the_check(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 6))
    imported = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {ast.unparse(node) for node in imported} <= {
        "import os.path",
        "import sys",
        "from pathlib import Path",
        "from utils.model_utils.guards.python_version import refuse_other_pythons",
        "from utils.model_utils.cpu_environment import prepare_cpu_environment",
    }
