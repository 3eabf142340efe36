"""The set-up takes an interpreter that it can use, and refuses others in one sentence before it makes anything."""

import os
import shutil
from pathlib import Path

import pytest

from utils.tests.processes import finish

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / "utils/tools/environment.sh"
TOOLS = ("basename", "bash", "cat", "env", "rm")


class Machine:
    """A machine with some interpreters and a clone: stand-ins, which note how they are called."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.root, self.notes = folder / "bin", folder / "clone", folder / "notes"
        for made in (self.bin, self.root):
            made.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool))
        (self.root / "requirements.txt").write_text("")
        (self.root / "requirements.lock").write_text("")

    def add(self, name, version, has_pip=True):
        """Adds an interpreter of a version to the PATH, or with a path to the clone."""
        path = self.root / name if "/" in name else self.bin / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"""#!{self.bin}/bash
case "$*" in
  --version) echo "Python {version}.1" ;;
  *version_info*) echo {version} ;;
  *find_spec*) exit {int(not has_pip)} ;;
  *) echo "$0 $*" >> "{self.notes}" ;;
esac
""")
        path.chmod(0o755)

    def add_shim(self, name):
        """Adds what pyenv leaves on the PATH for a version that it has turned off."""
        path = self.bin / name
        path.write_text(f"#!{self.bin}/bash\necho 'pyenv: {name}: command not found' >&2\necho 'Hint' >&2\nexit 127\n")
        path.chmod(0o755)

    def call(self, *words, **variables):
        code = 'source "$0"; "$@"'
        environment = {"PATH": str(self.bin), **variables}
        return finish(self.bin / "bash", "-euc", code, ENVIRONMENT, *words, env=environment)

    def found(self, **variables):
        finished = self.call("find_python", self.root, **variables)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout.strip().replace(str(self.root), "CLONE")

    def noted(self):
        return self.notes.read_text().replace(str(self.root), "CLONE").replace(str(self.bin), "BIN").splitlines()


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        ({"python3.12": "3.12", "python3": "3.10"}, "python3.12"),
        ({"python3.11": "3.11", "python3.12": "3.12"}, "python3.11"),
        ({"python3": "3.12"}, "python3"),
        ({"python3": "3.13", "python": "3.11"}, "python"),
    ],
)
def test_what_is_there_is_taken(there, taken, machine):
    for name, version in there.items():
        machine.add(name, version)
    assert machine.found() == taken


def test_an_environment_keeps_its_version_where_none_is_named(machine):
    machine.add("python3.11", "3.11")
    machine.add(".venv/bin/python", "3.12")
    assert machine.found() == "CLONE/.venv/bin/python"
    assert machine.found(PYTHON="python3.11") == "python3.11"
    machine.add(".venv/bin/python", "3.12", has_pip=False)  # Debian's, without python3.12-venv
    assert machine.found() == "python3.11"


def test_a_name_that_pyenv_has_turned_off_is_passed_over_or_said_in_one_line(machine):
    machine.add_shim("python3.11")
    machine.add("python3", "3.12")
    assert machine.found() == "python3"
    finished = machine.call("find_python", machine.root, PYTHON="python3.11")
    assert finished.returncode == 2
    assert finished.stderr == (
        "environment.sh: PYTHON='python3.11' says that it is 'pyenv: python3.11: command not found', "
        "wanted Python 3.11 or 3.12: set PYTHON to the path of one of these\n"
    )


@pytest.mark.parametrize("version", ["3.10", "3.13"])
def test_another_version_is_a_sentence(version, machine):
    machine.add("other", version)
    finished = machine.call("make_environment", machine.root, machine.root / "requirements.txt", PYTHON="other")
    assert finished.returncode == 2
    assert finished.stderr == (
        f"environment.sh: PYTHON='other' says that it is 'Python {version}.1', wanted Python 3.11 or 3.12: "
        "set PYTHON to the path of one of these\n"
    )
    assert not (machine.root / ".venv").exists()


def test_a_machine_without_one_is_a_sentence(machine):
    machine.add("python3", "3.10")
    finished = machine.call("make_environment", machine.root, machine.root / "requirements.txt")
    assert finished.returncode == 2
    assert finished.stderr == (
        "environment.sh: no Python 3.11 or 3.12 on the PATH, whose python3 says that it is 'Python 3.10.1': "
        f"install one of these, or name it: PYTHON=/path/to/python3.12 bash {ENVIRONMENT}\n"
    )
    assert not (machine.root / ".venv").exists()


def test_another_version_makes_the_environment_anew(machine):
    machine.add("python3.12", "3.12")
    machine.add(".venv/bin/python", "3.11")
    wanted = machine.root / "requirements.txt"
    (machine.root / ".venv/installed-requirements.txt").write_text("\n")  # nothing to install for 3.11
    assert machine.call("make_environment", machine.root, wanted).stdout == ""
    finished = machine.call("make_environment", machine.root, wanted, PYTHON="python3.12")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines() == [
        "making .venv anew with Python 3.12; it had Python 3.11",
        "installing requirements.lock into .venv, once: 3 GB, which takes minutes without a word",
    ]
    assert machine.noted()[0] == "BIN/python3.12 -m venv --clear CLONE/.venv"
    assert "pip install" in machine.noted()[1]


@pytest.mark.parametrize("script", ["quickstart.sh", "run_tests.sh"])
def test_a_missing_interpreter_is_a_sentence(script, tmp_path):
    finished = finish("bash", ROOT / script, env={**os.environ, "PYTHON": str(tmp_path / "no-python")})
    assert finished.returncode == 2
    assert f"PYTHON='{tmp_path / 'no-python'}' is not a command" in finished.stderr
