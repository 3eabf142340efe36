"""Videos out: frames go to a file under a temporary name, which takes its own once it was found to be whole."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from utils.model_utils.errors import BadStateError, os_errors_as
from utils.model_utils.files import GO_ON, free_space_said
from utils.videos.reading import hushed, name_for_opencv

DRAWN_SUFFIX, EXACT_SUFFIX = ".mp4", ".mkv"
# What OpenCV's wheel can write everywhere: it has no encoder for H.264. FFV1 gives each value back as it was.
_CODES = {DRAWN_SUFFIX: "mp4v", EXACT_SUFFIX: "FFV1"}
# Bytes that stay free. FFmpeg writes where each frame lies at the very end, 16 bytes for one, and says nothing of a
# full disk; the file would be lost. A million bytes hold half an hour's.
ROOM_AT_THE_END = 1_000_000


def part_path(path: Path) -> Path:
    """Returns the name of the part that is kept of a result that was broken off: `a.part.mp4` of `a.mp4`."""
    return path.with_name(f"{path.stem}.part{path.suffix}")


class VideoFile:
    """A video that is being written; a `with` block removes it, unless `finish` has given it its name.

    Sides that are odd become even, as the codec wants: the last row or column is repeated. A frame of another size is
    scaled. There is no sound.

    Args:
        path: ends in .mp4: MPEG-4, for looking at; or in .mkv: one channel without loss (FFV1).
        size: (height, width) of the frames in pixels.
        frames_per_second: which is rounded to thousandths.

    Raises:
        BadStateError: it cannot be written.
    """

    def __init__(self, path: Path, size: tuple[int, int], frames_per_second: float) -> None:
        self.path = path
        self.num_frames = 0
        self._size, self._padding = size, (size[0] % 2, size[1] % 2)
        self._temporary = path.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.tmp{path.suffix}")
        self._stack = contextlib.ExitStack()
        with self._said(), free_space_said(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stack.callback(self._temporary.unlink, missing_ok=True)
            self._check_room()
            folder = self._stack.enter_context(name_for_opencv(path.parent))
        self._writer = self._open(f"{folder}/{self._temporary.name}", frames_per_second)

    def __enter__(self) -> "VideoFile":
        return self

    def __exit__(self, *_error: object) -> None:
        self.discard()

    def add(self, frame: np.ndarray) -> None:
        """Adds uint8[H, W, 3] RGB, or uint8[H, W] where it is one channel.

        Raises:
            BadStateError: the disk is full.
        """
        if frame.shape[:2] != self._size:
            frame = cv2.resize(frame, self._size[::-1], interpolation=cv2.INTER_AREA)
        if any(self._padding):
            bottom, right = self._padding
            frame = cv2.copyMakeBorder(frame, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        with self._said(), free_space_said(self.path.parent):
            self._check_room()
        self._writer.write(frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        self.num_frames += 1

    def finish(self, path: Path | None = None) -> None:
        """Closes the file and gives it its name, or another.

        Raises:
            BadStateError: it is not whole, or cannot be renamed; it is removed.
        """
        self._writer.release()
        with self._stack, self._said(), free_space_said(self.path.parent):
            if self._count() < self.num_frames - 1:  # of a .mkv the number is rounded
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.replace(self._temporary, path or self.path)

    def discard(self) -> None:
        """Closes the file and removes it, unless it is finished."""
        self._writer.release()
        self._stack.close()

    def _open(self, name: str, frames_per_second: float) -> cv2.VideoWriter:
        code = _CODES[self.path.suffix.lower()]
        height, width = (side + more for side, more in zip(self._size, self._padding, strict=True))
        is_colour = self.path.suffix.lower() == DRAWN_SUFFIX
        kind = cv2.VideoWriter.fourcc(*code)
        with hushed():
            writer = cv2.VideoWriter(name, cv2.CAP_FFMPEG, kind, frames_per_second, (width, height), is_colour)
        if not writer.isOpened():
            writer.release()
            with self._said(), free_space_said(self.path.parent):
                with self._stack:
                    self._check_writable()
                raise BadStateError(
                    f"video '{self.path}' cannot be written: OpenCV {cv2.__version__} here has no encoder {code} for "
                    f"{width} x {height} pixels and {frames_per_second:g} frames a second; install opencv-python by "
                    "pip, which has it, or scale a video of more than 8190 pixels down"
                )
        return writer

    def _check_writable(self) -> None:
        """Raises the error of the system where a file cannot be made."""
        os.close(os.open(self._temporary, os.O_WRONLY | os.O_CREAT, 0o600))

    def _check_room(self) -> None:
        found = os.statvfs(self.path.parent)
        if found.f_bavail * found.f_frsize < ROOM_AT_THE_END:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _count(self) -> float:
        """Returns how many frames the closed file says to have, -1 where it cannot be opened."""
        with name_for_opencv(self._temporary.parent) as folder, hushed():
            capture = cv2.VideoCapture(f"{folder}/{self._temporary.name}", cv2.CAP_FFMPEG)
            try:
                return capture.get(cv2.CAP_PROP_FRAME_COUNT) if capture.isOpened() else -1.0
            finally:
                capture.release()

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        with os_errors_as(BadStateError, f"video '{self.path}' cannot be written", f": {GO_ON}"):
            yield
