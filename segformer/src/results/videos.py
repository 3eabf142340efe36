"""Segments videos: the classes laid over the frames and in their colours as mp4, their numbers without loss as mkv."""

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

import numpy as np

from utils.drawing.class_maps import colorize, overlay
from utils.model_utils.errors import BadValueError
from utils.progress import track
from utils.training.stop_requests import StopRequests
from utils.videos.reading import Frame, ahead, read_frames
from utils.videos.search import Inputs, VideoInput
from utils.videos.writing import VideoFile, part_path
from utils.words import counted

from .files import Outputs, result_bases
from .inference import Predictor

logger = logging.getLogger(__name__)

FRAMES_AT_ONCE = 4  # in a call of the network; no result depends on it
GRAY, COLOR, OVERLAP = "_gray.mkv", "_color.mp4", "_overlap.mp4"


def video_names(base: PurePosixPath, outputs: Outputs) -> dict[str, PurePosixPath]:
    """Returns the files of a video whose results begin with `base`, by their endings; the original is not copied."""
    chosen = ((outputs.gray, GRAY), (outputs.color, COLOR), (outputs.overlap, OVERLAP))
    return {ending: base.with_name(base.name + ending) for is_wanted, ending in chosen if is_wanted}


def plan_videos(inputs: Inputs, outputs: Outputs, folder: Path) -> list[tuple[VideoInput, list[Path]]]:
    """Returns each video with the files that will be made of it.

    Raises:
        BadValueError: there would be none, or a result would take the place of a video that is read.
    """
    sources = {each.file.path.resolve() for each in inputs.videos}
    bases = result_bases([each.file for each in inputs.videos], outputs)
    plan = [
        (source, [folder / name for name in video_names(base, outputs).values()])
        for source, base in zip(inputs.videos, bases, strict=True)
    ]
    for source, paths in plan:
        if not paths:
            raise BadValueError(
                f"nothing would be written for the video '{source.file.path}': set one of infer_save_gray_img, "
                "infer_save_color_img and infer_save_overlap_img to true"
            )
        overwritten = next((path for path in paths if path.resolve() in sources), None)
        if overwritten is not None:
            raise BadValueError(
                f"the video '{overwritten}' would be overwritten by a result: choose another --infer_output_path than "
                "the videos' folder"
            )
    return plan


@dataclass(frozen=True, eq=False)
class VideoSegmentation:
    """Segments videos one after the other.

    Attributes:
        predictor: of frames.
        colours: uint8[256, 3], RGB.
    """

    predictor: Predictor
    colours: np.ndarray

    def run(self, source: VideoInput, paths: list[Path]) -> str:
        """Segments the frames of a video, and holds no more of them than a few batches.

        Where Ctrl-C or SIGTERM breaks it off, the files hold the frames so far and are called NAME.part.mp4.

        Args:
            source: the video.
            paths: of the results; the ending says which.

        Returns:
            E.g. `clip.mp4: 60 frames, 0.214 s per frame`.

        Raises:
            BadStateError: a result cannot be written; none of this video is left.
            BadValueError: the video can no longer be read.
            KeyboardInterrupt: Ctrl-C, when the part is written.
            Terminated: the same of SIGTERM.
        """
        video, started, num_frames = source.video, time.monotonic(), 0
        stop = StopRequests("finishing this frame, then closing the videos")
        with stop, contextlib.ExitStack() as stack:
            size, rate = (video.height, video.width), video.frames_per_second
            files = [stack.enter_context(VideoFile(path, size, rate)) for path in paths]
            for frame, classes in track(self._predict(source), video.num_frames, f"segmenting {source.file.name}"):
                for file in files:
                    file.add(self._picture(file.path, frame, classes))
                num_frames += 1
                if stop.is_pending:
                    break
            for file in files:
                file.finish(part_path(file.path) if stop.is_pending else file.path)
        if stop.is_pending:
            logger.warning("broken off: %s holds the first %s", part_path(paths[-1]), counted(num_frames, "frame"))
            raise stop.exception()
        seconds = (time.monotonic() - started) / max(num_frames, 1)
        return f"{source.file.name}: {counted(num_frames, 'frame')}, {seconds:.3f} s per frame"

    def _predict(self, source: VideoInput) -> Iterator[tuple[Frame, np.ndarray]]:
        frames = ahead(read_frames(source.video), FRAMES_AT_ONCE + 1)
        while batch := list(islice(frames, FRAMES_AT_ONCE)):
            images = [frame.image for frame in batch]
            yield from zip(batch, self.predictor.predict_batch(images, FRAMES_AT_ONCE), strict=True)

    def _picture(self, path: Path, frame: Frame, classes: np.ndarray) -> np.ndarray:
        if path.name.endswith(GRAY):
            return classes
        if path.name.endswith(COLOR):
            return colorize(classes, self.colours)
        return overlay(frame.image, classes, self.colours)
