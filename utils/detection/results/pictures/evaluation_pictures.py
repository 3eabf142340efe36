"""The pictures of an evaluation: images with their truth beside what was found, and a sheet of them all."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from utils.detection.detections import Detections
from utils.detection.results.pictures.drawing import is_drawn
from utils.detection.results.pictures.side_by_side import draw_truth_beside
from utils.drawing.contact_sheet import contact_sheet
from utils.drawing.guard import guard_drawing
from utils.images import decode_image, write_image
from utils.words import agreed, counted

MOST_LETTERS = 60  # of an image's name in that of its picture; four bytes each, file systems take 255
SHEET_COLUMNS, SHEET_WIDTH = 2, 960  # a cell holds two panels, each as wide as those of other sheets

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class EvaluationPicture:
    """What is needed to draw an image; it is kept encoded until the score to draw from is known.

    Attributes:
        image_id: the annotation file's id.
        name: of the image file.
        encoded: the image file.
        found: the detections, boxes xyxy in pixels of the image.
        truth_boxes: float32[M, 4], xyxy, likewise, without crowds.
        truth_labels: int64[M], class index.
    """

    image_id: int
    name: str
    encoded: bytes
    found: Detections
    truth_boxes: np.ndarray
    truth_labels: np.ndarray


def draw_pictures(
    pictures: Sequence[EvaluationPicture], class_names: Sequence[str], min_score: float, folder: Path
) -> None:
    """Draws images, truth on the left, what was found on the right, and writes them, beside an `overview.jpg` of all.

    What cannot be drawn or written is said, and no more: call it when the numbers are written.

    Args:
        pictures: at least one.
        class_names: name of each class index.
        min_score: boxes with a lower score are left out.
        folder: takes the files.
    """
    with guard_drawing(f"the pictures in '{folder}'"):
        drawn: list[np.ndarray] = []
        for picture in pictures:
            image = decode_image(picture.encoded, f"image {picture.image_id}")
            found = picture.found
            drawn.append(
                draw_truth_beside(
                    image,
                    picture.truth_boxes,
                    picture.truth_labels,
                    found.boxes,
                    found.labels,
                    found.scores,
                    class_names,
                    min_score=min_score,
                )
            )
            stem = PurePath(picture.name.replace("\\", "/")).stem[:MOST_LETTERS]
            write_image(folder / f"{len(drawn) - 1:03d}_{stem}.jpg", drawn[-1])
        write_image(folder / "overview.jpg", contact_sheet(drawn, SHEET_COLUMNS, cell_width=SHEET_WIDTH))
        with_boxes = sum(bool(is_drawn(picture.found.scores, min_score).any()) for picture in pictures)
        shown, are = counted(len(pictures), "picture"), agreed(len(pictures), "is", "are")
        if with_boxes == len(pictures):
            logger.info("%s with detections %s in %s", shown, are, folder)
        else:
            logger.info("%s %s in %s, %d of them with detections", shown, are, folder, with_boxes)
