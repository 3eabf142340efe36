"""Videos as a stream of frames, read by OpenCV with the FFmpeg that its wheel brings; never more than a few at once.

Arrays are uint8[H, W, 3], RGB, row 0 on top, turned as a player shows them. All frames of a video have the size of the
first: where the size changes in a file, OpenCV scales what follows.
"""

import contextlib
import logging
import math
import os
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from utils.model_utils.errors import BadValueError, MissingPathError
from utils.model_utils.guards.pixel_limit import check_pixels
from utils.model_utils.near_paths import near_path

# In any case, what a command takes for a video.
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".wmv",
                  ".flv", ".ogv", ".3gp")  # fmt: skip
# First bytes of what is opened, and where they stand. FFmpeg would also follow lists of other files and addresses.
_BEGINNINGS = (
    *((4, kind) for kind in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")),  # MP4, MOV, 3GP
    (8, b"AVI "),
    (0, b"\x1a\x45\xdf\xa3"),  # Matroska, WebM
    (0, b"FLV"),
    (0, b"OggS"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # WMV
    (0, b"\x00\x00\x01\xba"),  # MPEG program stream
    (0, b"\x00\x00\x01\xb3"),  # MPEG video
)
_TRANSPORT_PACKETS = ((0, 188), (4, 192))  # MPEG-TS, M2TS: where the first mark stands, and bytes to the next
_TRANSPORT_MARK = 0x47
USUAL_RATE = 25.0  # frames a second where a file says none, or what no player shows
MOST_FRAMES_A_SECOND = 1000.0
# A container rounds the number of its frames, or guesses it by the length: below this share of it some are missing.
WHOLE_SHARE = 0.98
FRAMES_AHEAD = 2  # decoded while the network works: one is ready when it is, one in the making

Item = TypeVar("Item")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Video:
    """What a video says about itself, its first frame having been decoded.

    Attributes:
        path: the file.
        height: of all frames in pixels, as a player shows them.
        width: likewise.
        frames_per_second: above 0, at most `MOST_FRAMES_A_SECOND`.
        num_frames: as the file says, which may be a guess; 0 where it does not say.
    """

    path: Path
    height: int
    width: int
    frames_per_second: float
    num_frames: int


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture of a video.

    Attributes:
        index: its number, from 0.
        seconds: when it is shown, from the start of the video.
        image: uint8[H, W, 3] RGB.
    """

    index: int
    seconds: float
    image: np.ndarray


def is_video_name(name: str) -> bool:
    """Whether a file is a video by its name, which may have its suffix in any case; hidden files are none."""
    return name.lower().endswith(VIDEO_SUFFIXES) and not name.startswith(".")


def open_video(path: Path) -> Video:
    """Reads the header of a video, and its first frame once the size is found to be within the limit.

    Raises:
        MissingPathError: there is no such file, or it cannot be read.
        BadValueError: it is no video, damaged, without a frame, of an unknown codec, or too large.
    """
    with _captured(path) as capture:
        check_pixels(*_stated_size(capture), f"a frame of video '{path}'")
        is_there, first = capture.read()
        if not is_there:
            raise BadValueError(
                f"video '{path}' has no frame that can be decoded: it is damaged or has another codec than FFmpeg "
                f"knows here; {_convert(path)}"
            )
        rate, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    height, width = first.shape[:2]
    if not 0 < rate <= MOST_FRAMES_A_SECOND:
        logger.warning("video '%s' states no usual frame rate (%g): %g is taken", path, rate, USUAL_RATE)
        rate = USUAL_RATE
    return Video(path, height, width, rate, int(count) if 0 < count < 2**53 else 0)


def read_frames(video: Video) -> Generator[Frame, None, None]:
    """Yields the frames of a video; at its end it says where there were fewer than the file states.

    Raises:
        MissingPathError: it is no longer there.
        BadValueError: it can no longer be read.
    """
    count, seconds = 0, 0.0
    with _captured(video.path) as capture:
        while True:
            is_there, image = capture.read()
            if not is_there:
                break
            seconds = _seconds_of(capture, count, seconds, video.frames_per_second)
            yield Frame(count, seconds, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            count += 1
    if count < WHOLE_SHARE * video.num_frames - 1:
        logger.warning(
            "video '%s' ends after %d of %d frames: it is cut off or damaged, and what can be read is used",
            video.path,
            count,
            video.num_frames,
        )


def ahead(items: Generator[Item, None, None], count: int = FRAMES_AHEAD) -> Iterator[Item]:
    """Yields what a generator gives, none of it None; a thread asks it for `count` items more than were taken."""
    with contextlib.closing(items), ThreadPoolExecutor(1, thread_name_prefix="video") as pool:
        waiting = deque(pool.submit(next, items, None) for _ in range(count))
        while (item := waiting.popleft().result()) is not None:
            waiting.append(pool.submit(next, items, None))
            yield item


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Keeps lines of OpenCV and FFmpeg off standard error, where a block opens a video; sentences say what is wrong."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET; read when FFmpeg is first used
    level = cv2.getLogLevel()
    cv2.setLogLevel(0)
    try:
        yield
    finally:
        cv2.setLogLevel(level)


@contextlib.contextmanager
def name_for_opencv(path: Path) -> Iterator[str]:
    """Yields a name by which OpenCV can open a file or a folder: one that is no UTF-8 would end the process.

    Raises:
        OSError: it cannot be opened.
    """
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    yield os.path.abspath(path)  # a name with a colon would be an address


@contextlib.contextmanager
def _captured(path: Path) -> Iterator[cv2.VideoCapture]:
    """Opens a video whose first bytes are those of one."""
    _check_beginning(path)
    with name_for_opencv(path) as name:
        with hushed():
            capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG)
        try:
            if not capture.isOpened():
                raise BadValueError(
                    f"video '{path}' cannot be opened: it is cut off or damaged, or has another codec than FFmpeg "
                    f"knows here; {_convert(path)}"
                )
            capture.set(
                cv2.CAP_PROP_ORIENTATION_AUTO, 1
            )  # as phones note it; off by itself, whatever OpenCV's page says
            yield capture
        finally:
            capture.release()


def _convert(path: Path) -> str:
    return f"copy it again, or convert it: ffmpeg -i '{path.name}' -pix_fmt yuv420p other.mp4"


def _check_beginning(path: Path) -> None:
    """Refuses a file that is not there, or whose first bytes are not those of a video."""
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except FileNotFoundError as error:
        raise MissingPathError(f"video '{path}' does not exist{near_path(path)}; check the name") from error
    except IsADirectoryError as error:
        raise MissingPathError(f"'{path}' is a folder where a video is wanted: give a pattern of files") from error
    except OSError as error:
        raise MissingPathError(f"video '{path}' cannot be read ({error.strerror}); check its permissions") from error
    if not start:
        raise BadValueError(f"video '{path}' is empty (0 bytes); copy it again")
    is_known = any(start[place : place + len(mark)] == mark for place, mark in _BEGINNINGS)
    if not is_known and not any(_is_transport(start, *packets) for packets in _TRANSPORT_PACKETS):
        raise BadValueError(
            f"'{path}' is no video of a known format ({', '.join(VIDEO_SUFFIXES)}), its first bytes are {start[:8]!r}; "
            "replace the file"
        )


def _is_transport(start: bytes, first: int, step: int) -> bool:
    return set(start[first::step]) == {_TRANSPORT_MARK} and len(start) > first + step


def _stated_size(capture: cv2.VideoCapture) -> tuple[int, int]:
    return int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)), int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))


def _seconds_of(capture: cv2.VideoCapture, index: int, before: float, rate: float) -> float:
    """Returns when a frame is shown; where the file has no time, or one that goes back, a frame after the last."""
    stated = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
    if index == 0:
        return stated if math.isfinite(stated) and 0 <= stated < 1e9 else 0.0
    return stated if math.isfinite(stated) and before < stated < 1e9 else before + 1 / rate
