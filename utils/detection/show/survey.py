"""Counts the boxes that a detector is fed, by class and by size, and holds their sizes against the anchors."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from utils.detection.boxes import box_area, pairwise_iou
from utils.detection.show.box_figure import draw_box_sizes
from utils.detection.training_sample import DetectionSample
from utils.drawing.class_bars import class_bars
from utils.drawing.class_colours import class_color
from utils.drawing.network_inputs import content_size
from utils.image_files import evenly_spread
from utils.training.pictures.batch_view import Batch, Survey
from utils.words import agreed, counted, share

SMALL_SIDE = 8.0  # pixels: the finest stride of both detectors' levels or less than three cells of it
MOST_COMPARED = 1000  # boxes that are compared with all anchors: they take about a second
BOXES_AT_ONCE = 16  # of these: with 76,725 anchors an intermediate has 5 MB
MOST_CLASS_LINES = 20


class BoxSurvey(Survey):
    """Counts boxes.

    Args:
        sample: has made the batches.
        class_names: name of each class index.
        pos_iou: IoU with a box from which on an anchor learns it.
        min_pos_iou: IoU from which on the anchor that fits a box best does so.
    """

    def __init__(
        self, sample: DetectionSample, class_names: Sequence[str], pos_iou: float, min_pos_iou: float = 0.0
    ) -> None:
        self._sample, self._class_names = sample, class_names
        self._pos_iou, self._min_pos_iou = pos_iou, min_pos_iou
        self._padding: list[float] = []
        self._counts: list[np.ndarray] = []  # boxes of each class, of each picture
        self._boxes: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []

    def add(self, batch: Batch) -> None:
        """Counts the boxes of a batch."""
        area = batch[0].shape[-2] * batch[0].shape[-1]
        for planes, fed in zip(batch[0], self._sample.fed_boxes(batch), strict=True):
            self._padding.append(1 - float(np.prod(content_size(planes))) / area)
            self._counts.append(np.bincount(fed.labels, minlength=len(self._class_names)))
            self._boxes.append(fed.boxes)
            self._labels.append(fed.labels)

    def lines(self) -> list[str]:
        """Returns how many boxes there are, of which classes, how large, and whether anchors fit them."""
        counts, boxes = np.array(self._counts), np.concatenate(self._boxes)
        num_pictures, num_boxes = len(counts), len(boxes)
        height, width = self._sample.inputs.size
        empty = int((counts.sum(axis=1) == 0).sum())
        lines = [
            f"{counted(num_pictures, 'picture')} of {width} x {height} pixels (width x height), "
            f"{share(sum(self._padding), len(self._padding))} of that is padding",
            f"{counted(num_boxes, 'box')}, at most {counts.sum(axis=1).max()} in a picture"
            + f"; {counted(empty, 'picture')} {agreed(empty, 'has', 'have')} none" * bool(empty),
            *self._class_lines(counts),
        ]
        if not num_boxes:
            return lines
        sides = np.sqrt(box_area(boxes))
        anchor_sides = np.sqrt(box_area(self._sample.anchors))
        fitting, missed = (self._best_ious >= self._pos_iou).mean(), (self._best_ious < self._min_pos_iou).mean()
        return [
            *lines,
            f"box sides (square root of the area): {sides.min():.3g} to {sides.max():.3g} pixels, half of them below "
            f"{np.median(sides):.3g}; {share((sides < SMALL_SIDE).mean(), 1)} below {SMALL_SIDE:.0f}",
            f"anchor sides: {anchor_sides.min():.3g} to {anchor_sides.max():.3g} pixels; {share(fitting, 1)} of the "
            f"boxes have anchors with an IoU of {self._pos_iou:g} or more"
            + ", the others are learned by the one that fits best" * (fitting < 1)
            + f", but for {share(missed, 1)}, where its IoU is below {self._min_pos_iou:g}" * bool(missed),
        ]

    def figures(self) -> Mapping[str, bytes]:
        """Returns bars of the classes, and sizes of boxes beside those of the anchors."""
        counts, boxes, labels = np.array(self._counts), np.concatenate(self._boxes), np.concatenate(self._labels)
        of_class, with_class = counts.sum(axis=0), (counts > 0).sum(axis=0)
        colours = np.array([class_color(index) for index in range(len(self._class_names))])
        bars = class_bars(
            self._class_names,
            of_class.astype(np.float64),
            [
                f"{boxes_of:,} in {counted(int(pictures), 'picture')}"
                for boxes_of, pictures in zip(of_class, with_class, strict=True)
            ],
            colours,
            title=f"Boxes of each class in {counted(len(counts), 'picture')}",
            axis="boxes",
        )
        if not len(boxes):
            return {"classes.png": bars}
        sizes = boxes[:, 2:] - boxes[:, :2]
        anchor_sizes = self._sample.anchors[:, 2:] - self._sample.anchors[:, :2]
        figure = draw_box_sizes(
            sizes, colours[labels], np.unique(np.round(anchor_sizes, 1), axis=0), self._best_ious, self._pos_iou
        )
        return {"classes.png": bars, "boxes.png": figure}

    def _class_lines(self, counts: np.ndarray) -> list[str]:
        """Returns a line for each class, those with most boxes first."""
        of_class, with_class = counts.sum(axis=0), (counts > 0).sum(axis=0)
        order = np.argsort(-of_class, kind="stable")
        width = max(map(len, self._class_names))
        lines = [
            f"  {self._class_names[index]:{width}} {of_class[index]:7,} in {counted(int(with_class[index]), 'picture')}"
            for index in order[:MOST_CLASS_LINES]
        ]
        absent = int((of_class == 0).sum())
        if len(order) > MOST_CLASS_LINES:
            lines.append(f"  and {counted(len(order) - MOST_CLASS_LINES, 'more class')}, {absent} of all without a box")
        return lines

    @cached_property
    def _best_ious(self) -> np.ndarray:
        """Returns float32[K], the highest IoU of boxes with any anchor; of many boxes, of some evenly spread."""
        boxes = np.array(evenly_spread(np.concatenate(self._boxes), MOST_COMPARED))
        parts = (boxes[start : start + BOXES_AT_ONCE] for start in range(0, len(boxes), BOXES_AT_ONCE))
        return np.concatenate([pairwise_iou(part, self._sample.anchors).max(axis=1) for part in parts])
