"""The files of an exported model: written in a folder of their own, then put in the place of older ones."""

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path

from utils.model_utils.errors import BadStateError, os_errors_as
from utils.model_utils.files import check_writable_folder, free_space_said, umask
from utils.model_utils.guards.json_text import parse_json

logger = logging.getLogger(__name__)

ENDINGS = {"MINDIR": ".mindir", "AIR": ".air", "ONNX": ".onnx"}
SPLIT_GRAPH, SPLIT_PARAMETERS = "_graph.mindir", "_variables"  # MindSpore's names above 1 GiB of parameters


def strip_ending(path: Path, file_format: str) -> Path:
    """Returns the path without the ending of its format, where it has it; other dots belong to the name."""
    ending = ENDINGS[file_format]
    has_ending = path.name.lower().endswith(ending) and len(path.name) > len(ending)
    return path.with_name(path.name[: -len(ending)]) if has_ending else path


def export_path(folder: Path, file_name: str) -> Path:
    """Returns where the key `file_name` puts a model, in `folder` unless it is absolute.

    Raises:
        BadStateError: the folder cannot be written.
    """
    path = Path(folder, file_name).expanduser()
    check_writable_folder(path.parent, "--file_name")
    return path


def plain_name(path: Path) -> str:
    """Returns the name under which MindSpore writes: it refuses all but ASCII letters, digits and `@_.-`."""
    return re.sub(r"[^0-9a-zA-Z@_.-]", "_", path.name)


def description_path(file: Path) -> Path:
    """Returns the path of the JSON that belongs to a model file: its name without ending, and `.json`."""
    for ending in (SPLIT_GRAPH, *ENDINGS.values()):
        if file.name.endswith(ending):
            return file.with_name(f"{file.name.removesuffix(ending)}.json")
    return file.with_name(f"{file.name}.json")


def kept_description_path(file: Path) -> Path:
    """Returns where the JSON of a model goes when another format of its name takes its place: `<file>.json`."""
    return file.with_name(f"{file.name}.json")


@contextmanager
def export_folder(path: Path) -> Iterator[Path]:
    """Yields a new folder beside `path` to export into; it is gone afterwards, with everything still in it.

    Raises:
        BadStateError: the folder cannot be made.
    """
    advice = ": free some space, or choose a file name in a folder that you may write to"
    with os_errors_as(BadStateError, f"'{path}' cannot be written", advice), free_space_said(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.export-", dir=path.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def exported_file(folder: Path, path: Path, file_format: str) -> Path:
    """Returns the file in `folder` that MindSpore wrote: of a split MindIR the graph, which names its parameter files.

    Raises:
        BadStateError: there is none.
    """
    found = [file for ending in _endings(file_format) if (file := folder / f"{plain_name(path)}{ending}").is_file()]
    if not found:
        raise BadStateError(f"MindSpore wrote no {file_format} file for '{path}': check the log above")
    return found[0]


def put_in_place(folder: Path, path: Path, file_format: str) -> Path:
    """Moves what was exported into `folder` to its place; older files of that name and format are replaced.

    Args:
        folder: as `export_folder` gave it.
        path: of the model, without ending.
        file_format: "MINDIR", "AIR" or "ONNX".

    Returns:
        The model file.

    Raises:
        BadStateError: a file cannot be moved.
    """
    source = exported_file(folder, path, file_format)
    ending = source.name.removeprefix(plain_name(path))
    target = path.with_name(f"{path.name}{ending}")
    mode = 0o644 & ~umask()
    advice = ": free some space, or move away what is in its place"
    with os_errors_as(BadStateError, f"'{target}' cannot be written", advice), free_space_said(target.parent):
        source.chmod(mode)
        parameters = folder / f"{plain_name(path)}{SPLIT_PARAMETERS}"
        if file_format == "MINDIR":
            _replace_parameters(parameters, path.with_name(parameters.name), mode, folder)
        _make_room_for_description(target, {f"{path.name}{each}" for each in _endings(file_format)})
        os.replace(source, target)
        if file_format == "MINDIR":  # a whole and a split file of one name would be two models
            other = ENDINGS["MINDIR"] if ending == SPLIT_GRAPH else SPLIT_GRAPH
            path.with_name(f"{path.name}{other}").unlink(missing_ok=True)
    return target


def _endings(file_format: str) -> tuple[str, ...]:
    return (ENDINGS[file_format], SPLIT_GRAPH) if file_format == "MINDIR" else (ENDINGS[file_format],)


def _make_room_for_description(target: Path, replaced: Set[str]) -> None:
    """Removes the JSON of the files that are replaced; that of another format under the same name is kept beside it.

    Args:
        target: the model file, whose JSON comes next.
        replaced: names of the files that it takes the place of.
    """
    kept_description_path(target).unlink(missing_ok=True)
    plain = description_path(target)
    other = plain.with_name(_described_file(plain) or target.name)
    if other.name in replaced or not other.is_file():
        plain.unlink(missing_ok=True)
        return
    os.replace(plain, kept_description_path(other))
    logger.info("%s is described in %s from now on", other, kept_description_path(other).name)


def _described_file(path: Path) -> str:
    """Returns the name of the file that a JSON describes; "" where it is none or says none."""
    try:
        values = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    name = values.get("file") if isinstance(values, dict) else None
    if isinstance(name, str) and name == Path(name).name != ".." and "\0" not in name:
        return name
    return ""


def _replace_parameters(new: Path, old: Path, mode: int, folder: Path) -> None:
    """Puts the parameter files of a split MindIR, if there are any, in the place of older ones."""
    if old.is_dir():
        os.replace(old, folder / "replaced")  # goes with the folder
    if new.is_dir():
        new.chmod(mode | 0o111 & ~umask())
        for file in new.iterdir():
            file.chmod(mode)
        os.replace(new, old)
