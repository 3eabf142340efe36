"""Videos, folders and patterns in Python: results one after the other, so that no video is ever whole in memory."""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from utils.api.pictures import Picture
from utils.api.results import Result, refuse_original
from utils.images import read_image
from utils.model_utils.errors import BadValueError, UserError
from utils.videos.reading import Video, ahead, is_video_name, read_frames
from utils.videos.search import find_inputs, is_pattern
from utils.videos.writing import DRAWN_SUFFIX, VideoFile, part_path

logger = logging.getLogger(__name__)


def several_of(source: object) -> Path | None:
    """Returns a path that stands for several pictures: a video, a folder, or a pattern; None for anything else."""
    if not isinstance(source, str | os.PathLike):
        return None
    path = Path(os.path.abspath(os.path.expanduser(os.fspath(source))))
    return path if is_pattern(path) or path.is_dir() or is_video_name(path.name) else None


def pictures_of_files(path: Path) -> Iterator[Picture]:
    """Yields the pictures of a folder or pattern, then the frames of its videos; what cannot be read is in the log.

    Raises:
        UserError: there is nothing.
    """
    inputs = find_inputs(path, flag="path")
    videos = (frames_of(each.video) for each in inputs.videos)
    return chain(_readable(file.path for file in inputs.pictures), chain.from_iterable(videos))


def _readable(paths: Iterator[Path]) -> Iterator[Picture]:
    for path in paths:
        try:
            yield Picture(read_image(path), path)
        except UserError as error:
            logger.warning("left out: %s", error)


def frames_of(video: Video) -> Iterator[Picture]:
    """Yields the frames of a video, of which a thread reads a few ahead."""
    for frame in ahead(read_frames(video)):
        yield Picture(frame.image, video.path, frame.index, frame.seconds)


@dataclass(frozen=True, eq=False)
class VideoResults:
    """The results of a video, one for each frame; each is predicted when it is asked for, and only once.

    Attributes:
        video: size, frame rate, and how many frames the file states.
        results: of the frames.
    """

    video: Video
    results: Iterator[Result]

    def __iter__(self) -> Iterator[Result]:
        return self.results

    def __next__(self) -> Result:
        return next(self.results)

    def save(self, path: str | os.PathLike) -> Path:
        """Predicts the frames that were not taken yet, and writes what `draw` makes of each as a video.

        It has the size and frame rate of the original, and no sound; folders are made. Where Ctrl-C breaks it off, the
        frames so far are kept as NAME.part.mp4.

        Args:
            path: ends in .mp4.

        Returns:
            The file.

        Raises:
            BadValueError: another ending, the video's own file, or no frame is left.
            BadStateError: it cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() != DRAWN_SUFFIX:
            raise BadValueError(f"videos are written as {DRAWN_SUFFIX}, got '{path.name}'; choose this ending")
        refuse_original(path, self.video.path)
        with VideoFile(path, (self.video.height, self.video.width), self.video.frames_per_second) as file:
            try:
                for result in self:
                    file.add(np.asarray(result.draw()))
            except KeyboardInterrupt:
                if file.num_frames:
                    file.finish(part_path(path))
                raise
            if not file.num_frames:
                raise BadValueError(f"all frames of '{self.video.path}' were taken: ask the model for the video again")
            file.finish()
        return path
