"""Makes requirements*.txt and requirements*.lock of the lists in pyproject.toml.

python package/requirements.py [--upgrade]

The lock files name every package that comes with the listed ones, with the hashes of its files, for all platforms; uv
looks them up in the index that pip's set-up has. What they name already stays, where it still fits; --upgrade takes
the newest. torch is in none: each platform has a build of its own, from an index of its own.
"""

import argparse
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAD = "# Made of pyproject.toml by package/requirements.py"
UNLOCKED = "weights"  # group of torch
LOCKS = {"requirements.lock": (), "requirements-dev.lock": ("--extra", "dev")}
# No file names the host of an index, whichever it was.
FLAGS = ("--universal", "--generate-hashes", "--no-emit-index-url", "--no-header", "--quiet")


def text_files(project: dict) -> dict[str, str]:
    """Returns the contents of the requirements*.txt files by name.

    Args:
        project: the table [project] of pyproject.toml.
    """
    groups = project["optional-dependencies"]
    developers = _of_group("dev", project["name"], groups) + groups[UNLOCKED]
    return {
        "requirements.txt": "\n".join([HEAD, *project["dependencies"], ""]),
        "requirements-dev.txt": "\n".join([HEAD, "-r requirements.txt", *developers, ""]),
    }


def _of_group(name: str, project: str, groups: dict[str, list[str]]) -> list[str]:
    """Returns the packages of a group and of those that it names as `project[GROUP]`."""
    found = []
    for line in groups[name]:
        other = line.removeprefix(f"{project}[").removesuffix("]") if line.startswith(f"{project}[") else ""
        found += _of_group(other, project, groups) if other else [line]
    return found


def read_project() -> dict:
    """Returns the table [project] of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def main() -> None:
    """Writes the files."""
    parser = argparse.ArgumentParser(description="Makes requirements*.txt and *.lock of pyproject.toml.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest of what the listed packages need")
    upgrade = ["--upgrade"] if parser.parse_args().upgrade else []
    for name, content in text_files(read_project()).items():
        (ROOT / name).write_text(content, encoding="utf-8")
    for name, extras in LOCKS.items():
        command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", *extras, *FLAGS, *upgrade]
        subprocess.run([*command, "--output-file", name], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
