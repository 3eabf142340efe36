"""The folder of a converted data set: there when it is whole, and never over what is not a conversion's own."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from utils.forms.source_files import SourceFiles
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError, os_errors_as
from utils.model_utils.files import free_space_said, is_other_process, json_bytes, write_file
from utils.model_utils.guards.json_text import JsonTextError, parse_json
from utils.model_utils.in_use import claim_all
from utils.words import listed

RECORD = "conversion.json"  # says what a folder was made of, and which of its entries a conversion has made
_ADVICE = ": choose another --out, or make its folder writable"
_TEMPORARY = re.compile(r"\.(.+)\.(\d{1,10})\.tmp", re.DOTALL)


def check_target(out: Path, files: SourceFiles, overwrite: bool) -> None:
    """Refuses a target before the work.

    Raises:
        MissingPathError: it is a file, or a link to what is not there.
        BadValueError: it is the source, or lies in it, or what would be replaced there holds files of the source.
        BadStateError: it holds something, and `overwrite` is not given or does not reach it.
    """
    if out.is_symlink() and not out.exists():
        raise MissingPathError(
            f"--out '{out}' is a link to '{os.readlink(out)}', which is not there: make that folder, or choose another "
            "--out"
        )
    there, of = out.resolve(), files.root.resolve()
    if there.is_relative_to(of):
        raise BadValueError(
            f"--out '{out}' lies in the source '{files.root}', which stays as it is: choose another --out"
        )
    if out.exists() and not out.is_dir():
        raise MissingPathError(f"--out '{out}' is a file: choose another --out")
    if not out.exists() or not any(out.iterdir()):
        return
    if not overwrite:
        raise BadStateError(f"--out '{out}' is not empty: choose another --out, or give --overwrite")
    own = _own_entries(out)
    if own is None and os.path.lexists(out / RECORD):
        raise BadStateError(
            f"'{out / RECORD}' is damaged, so that it cannot be told what the conversion has made: choose another --out"
        )
    if own is None:
        raise BadStateError(f"--out '{out}' was not made by a conversion ('{RECORD}' is missing): choose another --out")
    _refuse_own_source(out, {there / name for name in own}, files)


def _refuse_own_source(out: Path, replaced: set[Path], files: SourceFiles) -> None:
    """Refuses to replace entries in which files of the source really lie: an earlier conversion of it has links there.

    Raises:
        BadValueError: there is such a file.
    """
    for name in files.names:
        real = files.path(name).resolve()
        if real in replaced or not replaced.isdisjoint(real.parents):
            raise BadValueError(
                f"--out '{out}' holds files of the source '{files.root}', such as '{real}' for {name}, which "
                "--overwrite would remove: choose another --out"
            )


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yields a hidden folder beside `out`, whose content takes its place once the block has ended well.

    Of an earlier conversion in `out` its own entries are replaced; what else lies there stays. A folder that is there
    stays the same one, as a link may lead to it and a shell may be in it. Where the block ends with an error, or by
    Ctrl-C, nothing is left of the new folder and `out` is as it was.

    Raises:
        BadStateError: it cannot be written, what would be replaced is being read, or something of the user's has the
            name of a new entry.
    """
    target = out.resolve()
    parent = target.parent
    with os_errors_as(BadStateError, f"--out '{out}' cannot be made", _ADVICE), free_space_said(parent):
        parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(parent, target.name)
        folder = parent / f".{target.name[-200:]}.{os.getpid()}.tmp"
        folder.mkdir()
    try:
        yield folder
        with os_errors_as(BadStateError, f"--out '{out}' cannot be made", _ADVICE):
            _take_place(folder, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_record(folder: Path, record: dict) -> None:
    """Writes what a conversion has made and of what, as the last of its files."""
    entries = sorted(entry.name for entry in folder.iterdir())
    write_file(folder / RECORD, json_bytes({**record, "entries": [*entries, RECORD]}, indent=1))


def _take_place(folder: Path, out: Path) -> None:
    if not out.exists():
        os.replace(folder, out)
        return
    old = folder / ".old"
    own = [out / name for name in _own_entries(out) or [] if os.path.lexists(out / name)]
    new = sorted(folder.iterdir())
    _refuse_others(out, own, new)
    old.mkdir()
    moved: list[tuple[Path, Path]] = []
    with claim_all([each for entry in own if entry.is_dir() for each in entry.iterdir() if each.is_dir()], _in_use):
        try:
            for entry in own:
                _move(entry, old / entry.name, moved)
            for entry in new:
                _move(entry, out / entry.name, moved)
        except BaseException:
            for source, target in reversed(moved):
                os.replace(target, source)
            raise


def _refuse_others(out: Path, own: list[Path], new: list[Path]) -> None:
    """Refuses to put a new entry where one lies that the earlier conversion has not made: a file would be replaced."""
    others = [entry.name for entry in new if os.path.lexists(out / entry.name) and out / entry.name not in own]
    if others:
        raise BadStateError(
            f"--out '{out}' has {listed(map(repr, others))}, which the earlier conversion has not made and the new one "
            "would replace: choose another --out, or move it elsewhere"
        )


def _in_use(folder: Path) -> BadStateError:
    return BadStateError(f"'{folder}' is being read by a training or an evaluation: wait until it has ended")


def _move(source: Path, target: Path, moved: list[tuple[Path, Path]]) -> None:
    os.replace(source, target)
    moved.append((source, target))


def _own_entries(out: Path) -> list[str] | None:
    """Returns what an earlier conversion has made in a folder; None where that is not said."""
    try:
        record = parse_json((out / RECORD).read_bytes())
    except (OSError, JsonTextError):
        return None
    entries = record.get("entries") if isinstance(record, dict) else None
    is_list = isinstance(entries, list) and all(isinstance(name, str) and _is_plain(name) for name in entries)
    return entries if is_list else None


def _is_plain(name: str) -> bool:
    return name == Path(name).name and not name.startswith(".")


def _remove_leftovers(parent: Path, name: str) -> None:
    """Removes what killed conversions into the same folder have left."""
    for entry in parent.iterdir():
        found = _TEMPORARY.fullmatch(entry.name)
        is_dead = found is not None and not is_other_process(int(found[2]))
        if found and found[1] == name[-200:] and entry.is_dir() and is_dead:
            shutil.rmtree(entry, ignore_errors=True)
