"""Which versions are installed, and whether they are those that the requirements name."""

import importlib.metadata
import platform
import re
import subprocess
import sys
from collections.abc import Iterator

from utils.doctor.findings import Finding
from utils.installation import IS_INSTALLED, ROOT
from utils.model_utils.errors import first_line

REQUIREMENTS = "requirements.txt"
PROJECT = "mszoo"
PINNED = re.compile(r"^([\w.-]+)(?:\[[^]]*])?==([\w.]+)")
OPTIONAL = {"torch": "only files of torch.save that the reader refuses, and the tests, need it"}
GIT_SECONDS = 10
HASH_LETTERS = 10  # of a commit: enough to find it


def look_at_software() -> Iterator[Finding]:
    """Yields the versions of the repository, of Python and of the packages."""
    yield Finding("repository", _repository())
    yield Finding("python", f"{platform.python_version()}, {sys.executable}")
    wrong = []
    required = required_versions()
    if not required:
        yield Finding("packages", f"no {REQUIREMENTS} here to compare with")
    for name, wanted in required.items():
        found = _version(name)
        yield Finding(name, found or "not installed")
        if found != wanted:
            wrong.append(f"{name} {found or 'is missing'} (wanted {wanted})")
    for name, why in OPTIONAL.items():
        yield Finding(name, _version(name) or f"not installed: {why}")
    if wrong:
        yield Finding(
            "versions",
            f"{len(wrong)} of {len(required)} are not the tested ones",
            f"{', '.join(wrong)}: install them with `{install_command()}`",
            is_fault=any("is missing" in text for text in wrong) or _is_numpy_too_new(),
        )


def required_versions() -> dict[str, str]:
    """Returns the packages that commands need with the versions that are tested; nothing where no list is here."""
    lines: list[str] = []
    if IS_INSTALLED:
        lines = [text for text in importlib.metadata.requires(PROJECT) or [] if "extra ==" not in text]
    elif (ROOT / REQUIREMENTS).is_file():
        lines = (ROOT / REQUIREMENTS).read_text(encoding="utf-8").splitlines()
    return pinned(lines)


def pinned(lines: list[str]) -> dict[str, str]:
    """Returns the packages of requirement lines that name one version."""
    found = (PINNED.match(line.replace(" ", "")) for line in lines)
    return {match[1]: match[2] for match in found if match}


def install_command() -> str:
    """Returns what installs the packages."""
    if IS_INSTALLED:
        return f"{sys.executable} -m pip install --upgrade --force-reinstall {PROJECT}"
    return f"{sys.executable} -m pip install -r {ROOT / REQUIREMENTS}"


def _repository() -> str:
    if IS_INSTALLED:
        return f"{PROJECT} {_version(PROJECT)}, {ROOT}"
    commit = _git("rev-parse", "HEAD")[:HASH_LETTERS]
    changed = " with changes" if commit and _git("status", "-s") else ""
    return f"clone, {f'commit {commit}{changed}' if commit else 'no git here'}, {ROOT}"


def _git(*arguments: str) -> str:
    try:
        finished = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=GIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return finished.stdout.strip() if finished.returncode == 0 else ""


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
    except Exception as error:  # metadata that is damaged, of any kind
        return f"unreadable ({first_line(error)})"


def _is_numpy_too_new() -> bool:
    """MindSpore 2.10's wheel is built for numpy 1 and dies in the middle with numpy 2."""
    return int(_version("numpy").partition(".")[0] or 0) >= 2
