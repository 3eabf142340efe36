"""Interpreters of versions that are refused, where this machine has them, and every place that has to refuse them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.suites import ROOT
from utils.api.suites import SUITES

VERSIONS = ("3.10", "3.13")  # the neighbours of what is supported
# Started with -m only, as `python -m utils.cli` is.
MODULES = ("utils.cli", "utils.tools.models", "utils.tools.quickstart", "utils.tools.torture")
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
    """Returns the scripts that a user or a launcher starts by their path, from the repository's root."""
    files = [path for folder in (*SUITES, "utils") for path in (ROOT / folder).rglob("*.py")]
    names = [path.relative_to(ROOT).as_posix() for path in files if 'if __name__ == "__main__":' in path.read_text()]
    modules = {f"{name.replace('.', '/')}{end}" for name in MODULES for end in (".py", "/__main__.py")}
    return sorted(name for name in names if "/tests/" not in name and name not in {*modules, *NO_DOORS})


def launchers() -> list[str]:
    """Returns the bash launchers of the suites, from the repository's root."""
    found = [
        path.relative_to(ROOT).as_posix() for suite in SUITES for path in (ROOT / suite / "scripts").glob("run_*.sh")
    ]
    return sorted(found)
