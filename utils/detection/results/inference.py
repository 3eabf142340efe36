"""Detects in image files, draws what was found and writes it down; the commands infer.py stand on it."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from utils.detection.data.class_names import ClassTable
from utils.detection.detections import DetectionClock, Detections
from utils.detection.results.coco_metrics import detections_to_coco
from utils.detection.results.picture_detector import Picture, PictureDetector
from utils.detection.results.pictures.drawing import draw_detections, is_drawn
from utils.detection.results.pictures.min_score import MinScore
from utils.detection.results.pictures.operating_point import choose_stored_min_score
from utils.detection.results.pictures.videos import ROWS_ENDING, VideoDetection
from utils.drawing.guard import guard_drawing
from utils.drawing.writing_behind import WritingBehind
from utils.image_search import ImageFile, image_numbers, result_names
from utils.images import write_image
from utils.model_utils.errors import BadStateError, BadValueError
from utils.model_utils.files import check_writable_folder, is_full, json_bytes, write_file
from utils.progress import track
from utils.videos.search import Inputs, find_inputs
from utils.videos.writing import DRAWN_SUFFIX
from utils.words import agreed, counted

logger = logging.getLogger(__name__)

DETECTIONS_FILE = "detections.json"


@dataclass(frozen=True)
class InferenceSummary:
    """What an inference came to.

    Attributes:
        num_images: pictures that were read.
        num_unreadable: files that were left out.
        num_detections: boxes above the detector's own score threshold.
        seconds: spent reading, in the network, selecting, drawing and writing; not compiling.
        network_seconds: in the network alone.
        num_full: pictures in which more would have been drawn, had more boxes been kept.
        num_with_boxes: pictures with a box that is drawn.
        highest_score: of all boxes; 0 without any.
    """

    num_images: int
    num_unreadable: int
    num_detections: int
    seconds: float
    network_seconds: float
    num_full: int = 0
    num_with_boxes: int = 0
    highest_score: float = 0.0


@dataclass(frozen=True)
class BoxLimit:
    """How many boxes of a picture are kept.

    Attributes:
        key: that sets it.
        count: its value.
    """

    key: str
    count: int

    def is_reached(self, found: Detections, min_score: MinScore) -> bool:
        """Whether the weakest of as many boxes as are kept is still one to be drawn."""
        if len(found.scores) < self.count:
            return False
        weakest = int(np.argmin(found.scores))
        return bool(found.scores[weakest] >= min_score.of(found.labels[weakest])[0])


def open_inputs(image_path: Path, folder: Path) -> Inputs:
    """Returns the pictures and videos to detect in, having looked at the folder of the results.

    Args:
        image_path: the key `image_path`, as `find_inputs` takes it.
        folder: takes the results, the key `infer_output_path`; what is in it is left out.

    Raises:
        MissingPathError: there is no picture and no video, or `folder` is a file.
        BadValueError: a result would take the place of a picture or video, or no video can be read.
        BadStateError: `folder` cannot be written.
    """
    inputs = find_inputs(image_path, flag="--image_path", leave_out=folder)
    _refuse_overwriting(inputs, folder)
    check_writable_folder(folder, "--infer_output_path")
    return inputs


def run(
    detector: PictureDetector,
    files: Sequence[ImageFile],
    folder: Path,
    classes: ClassTable,
    min_score: MinScore,
    limit: BoxLimit,
) -> InferenceSummary:
    """Detects in files, draws, and writes everything found in COCO's result format.

    Args:
        detector: reads and detects.
        files: the pictures.
        folder: takes a JPEG for each picture, in its sub-folder, and detections.json. Each row there has `file_name`
            beside COCO's fields, and `image_id` as `image_numbers` gives it.
        classes: names and ids for what is written.
        min_score: boxes below these scores are not drawn.
        limit: boxes that the detector keeps of a picture.

    Raises:
        BadValueError: none of the pictures can be read.
        BadStateError: a result cannot be written. Where it is a picture, detections.json has all detections.
    """
    _compile(detector)
    numbers, pictures = image_numbers(files), _PictureWriter(files, folder, classes, min_score)
    rows_of: dict[int, list[dict]] = {}  # by the place of the file: canvas by canvas is another order
    num_images, num_full, clock, started = 0, 0, DetectionClock(), time.perf_counter()
    with WritingBehind() as writer:
        for picture, found in track(detector.detect([file.path for file in files], clock), len(files), "detecting"):
            if picture is None or found is None:
                continue
            num_images += 1
            num_full += limit.is_reached(found, min_score)
            rows_of[picture.index] = _rows(found, numbers[picture.index], str(files[picture.index].name), classes)
            writer.run(pictures.add, picture, found)
    if not num_images:
        if len(files) == 1:
            raise BadValueError("the picture cannot be read (it is named above): replace it")
        raise BadValueError(f"none of the {len(files)} pictures can be read (each is named above): replace them")
    if clock.num_compiled:
        logger.info("network compiled for %s in %.1f s", counted(clock.num_compiled, "canvas"), clock.compilation)
    rows = list(chain.from_iterable(found for _, found in sorted(rows_of.items())))
    _write_detections(folder / DETECTIONS_FILE, rows, pictures)
    pictures.check()
    return InferenceSummary(
        num_images,
        num_unreadable=len(files) - num_images,
        num_detections=len(rows),
        seconds=time.perf_counter() - started - clock.compilation,
        network_seconds=clock.network,
        num_full=num_full,
        num_with_boxes=pictures.num_with_boxes,
        highest_score=max((row["score"] for row in rows), default=0.0),
    )


def infer_pictures(
    detector: PictureDetector,
    inputs: Inputs,
    folder: Path,
    classes: ClassTable,
    picture_min_score: float | None,
    limit: BoxLimit,
) -> None:
    """Detects in pictures as `run` does, then in videos; says on what, how fast and where the results are.

    Boxes are drawn from `picture_min_score`; where that is None, from the score that the checkpoint stores.
    """
    logger.info("%s, %s: %s", inputs, counted(len(classes.names), "class"), ", ".join(classes.names))
    min_score, why = choose_stored_min_score(picture_min_score, classes.picture_min_score, classes.class_min_scores)
    logger.info("%s", why)
    if inputs.pictures:
        try:
            _infer_files(detector, inputs.pictures, folder, classes, min_score, limit)
        except BadValueError as error:
            if not inputs.videos:
                raise
            logger.warning("%s", error)
    _infer_videos(VideoDetection(detector, folder, classes, min_score), inputs)


def _infer_files(
    detector: PictureDetector,
    files: Sequence[ImageFile],
    folder: Path,
    classes: ClassTable,
    min_score: MinScore,
    limit: BoxLimit,
) -> None:
    summary = run(detector, files, folder, classes, min_score, limit)
    if summary.num_full:
        logger.warning("%s", format_full(summary, limit, min_score))
    if not summary.num_with_boxes:
        logger.warning("%s", format_bare(summary, min_score))
    print(format_summary(summary))
    print(f"pictures and {DETECTIONS_FILE} are in {folder}")


def _infer_videos(detection: VideoDetection, inputs: Inputs) -> None:
    if not inputs.pictures:
        _compile(detection.detector)
    files = [each.file for each in inputs.videos]
    for source, name in zip(inputs.videos, result_names(files, DRAWN_SUFFIX), strict=True):
        print(detection.run(source, name), flush=True)
    if files:
        print(f"videos and *{ROWS_ENDING} are in {detection.folder}")
    if inputs.num_unreadable:
        print(f"{counted(inputs.num_unreadable, 'video')} could not be read")


def format_bare(summary: InferenceSummary, min_score: MinScore) -> str:
    """Returns why no picture has a box, and what to set."""
    if not summary.num_detections:
        return f"nothing was found on {counted(summary.num_images, 'picture')}, so none has a box"
    return (
        f"no picture has a box: of {counted(summary.num_detections, 'detection')} none reaches score {min_score}, "
        f"the highest is {summary.highest_score:.3g}; set --picture_min_score={summary.highest_score / 2:.2g} to see "
        "them"
    )


def format_summary(summary: InferenceSummary) -> str:
    """Returns e.g. `3 images, 12 detections, 0.214 s per image (network 0.180 s); 1 file could not be read`."""
    each, network = (value / summary.num_images for value in (summary.seconds, summary.network_seconds))
    text = (
        f"{counted(summary.num_images, 'image')}, {counted(summary.num_detections, 'detection')}, {each:.3f} s per "
        f"image (network {network:.3f} s)"
    )
    if summary.num_unreadable:
        text += f"; {counted(summary.num_unreadable, 'file')} could not be read"
    return text


def format_full(summary: InferenceSummary, limit: BoxLimit, min_score: MinScore) -> str:
    """Returns e.g. `in 2 of 3 pictures all 100 boxes that are kept have a score of 0.4 or more, so ...`."""
    return (
        f"in {summary.num_full} of {counted(summary.num_images, 'picture')} all {limit.count} boxes that are kept have "
        f"a score of {min_score} or more, so that others may be missing: raise --{limit.key}"
    )


def _compile(detector: PictureDetector) -> None:
    clock = DetectionClock()
    detector.compile(clock)
    if clock.num_compiled:
        logger.info("network compiled in %.1f s", clock.compilation)


def _refuse_overwriting(inputs: Inputs, folder: Path) -> None:
    """Refuses an output folder in which a result would take the place of a picture or video that is read."""
    videos = [each.file for each in inputs.videos]
    sources = {file.path.resolve() for file in (*inputs.pictures, *videos)}
    for kind, names in (
        ("picture", result_names(inputs.pictures, ".jpg")),
        ("video", result_names(videos, DRAWN_SUFFIX)),
    ):
        overwritten = next((name for name in names if (folder / name).resolve() in sources), None)
        if overwritten is not None:
            raise BadValueError(
                f"the {kind} '{folder / overwritten}' would be overwritten by its result: choose another "
                f"--infer_output_path than the {kind}s' folder"
            )


def _rows(found: Detections, image_id: int, file_name: str, classes: ClassTable) -> list[dict]:
    rows = detections_to_coco(image_id, found.boxes, found.scores, found.labels, classes.category_ids)
    return [{**row, "file_name": file_name} for row in rows]


def _write_detections(path: Path, rows: list[dict], pictures: "_PictureWriter") -> None:
    """Writes all detections; where the pictures have filled the disk, the last ones make room."""
    while True:
        try:
            write_file(path, json_bytes(rows))
            return
        except BadStateError as error:
            if not (is_full(error.__cause__) and pictures.make_room(error)):
                raise


class _PictureWriter:
    """Draws and writes the pictures; what goes wrong with one waits until the detections are written.

    Args:
        files: the pictures.
        folder: takes them.
        classes: names of the boxes.
        min_score: boxes below these scores are not drawn.

    Attributes:
        num_with_boxes: pictures with a box that is drawn.
    """

    def __init__(self, files: Sequence[ImageFile], folder: Path, classes: ClassTable, min_score: MinScore) -> None:
        self._paths = [folder / name for name in result_names(files, ".jpg")]
        self._class_names, self._min_score = classes.names, min_score
        self._error: BadStateError | None = None
        self._written: list[Path] = []
        self.num_with_boxes = 0

    def add(self, picture: Picture, found: Detections) -> None:
        """Draws and writes a picture, unless an earlier one could not be written."""
        if self._error is not None:
            return
        path, names = self._paths[picture.index], self._class_names
        with guard_drawing(f"the picture '{path}'"):
            lowest = self._min_score.of(found.labels)
            drawn = draw_detections(picture.image, found.boxes, found.labels, found.scores, names, min_score=lowest)
            self.num_with_boxes += bool(is_drawn(found.scores, lowest).any())
            try:
                write_image(path, drawn)
                self._written.append(path)
            except BadStateError as error:
                self._error = error

    def make_room(self, error: BadStateError) -> bool:
        """Removes the last picture that was written, for what `error` says has no room; False where there is none."""
        if not self._written:
            return False
        self._written.pop().unlink(missing_ok=True)
        self._error = self._error or error
        return True

    def check(self) -> None:
        """Raises the first error about what could not be written.

        Raises:
            BadStateError: there is one.
        """
        if self._error is not None:
            count, are = counted(len(self._paths), "picture"), agreed(len(self._written), "is", "are")
            raise BadStateError(
                f"{self._error}; {DETECTIONS_FILE} is written, and {len(self._written)} of {count} {are}"
            ) from self._error
