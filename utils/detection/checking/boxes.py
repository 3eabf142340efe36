"""Boxes that are in the wrong form, outside their picture, without area, twice there or too many."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from utils.checking.findings import ERROR, WARNING, Findings
from utils.detection.annotations.box_forms import ROUNDING_PIXELS, are_fractions, leaving_boxes
from utils.detection.data.ground_truth import NUM_FIELDS
from utils.detection.data.record_types import DetectionDataset
from utils.words import counted, share


@dataclass(frozen=True, eq=False)
class AnnotatedBoxes:
    """All boxes of a split as they stand in the file, without what its reader dropped.

    Attributes:
        dataset: the split.
        table: float64[N, 7]: left, top, width, height, area, class index, is_crowd.
        image_index: int64[N], position of the box's picture in the records.
        sizes: float64[N, 2], (width, height) of its picture, as annotated.
    """

    dataset: DetectionDataset
    table: np.ndarray
    image_index: np.ndarray
    sizes: np.ndarray

    @cached_property
    def boxes_xywh(self) -> np.ndarray:
        """float64[N, 4], left, top, width, height."""
        return self.table[:, :4]

    @cached_property
    def labels(self) -> np.ndarray:
        """int64[N], class index."""
        return self.table[:, 5].astype(np.int64)

    @cached_property
    def is_crowd(self) -> np.ndarray:
        """bool[N]."""
        return self.table[:, 6] == 1

    def named(self, mask: np.ndarray) -> Iterator[str]:
        """Yields what the boxes of bool[N] are called: picture and numbers."""
        for index in np.flatnonzero(mask):
            numbers = ", ".join(f"{value:g}" for value in self.boxes_xywh[index])
            yield f"{self.dataset.records[self.image_index[index]].file_path.name} [{numbers}]"


def annotated_boxes(dataset: DetectionDataset) -> AnnotatedBoxes:
    """Returns the boxes of a split as columns."""
    rows = [np.zeros((0, NUM_FIELDS)) if each.as_annotated is None else each.as_annotated for each in dataset.records]
    image_index = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
    sizes = np.array([(each.width, each.height) for each in dataset.records], np.float64).reshape(-1, 2)
    return AnnotatedBoxes(dataset, np.concatenate([np.zeros((0, NUM_FIELDS)), *rows]), image_index, sizes[image_index])


def add_box_faults(found: Findings, split: str, boxes: AnnotatedBoxes, num_gts: int) -> bool:
    """Adds what is wrong with the boxes of a split; a box in the wrong form has no other fault.

    Args:
        found: takes the findings.
        split: name of the split.
        boxes: of the split.
        num_gts: most boxes of a picture that training looks at.

    Returns:
        Whether their form is right, so that their sizes mean something.
    """
    is_fraction = are_fractions(boxes.boxes_xywh, boxes.sizes)
    form = leaving_boxes(boxes.boxes_xywh, boxes.sizes)
    is_corners = form.suspects & ~is_fraction & form.is_likely
    total = len(boxes.table)

    def add(severity: str, code: str, mask: np.ndarray, what: str, fix: str) -> None:
        of_all = f" ({share(mask.sum(), total)} of {counted(total, 'box')})"
        found.add(severity, code, split, int(mask.sum()), what + of_all, fix, boxes.named(mask))

    add(
        ERROR,
        "boxes-as-fractions",
        is_fraction,
        "[box|boxes] with four numbers from 0 to 1: fractions of the picture",
        "multiply left and width by the width of the picture, top and height by its height: pixels are wanted",
    )
    add(
        ERROR if form.is_certain else WARNING,
        "boxes-as-corners",
        is_corners,
        "[box leaves its|boxes leave their] picture as [left, top, width, height], and all would fit as corners [x1, "
        "y1, x2, y2]",
        "subtract left from the third number and top from the fourth",
    )
    if is_corners.any():
        return False
    _add_places(add, boxes, ~is_fraction)
    _add_counts(found, split, boxes, num_gts)
    return not is_fraction.any()


def _add_places(
    add: Callable[[str, str, np.ndarray, str, str], None], boxes: AnnotatedBoxes, is_pixels: np.ndarray
) -> None:
    starts = boxes.boxes_xywh[:, :2]
    ends = starts + boxes.boxes_xywh[:, 2:]
    is_empty = is_pixels & (boxes.boxes_xywh[:, 2:] <= 0).any(axis=1)
    is_outside = is_pixels & ~is_empty & ((starts >= boxes.sizes) | (ends <= 0)).any(axis=1)
    reach = np.maximum(-starts, ends - boxes.sizes).max(axis=1, initial=0)
    is_clipped = is_pixels & ~is_empty & ~is_outside & (reach > ROUNDING_PIXELS)
    add(
        WARNING,
        "boxes-without-area",
        is_empty,
        "[box has|boxes have] a width or height of 0",
        "draw [it|them] anew, or remove [it|them]: training leaves [it|them] out, an evaluation counts [it as an "
        "object|them as objects] not found",
    )
    add(
        WARNING,
        "boxes-outside",
        is_outside,
        "[box lies wholly outside its|boxes lie wholly outside their] picture",
        "move or remove [it|them], or put the right picture there: training leaves [it|them] out, an evaluation counts "
        "[it as an object|them as objects] not found",
    )
    add(
        WARNING,
        "boxes-over-the-border",
        is_clipped,
        "[box reaches more than a pixel out of its|boxes reach more than a pixel out of their] picture",
        "training cuts [it|them] at the border; where there are many, look whether pictures were resized after "
        "annotating",
    )


def _add_counts(found: Findings, split: str, boxes: AnnotatedBoxes, num_gts: int) -> None:
    rows = np.column_stack([boxes.image_index, boxes.table[:, [0, 1, 2, 3, 5]]])
    _, first = np.unique(rows, axis=0, return_index=True) if len(rows) else (rows, np.zeros(0, np.int64))
    is_again = np.ones(len(rows), bool)
    is_again[first] = False
    found.add(
        WARNING,
        "boxes-repeated",
        split,
        int(is_again.sum()),
        "[box is|boxes are] there twice: the same numbers, class and picture",
        "remove [the copy|the copies]: an evaluation expects [both|all] to be found",
        boxes.named(is_again),
    )
    counts = np.array([len(record.boxes) for record in boxes.dataset.records], np.int64)  # that training can use
    full = np.flatnonzero(counts > num_gts)
    found.add(
        WARNING,
        "pictures-with-too-many-boxes",
        split,
        len(full),
        f"[picture|pictures] with more than {num_gts} boxes (num_gts), at most {counts.max(initial=0)}: training "
        "uses only the largest, and the others count as background",
        f"raise it: --num_gts={counts.max(initial=0)}",
        (f"{boxes.dataset.records[index].file_path.name} ({counts[index]})" for index in full),
    )
