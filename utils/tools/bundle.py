"""Makes one folder of a suite and of what it shares, to upload as the code directory of a ModelArts job.

bundle.py SUITE [-o FOLDER]

The folder holds the commands, `src` and the YAML files of the suite with `utils` beside them, and requirements.txt
without MindSpore, which the platform's images bring for their devices. Launchers, tests, the 310 harness and what runs
have left in the suite's folder stay here.
"""

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])  # in place of this folder

from utils.api.suites import SUITES  # noqa: E402
from utils.installation import IS_INSTALLED, ROOT  # noqa: E402
from utils.model_utils.command import run_command  # noqa: E402
from utils.model_utils.errors import BadStateError, BadValueError, os_errors_as  # noqa: E402
from utils.model_utils.files import free_space_said, is_stored_config  # noqa: E402

SUITE_FOLDERS = ("config", "src", "tools")
SUITE_FILES = ("*.py", "*.yaml", "README*.md")
SHARED_FILES = ("LICENSE", "NOTICE")
REQUIREMENTS = "requirements.txt"
SOURCES = (".py", ".c", ".h", ".md", ".sh", ".yaml", ".css", ".js")
LEFT_OUT = ("tests", "cpp_infer", "sample_data")  # of utils


def main() -> None:
    """Makes the folder that the command line asks for."""
    parser = argparse.ArgumentParser(description="Makes one folder of a suite and utils.", allow_abbrev=False)
    parser.add_argument("suite", metavar="SUITE", help=f"one of {', '.join(SUITES)}")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FOLDER",
        type=Path,
        help="the folder, which must not be there yet; SUITE_bundle by default",
    )
    arguments = parser.parse_args()
    output = arguments.output or Path(f"{arguments.suite}_bundle")
    files, size = bundle(arguments.suite, output)
    print(f"{files} files, {size / 2**20:.1f} MB: {output}")
    print(f"try it: python {shlex.quote(str(output / 'train.py'))} --help")


def bundle(suite: str, output: Path) -> tuple[int, int]:
    """Writes the folder, whole or not at all.

    Args:
        suite: name of the suite.
        output: the folder; it must not be there, or be empty.

    Returns:
        Number of files, and their bytes.

    Raises:
        BadValueError: there is no such suite.
        BadStateError: the folder has content or cannot be written, or this is no clone.
    """
    if IS_INSTALLED:
        raise BadStateError(
            "the code directory of a job is made of a clone, and this is the installed package, whose imports differ: "
            "clone the repository, and run bundle.py there"
        )
    if suite not in SUITES:
        raise BadValueError(f"no suite '{suite}' here, wanted one of: {', '.join(SUITES)}")
    contents = {path: (ROOT / source).read_bytes() for path, source in sorted(_sources(suite))}
    contents[Path(REQUIREMENTS)] = _without_mindspore((ROOT / REQUIREMENTS).read_text(encoding="utf-8")).encode()
    output = output.absolute()
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise BadStateError(f"'{output}' is there already: choose another folder with -o")
    unfinished = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    advice = ": free some space, or choose another folder with -o"
    try:
        with os_errors_as(BadStateError, f"'{output}' cannot be written", advice), free_space_said(output.parent):
            for path, content in contents.items():
                (unfinished / path).parent.mkdir(parents=True, exist_ok=True)
                (unfinished / path).write_bytes(content)
            os.replace(unfinished, output)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return len(contents), sum(map(len, contents.values()))


def _sources(suite: str) -> Iterator[tuple[Path, Path]]:
    """Yields for each file its path in the folder and in the repository."""
    for pattern in SUITE_FILES:
        for path in (ROOT / suite).glob(pattern):
            if not _is_of_a_run(path):
                yield Path(path.name), Path(suite, path.name)
    for folder in SUITE_FOLDERS:
        for path in _files_beneath(ROOT / suite / folder):
            yield path.relative_to(ROOT / suite), path.relative_to(ROOT)
    for path in _files_beneath(ROOT / "utils"):
        if not set(path.relative_to(ROOT / "utils").parts[:-1]) & set(LEFT_OUT):
            yield path.relative_to(ROOT), path.relative_to(ROOT)
    for name in SHARED_FILES:
        yield Path(name), Path(name)


def _files_beneath(folder: Path) -> list[Path]:
    """Returns the sources in a folder: no caches, no hidden files, nothing that a run has left."""
    return [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix in SOURCES
        and not _is_of_a_run(path)
        and not any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts)
    ]


def _is_of_a_run(path: Path) -> bool:
    """Whether a file is the configuration that a run has left, with the paths of whoever ran it."""
    return path.suffix == ".yaml" and is_stored_config(path)


def _without_mindspore(requirements: str) -> str:
    lines = [line for line in requirements.splitlines() if not line.startswith("mindspore==")]
    return "\n".join(["# MindSpore is that of the image.", *lines, ""])


if __name__ == "__main__":
    run_command(main, "bundle.py")
