"""What may have been meant by a path where nothing is: the same name in another case, kind of file or folder."""

import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from utils.model_utils.errors import short

SOURCES = (".py", ".sh", ".md")  # whose kind nobody means by the name of a picture, model or configuration
MOST_ENTRIES = 20_000  # looked at below a folder: a fraction of a second; more would make an error late

MOST_SHOWN = 4  # of files: two splits of two kinds, such as boxes and key points


def near_path(path: Path) -> str:
    """Returns how the sentence of an error goes on after a path where nothing is; "" where nothing is like it.

    E.g. `, but 'photos/IMG_1.JPG' is there`. Of a link it says what is missing.
    """
    if path.is_symlink():
        return f": it is a link to '{os.readlink(path)}', which is missing"
    if not path.parent.is_dir():
        return ""
    found = _Entries(path.parent).like(path.name)
    return f", but '{path.parent / found}' is there" if found else ""


def near_names(folder: Path, missing: Sequence[str]) -> str:
    """Returns how the sentence of an error goes on after names that are not in a folder, as `near_path` does.

    Args:
        folder: where they were looked for.
        missing: paths relative to it.
    """
    if not folder.is_dir():
        return ""
    entries = _Entries(folder)
    found = [(name, like) for name in missing if (like := entries.like(name))]
    if not found:
        return ""
    name, like = found[0]
    return f", but {len(found)} of them are there under another name, e.g. '{like}' for {short(name)}"


def others_of_kind(path: Path) -> str:
    """Returns how the sentence of an error goes on after a file that is not there: what has its ending instead.

    E.g. `, but 'cars' has train/boxes.json, valid/boxes.json`; "" where nothing has, in its folder and beneath, or
    where this is missing too in the one above.
    """
    folder = next((parent for parent in list(path.parents)[:2] if parent.is_dir()), None)
    if folder is None:
        return ""
    files = itertools.islice(_walk(folder), MOST_ENTRIES)
    found = sorted(name for name in files if PurePosixPath(name).suffix.lower() == path.suffix.lower())
    shown = ", ".join(found[:MOST_SHOWN]) + (", ..." if len(found) > MOST_SHOWN else "")
    return f", but '{folder}' has {shown}" if found else ""


class _Entries:
    """Files and folders beneath a folder, by what their names have in common."""

    def __init__(self, folder: Path) -> None:
        paths = list(itertools.islice(_walk(folder), MOST_ENTRIES))
        self._by_path = {path.lower(): path for path in reversed(paths)}
        self._by_name = {PurePosixPath(path).name.lower(): path for path in reversed(paths)}
        other_kinds = [path for path in reversed(paths) if not path.endswith(SOURCES)]
        self._by_stem = {PurePosixPath(path).stem.lower(): path for path in other_kinds}

    def like(self, name: str) -> str:
        """Returns the path like `name`: in another case, else in another folder, else of another kind; "" for none."""
        pure = PurePosixPath(name.replace("\\", "/").lower())
        found = self._by_path.get(str(pure)) or self._by_name.get(pure.name) or self._by_stem.get(pure.stem) or ""
        return "" if found == name else found  # a link to nothing is listed too


def _walk(folder: Path) -> Iterator[str]:
    """Yields the paths beneath a folder, relative to it; hidden ones are left out."""
    for where, subfolders, files in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        relative = Path(where).relative_to(folder)
        for name in sorted([*files, *subfolders]):
            if not name.startswith("."):
                yield (relative / name).as_posix()
