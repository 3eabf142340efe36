"""Every command refuses a Python that is not supported in one sentence, before it makes anything."""

import ast
import re
import sys
import tomllib

import pytest

from tests.other_pythons import ARGUMENTS, VERSIONS, find_interpreter, launchers, modules, scripts
from tests.suites import ROOT
from utils.model_utils.guards.python_version import FIRST, LAST
from utils.tests.processes import finish

SUPPORTED = [f"{FIRST[0]}.{minor}" for minor in range(FIRST[1], LAST[1] + 1)]


def run_script(python, script, folder):
    return finish(python, ROOT / script, *ARGUMENTS.get(script, ()), cwd=folder)


def run_launcher(python, launcher, folder):
    return finish("bash", ROOT / launcher, cwd=folder, env={"PATH": "/usr/bin:/bin", "PYTHON": str(python)})


def assert_refused(finished, name):
    wanted = (
        r"wanted Python 3\.11 or 3\.12: start it with one of these; launchers take it from PYTHON=/path/to/python3\.12"
    )
    assert re.fullmatch(
        rf"{re.escape(name)}: error: this is Python 3\.1[03]\.\d+ \('.*'\), {wanted}\n", finished.stderr
    ), finished.stderr
    assert finished.returncode == 2
    assert finished.stdout == ""


def test_a_command_of_each_kind_refuses_it(tmp_path):
    python = find_interpreter(VERSIONS[-1])
    assert_refused(run_script(python, "segformer/train.py", tmp_path), "train.py")
    assert_refused(run_launcher(python, "nas_fpn/scripts/run_infer_310.sh", tmp_path), "run_infer_310.sh")
    assert_refused(finish(python, "-m", "utils.cli", cwd=ROOT), "python -m")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long_run
@pytest.mark.parametrize("version", VERSIONS)
def test_every_command_refuses_it(version, tmp_path):
    python = find_interpreter(version)
    for script in scripts():
        assert_refused(run_script(python, script, tmp_path), script.rpartition("/")[2])
    for launcher in launchers():
        assert_refused(run_launcher(python, launcher, tmp_path), launcher.rpartition("/")[2])
    for module in modules():
        assert_refused(finish(python, "-m", module, cwd=ROOT), "python -m")
    assert list(tmp_path.iterdir()) == []


def test_every_script_comes_to_the_check_before_it_needs_a_package():
    """What an interpreter cannot import would hide the sentence. (With -m, the package `utils` comes first anyway.)"""
    assert len(scripts()) > 25
    assert len(launchers()) > 12
    assert {"utils.cli", "utils.tools.models", "utils.tools.quickstart"} <= set(modules())
    for script in scripts():
        for _, name in sorted(_imports(ast.parse((ROOT / script).read_text()))):
            if name in ("utils", "src"):
                break
            assert name in sys.stdlib_module_names, f"{script} imports {name} first"
        else:
            pytest.fail(f"{script} imports neither utils nor src")


def _imports(tree):
    """Yields line and top-level name of every import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module.partition(".")[0]


def test_a_program_of_the_user_gets_an_exception():
    finished = finish(find_interpreter(VERSIONS[-1]), "-c", "from utils.api import load", cwd=ROOT)
    assert finished.returncode == 1
    assert finished.stderr.splitlines()[-1].startswith("ImportError: this is Python 3.1")


@pytest.mark.parametrize(("script", "version"), zip(["quickstart.sh", "run_tests.sh"], VERSIONS, strict=True))
def test_set_up_refuses_it(script, version):
    python = find_interpreter(version)
    said = finish(python, "--version").stdout.strip()
    finished = finish("bash", ROOT / script, env={"PATH": "/usr/bin:/bin", "PYTHON": str(python)})
    assert finished.stderr == (
        f"{script}: PYTHON='{python}' says that it is '{said}', wanted Python 3.11 or 3.12: set PYTHON to the path of "
        "one of these\n"
    )
    assert (finished.returncode, finished.stdout) == (2, "")


@pytest.mark.parametrize("version", VERSIONS)
def test_pip_refuses_it_before_it_takes_a_package(version, tmp_path):
    """What hatchling asks first, through a stand-in for it; the pip of these versions looks at Requires-Python last."""
    interface = tmp_path / "hatchling/builders/hooks/plugin/interface.py"
    interface.parent.mkdir(parents=True)
    interface.write_text("class BuildHookInterface:\n    pass\n")
    hook = f"runpy.run_path({str(ROOT / 'package/hatch_build.py')!r})['PackageHook']()"
    command = ("-S", "-c", f"import runpy; print({hook}.dependencies())")  # not the real one
    refused = finish(find_interpreter(version), *command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    (sentence,) = refused.stderr.splitlines()
    assert re.match(rf"this is Python {re.escape(version)}\.\d+ \('.*'\), wanted Python 3\.11 or 3\.12: ", sentence)
    assert (refused.returncode, refused.stdout) == (1, "")
    taken = finish(sys.executable, *command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    assert (taken.returncode, taken.stdout) == (0, "[]\n")


def test_the_supported_versions_are_said_alike_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={SUPPORTED[0]},<{LAST[0]}.{LAST[1] + 1}"
    named = [line.rpartition(" ")[2] for line in project["classifiers"] if ":: Python ::" in line]
    assert named == SUPPORTED
    assert f"SUPPORTED_PYTHONS=({' '.join(SUPPORTED)})" in (ROOT / "utils/tools/environment.sh").read_text()
    cmake = (ROOT / "utils/cpp_infer/cmake/python_engine.cmake").read_text()
    assert f"find_package(Python3 {SUPPORTED[0]}...<{LAST[0]}.{LAST[1] + 1} " in cmake
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in SUPPORTED
