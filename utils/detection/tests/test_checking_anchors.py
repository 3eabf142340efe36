"""Boxes against anchors, compared with all pairs of a brute force; advice worked by hand."""

from pathlib import Path

import numpy as np
import pytest

from utils.checking.findings import Findings, Options
from utils.detection.anchors import make_anchors
from utils.detection.augment import scaled_size
from utils.detection.boxes import box_area, pairwise_intersection
from utils.detection.checking.anchors import AnchorSettings, NetworkInput, add_anchor_faults, best_ious, shown_boxes
from utils.detection.data.record_types import DetectionDataset, ImageRecord

ANCHORS = AnchorSettings((8, 16), (4.0, 6.0), (0.5, 1.0, 2.0), 0.5, "they are not learnt", "anchor_base_scale", 4.0)
INPUT = NetworkInput((128, 256), 128, ("img_shape",), scaled_size)


def dataset_of(*sides: float, count: int = 1) -> DetectionDataset:
    """One picture of 256 x 512, which is shown at half its size, with square boxes of these sides around (192, 192)."""
    boxes = np.array([[192 - side / 2, 192 - side / 2, 192 + side / 2, 192 + side / 2] for side in sides], np.float32)
    boxes = np.tile(boxes, (count, 1))
    record = ImageRecord(1, Path("a.png"), 256, 512, boxes, np.zeros(len(boxes), np.int32), np.zeros(len(boxes), bool))
    return DetectionDataset((record,), ("cat",), (1,), Path("a.json"), Path())


@pytest.mark.parametrize("size", [(128, 256), (100, 90)])
def test_the_best_iou_is_that_of_all_anchors(size):
    draws = np.random.default_rng(0)
    starts = draws.uniform(0, 80, (300, 2))
    boxes = np.concatenate([starts, starts + draws.uniform(1, 120, (300, 2))], axis=1)
    anchors = make_anchors(*size, ANCHORS.strides, ANCHORS.scales, ANCHORS.ratios)
    shared = pairwise_intersection(boxes, anchors)
    iou = shared / (box_area(boxes)[:, None] + box_area(anchors) - shared)
    np.testing.assert_allclose(best_ious(boxes, size, ANCHORS), iou.max(axis=1), rtol=1e-5)


def test_boxes_are_those_that_the_network_is_shown():
    """256 x 512 in 128 x 256: half of each number."""
    np.testing.assert_allclose(shown_boxes(dataset_of(40), scaled_size, (128, 256)), [[86, 86, 106, 106]])


def test_small_boxes_fit_no_anchor_and_smaller_anchors_are_advised():
    """Squares of 32 are shown with 16 pixels: in an anchor of 32 their IoU is 0.25. Anchors of 0.5 times have 16.

    Of the factors from which no box is left, 0.75 gives anchors of 24, whose IoU is 16^2 / 24^2 = 0.44, and 2/3 those
    of 2.7 x 8 = 21.6, whose IoU is 0.55: it changes least. (The boxes are around (96, 96), a centre of stride 8.)
    In 256 x 384, 1.5 times and rounded to multiples of 128, they are shown with 24 pixels: 24^2 / 32^2 = 0.56.
    """
    found = Findings(Options())
    suggested = add_anchor_faults(found, "train", dataset_of(32, count=20), INPUT, ANCHORS)
    (finding,) = found.ordered()
    assert (finding.code, finding.severity, finding.count) == ("boxes-without-anchor", "warning", 20)
    assert "at 128 x 256 (height x width): their best IoU is below 0.5 (100 % of 20 boxes; 100 %" in finding.what
    assert suggested == {"anchor_base_scale": 2.7}
    assert finding.fix == (
        "--anchor_base_scale=2.7 leaves 0 % without one; --img_shape=[256,384] leaves 0 %, with 3 times the work; "
        "they are not learnt"
    )


def test_few_boxes_without_anchor_are_a_note_and_fewer_are_nothing():
    """1 of 40 is 2.5 %, 1 of 120 below 1 %."""
    for num_good, severities in ((39, ["note"]), (119, [])):
        found = Findings(Options())
        assert add_anchor_faults(found, "train", dataset_of(32, *[64] * num_good), INPUT, ANCHORS) == {}
        assert [each.severity for each in found.ordered()] == severities


def test_boxes_below_the_finest_stride_are_said():
    """12 is shown as 6 pixels, below 8."""
    found = Findings(Options())
    add_anchor_faults(found, "train", dataset_of(12, 64, count=3), INPUT, ANCHORS)
    fine = [each for each in found.ordered() if each.code == "boxes-below-stride"]
    assert [(each.count, "50 % of 6 boxes" in each.what) for each in fine] == [(3, True)]
