"""Detects in image files, draws what was found and writes it down; the commands infer.py stand on it."""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.detection.data.class_names import ClassTable
from utils.detection.detections import DetectionClock, Detections
from utils.detection.results.coco_metrics import detections_to_coco
from utils.detection.results.drawing import draw_detections
from utils.detection.results.picture_detector import Picture, PictureDetector
from utils.image_search import ImageFile, find_image_files, image_numbers, result_names
from utils.images import write_image
from utils.model_utils.errors import BadValueError
from utils.model_utils.files import check_writable_folder, write_file
from utils.progress import track

logger = logging.getLogger(__name__)

DETECTIONS_FILE = "detections.json"


@dataclass(frozen=True)
class InferenceSummary:
    """What an inference came to.

    Attributes:
        num_images: pictures that were read.
        num_unreadable: files that were left out.
        num_detections: boxes above the score threshold.
        seconds: spent reading, in the network, selecting, drawing and writing; not compiling.
        network_seconds: in the network alone.
    """

    num_images: int
    num_unreadable: int
    num_detections: int
    seconds: float
    network_seconds: float


def find_pictures(image_path: Path, folder: Path) -> list[ImageFile]:
    """Returns the pictures to detect in, having looked at the folder of the results.

    Args:
        image_path: a picture or a folder of them, the key `image_path`.
        folder: takes the results, the key `infer_output_path`; pictures in it are left out.

    Raises:
        MissingPathError: there is no picture, or `folder` is a file.
        BadValueError: a result would take the place of a picture.
        BadStateError: `folder` cannot be written.
    """
    files = find_image_files(image_path, flag="--image_path", leave_out=folder)
    _refuse_overwriting(files, folder)
    check_writable_folder(folder, "--infer_output_path")
    return files


def run(
    detector: PictureDetector, files: Sequence[ImageFile], folder: Path, classes: ClassTable, picture_min_score: float
) -> InferenceSummary:
    """Detects in files, draws, and writes everything found in COCO's result format.

    Args:
        detector: reads and detects.
        files: the pictures.
        folder: takes a JPEG for each picture, in its sub-folder, and detections.json. Each row there has `file_name`
            beside COCO's fields, and `image_id` as `image_numbers` gives it.
        classes: names and ids for what is written.
        picture_min_score: boxes below this score are not drawn.

    Raises:
        BadValueError: none of the pictures can be read.
        BadStateError: a result cannot be written.
    """
    started = time.perf_counter()
    detector.compile()
    logger.info("network compiled in %.1f s", time.perf_counter() - started)
    numbers, names = image_numbers(files), result_names(files, ".jpg")
    rows: list[dict] = []
    num_images, clock, started = 0, DetectionClock(skip_first=False), time.perf_counter()
    for picture, found in track(detector.detect([file.path for file in files], clock), len(files), "detecting"):
        if picture is None or found is None:
            continue
        num_images += 1
        rows += _rows(found, numbers[picture.index], str(files[picture.index].name), classes)
        write_image(folder / names[picture.index], _draw(picture, found, classes, picture_min_score))
    if not num_images:
        raise BadValueError(f"none of the {len(files)} pictures can be read (each is named above): replace them")
    write_file(folder / DETECTIONS_FILE, json.dumps(rows, ensure_ascii=False).encode())
    seconds = time.perf_counter() - started
    return InferenceSummary(num_images, len(files) - num_images, len(rows), seconds, clock.network)


def infer_pictures(
    detector: PictureDetector, files: Sequence[ImageFile], folder: Path, classes: ClassTable, picture_min_score: float
) -> None:
    """Detects in files as `run` does, and says on what, how fast and where the results are."""
    logger.info("%d pictures, %d classes: %s", len(files), len(classes.names), ", ".join(classes.names))
    print(format_summary(run(detector, files, folder, classes, picture_min_score)))
    print(f"pictures and {DETECTIONS_FILE} are in {folder}")


def format_summary(summary: InferenceSummary) -> str:
    """Returns e.g. `3 images, 12 detections, 0.214 s per image (network 0.180 s); 1 file could not be read`."""
    each, network = (value / summary.num_images for value in (summary.seconds, summary.network_seconds))
    text = (
        f"{summary.num_images} images, {summary.num_detections} detections, {each:.3f} s per image "
        f"(network {network:.3f} s)"
    )
    if summary.num_unreadable:
        text += f"; {summary.num_unreadable} file{'s' * (summary.num_unreadable > 1)} could not be read"
    return text


def _refuse_overwriting(files: Sequence[ImageFile], folder: Path) -> None:
    """Refuses an output folder in which a result would take the place of a picture that is read."""
    sources = {file.path.resolve() for file in files}
    overwritten = next((name for name in result_names(files, ".jpg") if (folder / name).resolve() in sources), None)
    if overwritten is not None:
        raise BadValueError(
            f"the picture '{folder / overwritten}' would be overwritten by its result: choose another "
            "--infer_output_path than the pictures' folder"
        )


def _rows(found: Detections, image_id: int, file_name: str, classes: ClassTable) -> list[dict]:
    rows = detections_to_coco(image_id, found.boxes, found.scores, found.labels, classes.category_ids)
    return [{**row, "file_name": file_name} for row in rows]


def _draw(picture: Picture, found: Detections, classes: ClassTable, min_score: float) -> np.ndarray:
    return draw_detections(picture.image, found.boxes, found.labels, found.scores, classes.names, min_score=min_score)
