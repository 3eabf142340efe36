"""Gets published weights: terms first, then the files, checked, then a checkpoint of the suite and the next command."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.model_utils.files import check_writable_folder, make_writable_folder
from utils.model_utils.host_lock import host_lock
from utils.models.checks import check_file, file_fault, shown_size, what_is_checked
from utils.models.conversion import convert, next_command
from utils.models.download import download
from utils.models.listing import terms_lines
from utils.models.table import PublishedFile, PublishedModel

LOCK = ".get.lock"


def get(model: PublishedModel, folder: Path, given: Path | None, overwrite: bool) -> Path:
    """Gets an entry; returns the checkpoint, `NAME.ckpt` in `folder`. Downloaded files are kept in `folder/NAME/`.

    Args:
        model: the entry.
        folder: made where it is missing.
        given: the file that is there already, or the folder of several; None to download.
        overwrite: replace the checkpoint where it is there.

    Raises:
        UserError: see `download`, `check_file` and `convert`; or the checkpoint is there already.
    """
    print(f"{model.name}: {model.title}")
    print("\n".join(terms_lines(model)), flush=True)
    checkpoint = folder / f"{model.name}.ckpt"
    if checkpoint.exists() and not overwrite:
        raise BadStateError(
            f"'{checkpoint}' is there already: choose another --folder, replace it with --overwrite, or use it: "
            f"{next_command(model, checkpoint)}"
        )
    check_writable_folder(folder, "--folder")
    with _given(model, given) if given else nullcontext(_downloaded(model, folder)) as source:
        make_writable_folder(folder, "--folder")
        convert(model, source, checkpoint, overwrite)
    print(f"next: {next_command(model, checkpoint)}")
    return checkpoint


@contextmanager
def _given(model: PublishedModel, path: Path) -> Iterator[Path]:
    """Yields what the converter reads of a file, or of a folder, that a user gives."""
    if not path.exists():
        raise MissingPathError(f"--file '{path}' does not exist: correct the path, or leave it out to download")
    if len(model.files) == 1 and path.is_file():
        _check_given(path, model.files[0])
        yield path
        return
    folder = path if path.is_dir() else path.parent
    missing = [file.name for file in model.files if not (folder / file.name).is_file()]
    if missing:
        one = f"--file '{path}' is not all of it: " if path.is_file() else ""
        raise MissingPathError(
            f"{one}'{folder}' lacks {' and '.join(map(repr, missing))}: put {'it' if len(missing) == 1 else 'them'} "
            f"there, from {model.address}"
        )
    for file in model.files:
        _check_given(folder / file.name, file)
    with tempfile.TemporaryDirectory() as name:  # the converter sees what was checked, whatever else the folder has
        links = Path(name)
        for file in model.files:
            (links / file.name).symlink_to((folder / file.name).absolute())
        yield _read_by_converter(model, links)


def _read_by_converter(model: PublishedModel, folder: Path) -> Path:
    """Returns the folder of several files, else the one in it."""
    return folder if len(model.files) > 1 else folder / model.files[0].name


def _check_given(path: Path, wanted: PublishedFile) -> None:
    check_file(path, wanted)
    print(f"checked: '{path}' has the {what_is_checked(wanted)} of its index", flush=True)


def _downloaded(model: PublishedModel, folder: Path) -> Path:
    """Downloads what is not there yet; returns what the converter reads."""
    place = folder / model.name
    make_writable_folder(place, "--folder")
    with host_lock(place / LOCK, f"gets {model.name}", wait_seconds=0):
        for file in model.files:
            _download_one(model, file, place / file.name)
    return _read_by_converter(model, place)


def _download_one(model: PublishedModel, file: PublishedFile, path: Path) -> None:
    address = model.address + file.name
    if path.exists():
        if fault := file_fault(path, file):
            raise BadValueError(f"'{path}' {fault}: it is another file; remove it, or choose another --folder")
        print(f"there already: '{path}'", flush=True)
    else:
        print(f"downloading: {address}" + (f" ({shown_size(file.size)})" if file.size else ""), flush=True)
        download(address, path, file, _other_ways(model))
    print(f"checked: {what_is_checked(file)}, as {model.source.repository} says", flush=True)


def _other_ways(model: PublishedModel) -> str:
    what = "the file" if len(model.files) == 1 else "the files of that folder"
    return f"get {what} by other means and give --file=PATH"
