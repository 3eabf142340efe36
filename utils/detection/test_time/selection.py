"""From the candidates of a picture, and of its mirror image, to its detections, on the host."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from utils.detection.boxes import mirror_boxes
from utils.detection.detections import Detections, Select
from utils.detection.suppression import suppress
from utils.detection.test_time.fusion import fuse
from utils.detection.test_time.soft_nms import soft_suppress


@dataclass(frozen=True)
class SuppressionRule:
    """How candidates become detections; the defaults after the limits are those of the plain selection.

    Attributes:
        min_score: of what a fused or lowered score leaves, boxes not above it are dropped.
        nms_threshold: highest IoU that two kept boxes may have; from it on `soft_linear` lowers a score; two boxes of a
            picture and its mirror image with a higher one are of one object.
        max_boxes: detections kept in a picture.
        method: what happens to the lower of two boxes that overlap.
        sigma: of `soft_gaussian`, see `soft_suppress`.
        across_classes: boxes of different classes suppress each other too.
        labels: indices of the classes that are wanted; None for all.
        merge: how the boxes of the mirror image are added; "" where there is none.
    """

    min_score: float
    nms_threshold: float
    max_boxes: int
    method: Literal["hard", "soft_linear", "soft_gaussian"] = "hard"
    sigma: float = 0.5
    across_classes: bool = False
    labels: tuple[int, ...] | None = None
    merge: Literal["", "nms", "mean"] = ""

    @property
    def is_plain(self) -> bool:
        """Whether hard suppression within each class of one view is all there is."""
        return self.method == "hard" and not self.across_classes and self.labels is None and not self.merge


@dataclass(frozen=True, eq=False)
class Selection:
    """A `Select` of candidates that nothing has suppressed yet.

    Attributes:
        candidates: makes them of the outputs for one view, in pixels of the view's original.
        rule: what becomes of them.
    """

    candidates: Select
    rule: SuppressionRule

    def __call__(self, *outputs: np.ndarray, scales: tuple[float, float], height: int, width: int) -> Detections:
        """Selects, as `Select` says; with a rule that merges, the second half of the outputs is of the mirror image."""
        rule = self.rule
        count = len(outputs) // 2 if rule.merge else len(outputs)
        views = [
            of_classes(self.candidates(*part, scales=scales, height=height, width=width), rule.labels)
            for part in (outputs[:count], outputs[count:])
            if part
        ]
        if rule.merge:
            views[1] = Detections(mirror_boxes(views[1].boxes, width), views[1].scores, views[1].labels)
        if rule.merge != "mean":
            return self._suppressed(_joined(views))
        found = fuse(
            self._suppressed(views[0]),
            self._suppressed(views[1]),
            rule.nms_threshold,
            across_classes=rule.across_classes,
        )
        return found.rows(np.flatnonzero(found.scores > rule.min_score)[: rule.max_boxes])

    def _suppressed(self, found: Detections) -> Detections:
        rule = self.rule
        groups = np.zeros_like(found.labels) if rule.across_classes else found.labels
        if rule.method == "hard":
            return found.rows(suppress(found.boxes, found.scores, groups, rule.nms_threshold)[: rule.max_boxes])
        kept, scores = soft_suppress(
            found.boxes,
            found.scores,
            groups,
            limit=rule.max_boxes,
            min_score=rule.min_score,
            iou_threshold=rule.nms_threshold if rule.method == "soft_linear" else None,
            sigma=rule.sigma,
        )
        return Detections(found.boxes[kept], scores, found.labels[kept])


def of_classes(found: Detections, labels: Sequence[int] | None) -> Detections:
    """Returns what is of some classes, by their indices; None for all."""
    return found if labels is None else found.rows(np.isin(found.labels, labels))


def _joined(views: Sequence[Detections]) -> Detections:
    if len(views) == 1:
        return views[0]
    return Detections(
        *(np.concatenate([getattr(view, part) for view in views]) for part in ("boxes", "scores", "labels"))
    )
