"""Boxes that cannot be meant: fractions of the picture where pixels belong, corners where sizes belong, or the reverse.

Such boxes are numbers like others, so each file is looked at as a whole: what most of its boxes say.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.detection.annotations.repairs import warn_once
from utils.model_utils.errors import BadValueError
from utils.words import agreed, counted

MOST, NEARLY_ALL = 0.5, 0.99  # shares of the boxes; a wrong form spoils every box, a few may have other faults
SOME = 0.25  # share that leaves the picture; where it is less, nothing is wrong with the form: of right boxes none does
FEWEST = 10  # boxes that are enough to refuse a file for its form; fewer may be so by chance
ROUNDING_PIXELS = 1.0  # annotators round outwards
FRACTION_SLACK = 0.01  # of fractions that were computed and rounded


@dataclass(frozen=True, eq=False)
class SuspectForm:
    """Boxes of a file that cannot be in the form that they are read in.

    Attributes:
        suspects: bool[N].
        total: boxes that were looked at.
        fits_otherwise: whether nearly all of these make sense in the other form.
    """

    suspects: np.ndarray
    total: int
    fits_otherwise: bool

    @property
    def is_likely(self) -> bool:
        """Whether enough boxes are suspect that the other form must be meant, as `data check` says."""
        return self.fits_otherwise and self.total >= FEWEST and self.suspects.sum() >= SOME * self.total

    @property
    def is_certain(self) -> bool:
        """Whether so many are that a training refuses the file."""
        return self.fits_otherwise and self.total >= FEWEST and self.suspects.sum() > MOST * self.total


def check_sizes_form(boxes_xywh: np.ndarray, sizes: np.ndarray, source: Path) -> None:
    """Refuses or warns of boxes that are not left, top, width and height in pixels.

    Args:
        boxes_xywh: float64[N, 4], as annotated.
        sizes: int[N, 2], (height, width) of each box's image.
        source: their file, for messages.

    Raises:
        BadValueError: all are fractions of the picture, or all can only be corners.
    """
    boxes, sizes = usable(boxes_xywh, sizes)
    _check_fractions(boxes, boxes[:, 2:], sizes, source, "left and width by the width of the picture, top and height")
    form = leaving_boxes(boxes, sizes)
    count, total = int(form.suspects.sum()), form.total
    if not total or count < SOME * total:
        return
    sentence = f"{count} of {counted(total, 'box')} of '{source}' {agreed(count, 'leaves its', 'leave their')} picture"
    if form.is_certain:
        raise BadValueError(
            f"{sentence}, and all fit as corners [x1, y1, x2, y2]; wanted [left, top, width, height]: subtract left "
            "from the third number and top from the fourth"
        )
    if form.fits_otherwise:
        warn_once(f"{sentence}, and all would fit as corners [x1, y1, x2, y2]: wanted are [left, top, width, height]")
    elif count > MOST * total:
        warn_once(f"{sentence}: are they in pixels of these pictures, as [left, top, width, height]?")


def check_corners_form(boxes: np.ndarray, sizes: np.ndarray, source: Path) -> None:
    """Refuses or warns of boxes that are not corners in pixels.

    Args:
        boxes: float64[N, 4], xyxy, as annotated.
        sizes: int[N, 2], (height, width) of each box's image.
        source: their file, for messages.

    Raises:
        BadValueError: all are fractions of the picture, or all can only be left, top, width and height.
    """
    boxes, sizes = usable(boxes, sizes)
    _check_fractions(boxes, boxes[:, 2:] - boxes[:, :2], sizes, source, "x by the width of the picture, y")
    form = reversed_boxes(boxes, sizes)
    count, leaving, total = int(form.suspects.sum()), int(_leaves(boxes[:, 2:], sizes).sum()), form.total
    if not total:
        return
    end = agreed(count, "ends before it begins", "end before they begin")
    sentence = f"{count} of {counted(total, 'box')} of '{source}' {end}"
    if form.is_certain:
        raise BadValueError(
            f"{sentence}, and all fit as left, top, width and height; wanted are corners xmin,ymin,xmax,ymax: add xmin "
            "to the third number and ymin to the fourth"
        )
    if count > SOME * total:
        warn_once(f"{sentence}: are they corners xmin,ymin,xmax,ymax, or left, top, width and height?")
    elif leaving > MOST * total:
        warn_once(
            f"{leaving} of {counted(total, 'box')} of '{source}' {agreed(leaving, 'leaves its', 'leave their')} "
            "picture: are they in pixels of these pictures, as corners xmin,ymin,xmax,ymax?"
        )


def are_fractions(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Returns bool[N], boxes whose four numbers lie from 0 to 1, not all of them whole: fractions of the picture.

    Args:
        boxes: float64[N, 4].
        sizes: float64[N, 2], (width, height) of each box's picture.
    """
    return _are_within_one(boxes) & (boxes % 1 != 0).any(axis=1) & (sizes > 1).all(axis=1)


def leaving_boxes(boxes_xywh: np.ndarray, sizes: np.ndarray) -> SuspectForm:
    """Returns which boxes leave their picture by more than a pixel, of those with an area; corners would not.

    Args:
        boxes_xywh: float64[N, 4].
        sizes: float64[N, 2], (width, height) of each box's picture.
    """
    starts, ends = boxes_xywh[:, :2], boxes_xywh[:, 2:]
    is_box = (ends > 0).all(axis=1)
    fits = (ends > starts).all(axis=1) & ~_leaves(ends, sizes)
    return SuspectForm(is_box & _leaves(starts + ends, sizes), int(is_box.sum()), _are_nearly_all(fits[is_box]))


def reversed_boxes(boxes: np.ndarray, sizes: np.ndarray) -> SuspectForm:
    """Returns which boxes end before they begin; left, top, width and height would not.

    Args:
        boxes: float64[N, 4], meant as xyxy.
        sizes: float64[N, 2], (width, height) of each box's picture.
    """
    starts, ends = boxes[:, :2], boxes[:, 2:]
    fits = (ends > 0).all(axis=1) & ~_leaves(starts + ends, sizes)
    return SuspectForm((ends < starts).any(axis=1), len(boxes), _are_nearly_all(fits))


def _are_nearly_all(fits: np.ndarray) -> bool:
    return len(fits) > 0 and bool(fits.mean() >= NEARLY_ALL)


def _are_within_one(boxes: np.ndarray) -> np.ndarray:
    return (boxes >= -FRACTION_SLACK).all(axis=1) & (boxes <= 1 + FRACTION_SLACK).all(axis=1)


def usable(boxes: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the boxes with finite numbers and their sizes as (width, height)."""
    is_finite = np.isfinite(boxes).all(axis=1)
    return boxes[is_finite], sizes[is_finite][:, ::-1]


def _leaves(ends: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return (ends > sizes + ROUNDING_PIXELS).any(axis=1)


def _check_fractions(boxes: np.ndarray, sides: np.ndarray, sizes: np.ndarray, source: Path, factors: str) -> None:
    is_fraction = _are_within_one(boxes)
    has_pixels = (sizes > 1).all(axis=1)
    if len(boxes) and (is_fraction & has_pixels).all() and (boxes % 1 != 0).any():
        count = len(boxes)
        all_boxes = agreed(count, "the only box", f"all {counted(count, 'box')}")
        boxes_have = f"{all_boxes} of '{source}' {agreed(count, 'has', 'have')}"
        raise BadValueError(
            f"{boxes_have} numbers from 0 to 1, fractions of the picture; wanted pixels: multiply {factors} by "
            "its height"
        )
    is_box = (sides > 0).all(axis=1)
    is_tiny = is_box & (sides < 1).all(axis=1) & has_pixels
    tiny = int(is_tiny.sum())
    if tiny > MOST * is_box.sum():
        warn_once(
            f"{tiny} of {counted(int(is_box.sum()), 'box')} of '{source}' {agreed(tiny, 'is', 'are')} smaller than a "
            "pixel: are they fractions of the picture? wanted are pixels"
        )
