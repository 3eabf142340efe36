"""Detects in videos: an mp4 with the boxes drawn, and what was found in each frame in COCO's result format."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np

from utils.detection.data.class_names import ClassTable
from utils.detection.detections import DetectionClock, Detections
from utils.detection.results.coco_metrics import detections_to_coco
from utils.detection.results.picture_detector import PictureDetector
from utils.detection.results.pictures.drawing import draw_detections
from utils.detection.results.pictures.min_score import MinScore
from utils.model_utils.errors import BadStateError, os_errors_as
from utils.model_utils.files import GO_ON, json_bytes, replaced_file
from utils.progress import track
from utils.training.stop_requests import StopRequests
from utils.videos.reading import Frame, read_frames
from utils.videos.search import VideoInput
from utils.videos.writing import VideoFile, part_path
from utils.words import counted

logger = logging.getLogger(__name__)

ROWS_ENDING = "_detections.json"


@dataclass(frozen=True)
class VideoSummary:
    """What the inference of a video came to.

    Attributes:
        name: of the file.
        num_frames: that were read.
        num_detections: boxes above the detector's own score threshold.
        seconds: spent reading, in the network, selecting, drawing and writing; not compiling.
        network_seconds: in the network alone.
    """

    name: str
    num_frames: int
    num_detections: int
    seconds: float
    network_seconds: float

    def __str__(self) -> str:
        """Returns e.g. `clip.mp4: 60 frames, 12 detections, 0.214 s per frame (network 0.180 s)`."""
        each, network = (value / max(self.num_frames, 1) for value in (self.seconds, self.network_seconds))
        return (
            f"{self.name}: {counted(self.num_frames, 'frame')}, {counted(self.num_detections, 'detection')}, "
            f"{each:.3f} s per frame (network {network:.3f} s)"
        )


@dataclass(frozen=True, eq=False)
class VideoDetection:
    """Detects in videos one after the other.

    Attributes:
        detector: of frames.
        folder: takes the results.
        classes: names and ids for what is written.
        min_score: boxes below these scores are not drawn.
    """

    detector: PictureDetector
    folder: Path
    classes: ClassTable
    min_score: MinScore

    def run(self, source: VideoInput, name: PurePosixPath) -> VideoSummary:
        """Detects in the frames of a video in batches, and holds no more of them than a few batches.

        Leaves `name`, a video with the boxes, and beside it NAME_detections.json. Where Ctrl-C or SIGTERM breaks it
        off, both hold the frames so far and are called NAME.part.mp4 and NAME_detections.part.json. Where the disk has
        no room for the video, the file of detections is finished nevertheless.

        Args:
            source: the video.
            name: of the result, relative to the folder.

        Raises:
            BadStateError: a result cannot be written.
            BadValueError: the video can no longer be read.
            KeyboardInterrupt: Ctrl-C, when the part is written.
            Terminated: the same of SIGTERM.
        """
        drawn_path = self.folder / name
        rows_path = drawn_path.with_name(drawn_path.stem + ROWS_ENDING)
        clock, started, num_frames, num_rows = DetectionClock(), time.perf_counter(), 0, 0
        stop = StopRequests("finishing this frame, then closing the video")
        with stop, _DrawnVideo(drawn_path, source) as drawn:
            with _open_rows(part_path(rows_path)) as add_rows:
                for frame, found in self._detect(source, clock):
                    num_rows = add_rows(self._rows(source, frame, found))
                    drawn.add(self._draw(frame, found))
                    num_frames += 1
                    if stop.is_pending:
                        break
            if not stop.is_pending:
                part_path(rows_path).replace(rows_path)
            drawn.finish(rows_path, is_whole=not stop.is_pending)
        if stop.is_pending:
            logger.warning(
                "broken off: %s and its detections hold the first %s",
                part_path(drawn_path),
                counted(num_frames, "frame"),
            )
            raise stop.exception()
        seconds = time.perf_counter() - started - clock.compilation
        return VideoSummary(str(source.file.name), num_frames, num_rows, seconds, clock.network)

    def _detect(self, source: VideoInput, clock: DetectionClock) -> Iterator[tuple[Frame, Detections]]:
        found = self.detector.detect_frames(read_frames(source.video), clock)
        return track(found, source.video.num_frames, f"detecting in {source.file.name}")

    def _rows(self, source: VideoInput, frame: Frame, found: Detections) -> list[dict]:
        rows = detections_to_coco(frame.index, found.boxes, found.scores, found.labels, self.classes.category_ids)
        more = {"file_name": str(source.file.name), "frame": frame.index, "time": round(frame.seconds, 6)}
        return [{**row, **more} for row in rows]

    def _draw(self, frame: Frame, found: Detections) -> np.ndarray:
        return draw_detections(
            frame.image,
            found.boxes,
            found.labels,
            found.scores,
            self.classes.names,
            min_score=self.min_score.of(found.labels),
            may_enlarge=False,
        )


class _DrawnVideo:
    """The video with boxes: what goes wrong with it waits until the detections are written, and gives up its room."""

    def __init__(self, path: Path, source: VideoInput) -> None:
        video = source.video
        self._path = path
        self._error: BadStateError | None = None
        self._file = VideoFile(path, (video.height, video.width), video.frames_per_second)

    def __enter__(self) -> "_DrawnVideo":
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.discard()

    def add(self, frame: np.ndarray) -> None:
        """Adds uint8[H, W, 3] RGB, unless an earlier one found no room."""
        if self._error is None:
            try:
                self._file.add(frame)
            except BadStateError as error:
                self._give_up(error)

    def finish(self, rows_path: Path, *, is_whole: bool) -> None:
        """Gives the file its name, or that of a part; raises what went wrong."""
        try:
            if self._error is None:
                self._file.finish(self._path if is_whole else part_path(self._path))
        except BadStateError as error:
            self._give_up(error)
        if self._error is not None:
            written = rows_path if is_whole else part_path(rows_path)
            raise BadStateError(f"{self._error}; '{written}' is written") from self._error

    def _give_up(self, error: BadStateError) -> None:
        self._error = error
        self._file.discard()


@contextlib.contextmanager
def _open_rows(path: Path) -> Iterator[Callable[[list[dict]], int]]:
    """Yields what adds rows to a JSON list in a file and returns how many it has; the file is there at the end."""
    count = 0

    def add(rows: list[dict], file: BinaryIO) -> int:
        nonlocal count
        for row in rows:
            file.write((b",\n" if count else b"\n") + json_bytes(row))
            count += 1
        return count

    with os_errors_as(BadStateError, f"'{path}' cannot be written", f": {GO_ON}"), replaced_file(path) as file:
        file.write(b"[")
        yield lambda rows: add(rows, file)
        file.write(b"\n]\n" if count else b"]\n")
