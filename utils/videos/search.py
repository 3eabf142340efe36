"""What infer.py is pointed at: a picture, a video, a folder, a pattern, or a list of these on standard input."""

import glob
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath

from utils.image_search import ImageFile, find_image_files, is_picture_name, log_passed_over
from utils.model_utils.errors import BadValueError, MissingPathError, UserError
from utils.model_utils.near_paths import near_path
from utils.videos.reading import Video, is_video_name, open_video
from utils.words import counted

STANDARD_INPUT = "-"
_WILDCARDS = frozenset("*?[")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # before the first line, where an editor of Windows has written the list

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class VideoInput:
    """A video to read.

    Attributes:
        file: as a picture's.
        video: what it says about itself.
    """

    file: ImageFile
    video: Video


@dataclass(frozen=True)
class Inputs:
    """What a command reads.

    Attributes:
        pictures: files of them, of which some may turn out to be none.
        videos: that can be opened.
        num_unreadable: videos that cannot, each named in the log.
    """

    pictures: tuple[ImageFile, ...]
    videos: tuple[VideoInput, ...] = ()
    num_unreadable: int = 0

    @property
    def num_images(self) -> int:
        """Pictures and frames; a video that does not say how many it has counts as a thousand."""
        return len(self.pictures) + sum(each.video.num_frames or 1000 for each in self.videos)

    def __str__(self) -> str:
        """Returns e.g. "12 pictures, 1 video"."""
        parts = [counted(len(self.pictures), "picture")] * bool(self.pictures or not self.videos)
        parts += [counted(len(self.videos), "video")] * bool(self.videos)
        return ", ".join(parts)


def find_inputs(path: Path, *, flag: str, leave_out: Path | None = None) -> Inputs:
    """Returns the pictures and videos that a path stands for.

    - A file is a video where it is called like one, else a picture.
    - A folder stands for the pictures in it and its sub-folders.
    - `-` reads a list from standard input: a file or folder in each line, or up to each NUL.
    - A path that is not there and has `*`, `?` or `[` is a pattern of files, in which `**` stands for any folders.

    Names are paths inside the folder, inside the pattern's part before the first wildcard, or inside the folder that
    all of a list have in common. The headers of videos are read, and those that cannot be opened are left out.

    Args:
        path: the key's value, absolute, but for `-`.
        flag: argument that chooses it, for messages.
        leave_out: folder whose files do not count: that of the results.

    Raises:
        MissingPathError: there is nothing.
        BadValueError: there are videos alone, and none can be opened.
    """
    if str(path) == STANDARD_INPUT:
        files: Sequence[ImageFile] = _listed(flag, leave_out)
    elif path.is_file():
        files = [ImageFile(path, PurePosixPath(path.name))]
    elif is_pattern(path):
        files = _fitting(path, flag, leave_out)
    else:
        files = _of_folder(path, flag, leave_out)
    return _open(files)


def is_pattern(path: Path) -> bool:
    """Whether a path is no name of what is there, but a pattern."""
    return not os.path.exists(path) and not _WILDCARDS.isdisjoint(str(path))


def _of_folder(path: Path, flag: str, leave_out: Path | None) -> Sequence[ImageFile]:
    if not path.is_dir():
        raise MissingPathError(
            f"'{path}' does not exist{near_path(path)}: give a picture, a video, a folder of pictures or a pattern of "
            f"files with {flag}"
        )
    try:
        return find_image_files(path, flag=flag, leave_out=leave_out)
    except MissingPathError as error:
        video = next((name for *_, names in os.walk(path) for name in sorted(names) if is_video_name(name)), None)
        if video is None:
            raise
        pattern = path / "**" / f"*{Path(video).suffix}"
        raise MissingPathError(
            f"'{path}' and its sub-folders have videos, such as '{video}', and no picture: name a video, or give a "
            f"pattern in quotes: {flag}='{pattern}'"
        ) from error


def _fitting(pattern: Path, flag: str, leave_out: Path | None) -> list[ImageFile]:
    """Returns the files that a pattern stands for, sorted; hidden ones are left out."""
    fixed = Path(*takewhile(lambda part: not _WILDCARDS & set(part), pattern.parts))
    found = sorted({Path(name) for name in glob.iglob(str(pattern), recursive=True) if os.path.isfile(name)})
    # Results above the pictures, or beside them, hide none: what they would overwrite is refused by name.
    if leave_out is not None and fixed.resolve() in leave_out.resolve().parents:
        found = [path for path in found if not path.resolve().is_relative_to(leave_out.resolve())]
    taken = [path for path in found if is_picture_name(path.name) or is_video_name(path.name)]
    if not taken:
        raise MissingPathError(
            f"no picture or video fits the pattern '{pattern}' (other files that do: {len(found)}): correct {flag}, in "
            "quotes, so that the shell leaves it as it is"
        )
    log_passed_over(sorted(set(found) - set(taken)), fixed)
    return _named(taken, fixed)


def _listed(flag: str, leave_out: Path | None) -> list[ImageFile]:
    """Returns what standard input lists, each file once, in its order."""
    if sys.stdin is not None and sys.stdin.isatty():
        logger.info("reading paths from the terminal, one a line: Ctrl-D ends the list")
    data = sys.stdin.buffer.read().removeprefix(_BYTE_ORDER_MARK) if sys.stdin is not None else b""
    lines = data.split(b"\0") if b"\0" in data else (line.removesuffix(b"\r") for line in data.split(b"\n"))
    paths: dict[Path, None] = {}
    for path in (Path(os.path.abspath(os.fsdecode(line))) for line in lines if line):
        is_folder = os.path.isdir(path)
        found = find_image_files(path, flag=f"the list of {flag}=-", leave_out=leave_out) if is_folder else ()
        paths.update(dict.fromkeys([file.path for file in found] if is_folder else [path]))
    if not paths:
        raise MissingPathError(
            f"standard input lists no path: give one a line, e.g. find photos -name '*.jpg' | infer.py {flag}=-"
        )
    return _named(paths, Path(os.path.commonpath([path.parent for path in paths])))


def _named(paths: Iterable[Path], folder: Path) -> list[ImageFile]:
    return [ImageFile(path, PurePosixPath(path.relative_to(folder).as_posix())) for path in paths]


def _open(files: Sequence[ImageFile]) -> Inputs:
    """Tells pictures from videos and reads the headers of these."""
    pictures = tuple(file for file in files if not is_video_name(file.name.name))
    videos: list[VideoInput] = []
    errors: list[UserError] = []
    for file in (file for file in files if is_video_name(file.name.name)):
        try:
            videos.append(VideoInput(file, open_video(file.path)))
        except UserError as error:
            errors.append(error)
    if len(errors) == len(files) == 1:
        raise errors[0]
    for fault in errors:
        logger.warning("left out: %s", fault)
    if not pictures and not videos:
        raise BadValueError(f"none of the {len(errors)} videos can be read (each is named above): replace them")
    return Inputs(pictures, tuple(videos), len(errors))
