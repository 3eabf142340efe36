"""The repository keeps its import rules, and the checker finds each kind of breach."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import import_rules as rules

ROOT = Path(__file__).resolve().parent.parent


def _python_files():
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    return [path for path in ROOT.rglob("*.py") if ".venv" not in path.parts]


def test_every_file_keeps_the_rules():
    files = _python_files()
    assert len(files) > 20
    violations = [str(violation) for path in files for violation in rules.check_file(ROOT, path)]
    assert not violations, "\n".join(violations)


@pytest.mark.parametrize(
    ("path", "source", "rule"),
    [
        ("nas_fpn/src/dataset.py", "from segformer.src import loss", rules.OTHER_SUITE),
        ("utils/training/loop.py", "import nas_fpn.src.loss", rules.UTILS_SUITE),
        ("utils/model_utils/config/loading.py", "from utils.training import loop", rules.UTILS_BACK),
        ("nas_fpn/src/loss.py", "from src.nasfpn import NasFpn", rules.RELATIVE),
        ("nas_fpn/src/loss.py", "from nas_fpn.src.nasfpn import NasFpn", rules.RELATIVE),
        ("nas_fpn/train.py", "from nas_fpn.src.build import build", rules.ENTRY),
        ("nas_fpn/tests/test_loss.py", "from src.loss import focal_loss", rules.TESTS),
        ("nas_fpn/src/loss.py", "print('hello')", rules.AT_IMPORT),
        ("nas_fpn/train.py", "for i in range(3):\n    pass", rules.AT_IMPORT),
        ("utils/training/loop.py", "import moxing as mox", rules.CLOUD),
        ("utils/training/loop.py", "def f():\n    from obs import ObsClient", rules.CLOUD),
        ("utils/model_utils/moxing_adapter.py", "import moxing", rules.CLOUD),
    ],
)
def test_the_checker_names_the_breach(path, source, rule):
    violations = rules.check_source(source, path)
    assert rule in [violation.rule for violation in violations]
    assert str(violations[0]).startswith(f"{path}:")


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("nas_fpn/src/loss.py", "from .nasfpn import NasFpn\nfrom utils.training import loop"),
        ("nas_fpn/train.py", "from src.build import build\nif __name__ == '__main__':\n    build()"),
        ("nas_fpn/tests/test_loss.py", "from nas_fpn.src.loss import focal_loss"),
        ("utils/model_utils/moxing_adapter.py", "def client():\n    import moxing\n    return moxing"),
    ],
)
def test_the_checker_lets_good_files_pass(path, source):
    assert rules.check_source(source, path) == []
