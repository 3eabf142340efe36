"""Interpreters of versions that are refused, where this machine has them, and every place that has to refuse them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.suites import ROOT
from utils.api.suites import SUITES

VERSIONS = ("3.10", "3.13")  # the neighbours of what is supported
# Runs in an environment that it is to mend, with the set-up's interpreter.
NO_DOORS = ("utils/tools/mend_environment.py",)
# What a script wants to know before it looks at anything else.
ARGUMENTS = {"segformer/tools/convert_model.py": ("--pt_model_path=a.pth", "--ms_model_path=a.ckpt")}


def find_interpreter(version: str) -> Path:
    """Returns an interpreter of a version, from the PATH or of pyenv; skips the test where there is none."""
    on_path = shutil.which(f"python{version}")
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for candidate in filter(None, [on_path, *sorted(versions.glob(f"{version}.*/bin/python"))]):
        said = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False).stdout
        if said.startswith(f"Python {version}."):
            return Path(candidate)
    pytest.skip(f"no Python {version} is on the PATH or among pyenv's versions")


def scripts() -> list[str]:
    """Returns what a user or a launcher starts by its path, from the repository's root."""
    return [name for name, is_script in _commands() if is_script]


def modules() -> list[str]:
    """Returns what is started with -m alone, as in `python -m utils.cli`."""
    names = [name for name, is_script in _commands() if not is_script]
    return [name.removesuffix(".py").removesuffix("/__main__").replace("/", ".") for name in names]


def launchers() -> list[str]:
    """Returns the bash launchers of the suites, from the repository's root."""
    paths = [path for suite in SUITES for path in (ROOT / suite / "scripts").glob("run_*.sh")]
    return sorted(path.relative_to(ROOT).as_posix() for path in paths)


def _commands() -> list[tuple[str, bool]]:
    """Returns every Python file that is a command, and whether it finds `utils` where it is started by its path."""
    found = []
    for path in (path for folder in (*SUITES, "utils") for path in (ROOT / folder).rglob("*.py")):
        name, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        if 'if __name__ == "__main__":' in text and "/tests/" not in name and name not in NO_DOORS:
            found.append((name, not name.startswith("utils/") or "sys.path[0]" in text))
    return sorted(found)
