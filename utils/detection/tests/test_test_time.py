"""Soft-NMS, fusion, mirroring and the class filter: numbers worked by hand, and a plain formulation box by box."""

from dataclasses import replace

import numpy as np
import pytest

from utils.detection.boxes import mirror_boxes
from utils.detection.detections import DetectionClock, Detections
from utils.detection.inputs import InputSettings, fit_image
from utils.detection.network_detector import NetworkDetector
from utils.detection.suppression import suppress
from utils.detection.test_time import keys as test_time
from utils.detection.test_time.fusion import fuse
from utils.detection.test_time.mirror import mirror_content
from utils.detection.test_time.rules import (
    as_described,
    described_labels,
    suppression_rule,
    tools_of,
    wanted_labels,
)
from utils.detection.test_time.selection import Selection, SuppressionRule
from utils.detection.test_time.soft_nms import soft_suppress
from utils.engines.cell_network import CellNetwork
from utils.exporting.description import ModelDescription, Preprocessing
from utils.model_utils.errors import BadValueError

RULE = SuppressionRule(min_score=0.05, nms_threshold=0.5, max_boxes=100)
PLACE = {"scales": (1.0, 1.0), "height": 100, "width": 100}
# Of the first box, 100 pixels, the second shares 80 of 100 (IoU 0.8), the third 40 of 160 (0.25); the fourth is apart.
BOXES = np.array([[0, 0, 10, 10], [0, 0, 10, 8], [0, 6, 10, 16], [50, 50, 60, 60]], np.float32)
SCORES = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
ONE_CLASS = np.zeros(4, np.int32)


def _taken(*outputs, **_place):
    return Detections(*outputs)


def _random(seed, count=120, classes=3):
    draws = np.random.default_rng(seed)
    corner = draws.uniform(0, 60, (count, 2))
    boxes = np.concatenate([corner, corner + draws.uniform(5, 40, corner.shape)], axis=1).astype(np.float32)
    return boxes, draws.random(count).astype(np.float32), draws.integers(0, classes, count).astype(np.int32)


def _iou(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / ((one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared)


def _soft_by_the_paper(boxes, scores, factor):
    """Figure 2 of Bodla et al. for one class, word by word: lists B and S, the largest of S moves to D."""
    boxes, scores, chosen = [list(map(float, box)) for box in boxes], [float(score) for score in scores], []
    while boxes:
        best = max(range(len(scores)), key=scores.__getitem__)
        box, score = boxes.pop(best), scores.pop(best)
        chosen.append((score, box))
        scores = [old * factor(_iou(box, other)) for old, other in zip(scores, boxes, strict=True)]
    return chosen


def test_linear_soft_nms_by_hand():
    """0.8 falls by 1 - 0.8 to 0.16 and is then last; 0.7, at IoU 0.25 below the threshold, and the fourth stay."""
    kept, scores = soft_suppress(BOXES, SCORES, ONE_CLASS, limit=9, min_score=0.05, iou_threshold=0.5)
    assert kept.tolist() == [0, 2, 3, 1]
    np.testing.assert_allclose(scores, [0.9, 0.7, 0.6, 0.16], rtol=1e-6)


def test_gaussian_soft_nms_by_hand():
    """By the first, sigma 0.5: 0.8 exp(-0.64 / 0.5) = 0.22243, 0.7 exp(-0.0625 / 0.5) = 0.61775.

    Then the third, which shares 20 of 160 pixels with the second, lowers it by exp(-0.015625 / 0.5) to 0.21559.
    """
    kept, scores = soft_suppress(BOXES, SCORES, ONE_CLASS, limit=9, min_score=0.05, sigma=0.5)
    assert kept.tolist() == [0, 2, 3, 1]
    np.testing.assert_allclose(scores, [0.9, 0.617748, 0.6, 0.215586], rtol=1e-5)


@pytest.mark.parametrize("method", ["soft_linear", "soft_gaussian"])
def test_soft_nms_is_the_papers_class_by_class(method):
    boxes, scores, labels = _random(3)
    rule = replace(RULE, method=method, sigma=0.4, min_score=0.02)

    def factor(iou):
        return float(np.exp(-(iou**2) / 0.4)) if method == "soft_gaussian" else 1 - iou if iou >= 0.5 else 1.0

    expected = [
        (score, label, box)
        for label in range(3)
        for score, box in _soft_by_the_paper(boxes[labels == label], scores[labels == label], factor)
    ]
    expected = sorted((row for row in expected if row[0] > 0.02), key=lambda row: -row[0])[:100]
    found = Selection(_taken, rule)(boxes, scores, labels, **PLACE)
    np.testing.assert_allclose(found.scores, [score for score, _, _ in expected], rtol=1e-5)
    assert found.labels.tolist() == [label for _, label, _ in expected]
    np.testing.assert_array_equal(found.boxes, np.array([box for _, _, box in expected], np.float32))


def test_soft_nms_ends_at_the_limit_and_at_the_lowest_score():
    assert len(soft_suppress(BOXES, SCORES, ONE_CLASS, limit=2, min_score=0.0, sigma=0.5)[0]) == 2
    assert soft_suppress(BOXES, SCORES, ONE_CLASS, limit=9, min_score=0.6, sigma=0.5)[0].tolist() == [0, 2]
    kept, scores = soft_suppress(BOXES[:0], SCORES[:0], ONE_CLASS[:0], limit=9, min_score=0.0, sigma=0.5)
    assert kept.shape == scores.shape == (0,)


def test_the_plain_rule_selects_what_suppression_alone_keeps():
    boxes, scores, labels = _random(4)
    found = Selection(_taken, RULE)(boxes, scores, labels, **PLACE)
    kept = suppress(boxes, scores, labels, 0.5)[:100]
    assert RULE.is_plain
    np.testing.assert_array_equal(found.boxes, boxes[kept])
    np.testing.assert_array_equal(found.scores, scores[kept])


def test_across_classes_an_object_keeps_one_class():
    labels = np.array([0, 1, 1, 1], np.int32)
    assert Selection(_taken, RULE)(BOXES, SCORES, labels, **PLACE).labels.tolist() == [0, 1, 1, 1]
    across = Selection(_taken, replace(RULE, across_classes=True))(BOXES, SCORES, labels, **PLACE)
    assert across.scores.tolist() == SCORES[[0, 2, 3]].tolist()
    assert across.labels.tolist() == [0, 1, 1]
    soft = Selection(_taken, replace(RULE, across_classes=True, method="soft_linear"))(BOXES, SCORES, labels, **PLACE)
    np.testing.assert_allclose(soft.scores, [0.9, 0.7, 0.6, 0.16], rtol=1e-6)
    assert soft.labels.tolist() == [0, 1, 1, 1]


def test_other_classes_take_no_place_and_suppress_nothing():
    rule = replace(RULE, labels=(1,), across_classes=True, max_boxes=2)
    found = Selection(_taken, rule)(BOXES, SCORES, np.array([0, 1, 1, 1], np.int32), **PLACE)
    assert found.scores.tolist() == SCORES[[1, 2]].tolist()


def test_fusion_by_hand():
    """A pair of IoU 0.8, scores 0.9 and 0.3: the lower side at (0.9 * 10 + 0.3 * 8) / 1.2 = 9.5, score 0.6.

    What one side alone has, has half its score; the same place in another class is no pair.
    """
    first = Detections(BOXES[[0, 3]], np.array([0.9, 0.5], np.float32), np.array([0, 0], np.int32))
    second = Detections(BOXES[[1, 3]], np.array([0.3, 0.4], np.float32), np.array([0, 1], np.int32))
    fused = fuse(first, second, 0.5)
    np.testing.assert_allclose(fused.boxes, [[0, 0, 10, 9.5], BOXES[3], BOXES[3]], rtol=1e-6)
    np.testing.assert_allclose(fused.scores, [0.6, 0.25, 0.2], rtol=1e-6)
    assert fused.labels.tolist() == [0, 0, 1]
    across = fuse(first, second, 0.5, across_classes=True)
    np.testing.assert_allclose(across.scores, [0.6, 0.45], rtol=1e-6)
    assert across.labels.tolist() == [0, 0]
    assert len(fuse(first, second.rows(np.array([], int)), 0.5).scores) == 2
    np.testing.assert_allclose(fuse(first, second, 0.8).scores, [0.45, 0.25, 0.2, 0.15], rtol=1e-6)


def _boxes_by_the_paper(lists, threshold):
    """Weighted boxes fusion (Solovyev et al., section 3), word by word, for one class: list, fused box, clusters."""
    clusters = []
    for score, box in sorted((row for rows in lists for row in rows), key=lambda row: -row[0]):
        overlaps = [_iou(fused, box) for _, fused, _ in clusters]
        if overlaps and max(overlaps) > threshold:
            members = [*clusters[best := overlaps.index(max(overlaps))][2], (score, box)]
        else:
            best, members = len(clusters), [(score, box)]
            clusters.append(None)
        weights = np.array([weight for weight, _ in members])
        fused = (np.array([one for _, one in members]) * weights[:, None]).sum(axis=0) / weights.sum()
        clusters[best] = (weights.mean() * min(len(members), len(lists)) / len(lists), fused, members)
    return sorted(((score, box.tolist()) for score, box, _ in clusters), key=lambda row: -row[0])


def test_fusion_is_weighted_boxes_fusion_of_two():
    draws = np.random.default_rng(8)
    corner = np.stack(np.meshgrid(np.arange(8) * 30.0, np.arange(8) * 30.0), axis=-1).reshape(-1, 2)
    boxes = np.concatenate([corner, corner + 25], axis=1)
    lists = []
    for _ in range(2):
        seen = draws.random(64) < 0.7
        moved = (boxes[seen] + draws.uniform(-1.5, 1.5, (seen.sum(), 4))).astype(np.float32)
        scores = np.sort(draws.random(seen.sum()).astype(np.float32))[::-1]
        lists.append(Detections(moved, scores, np.zeros(seen.sum(), np.int32)))
    expected = _boxes_by_the_paper(
        [list(zip(one.scores.tolist(), one.boxes.tolist(), strict=True)) for one in lists], 0.5
    )
    fused = fuse(*lists, 0.5)
    np.testing.assert_allclose(fused.scores, [score for score, _ in expected], rtol=1e-5)
    np.testing.assert_allclose(fused.boxes, [box for _, box in expected], rtol=1e-5, atol=1e-4)


def test_mirrored_content_is_the_mirrored_picture():
    """The input of a picture, mirrored within its content, is that of the mirrored picture, but for rounded levels."""
    image = np.random.default_rng(1).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    inputs = InputSettings(64, 128, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    (planes, scales), (wanted, _) = fit_image(image, inputs), fit_image(np.ascontiguousarray(image[:, ::-1]), inputs)
    batch = np.stack([planes, planes])
    found = mirror_content(batch, [scales], [(37, 53)])
    assert not np.array_equal(found[0], planes)
    assert np.abs(found[0] - wanted).max() <= 1
    np.testing.assert_array_equal(found[1], planes)
    np.testing.assert_array_equal(mirror_content(found, [scales], [(37, 53)]), batch)


class _Output:
    def __init__(self, values):
        self.values = values

    def asnumpy(self):
        return self.values


class _BrightSpot:
    """A network that finds one box per picture: of the brightest column, more certain where it lies on the left."""

    def __call__(self, images):
        column = images.asnumpy()[:, 0].max(axis=1).argmax(axis=1).astype(np.float32)
        box = np.stack([column, column * 0, column + 1, column * 0 + 8], axis=1)[:, None]
        return _Output(box), _Output((0.9 - column / 100)[:, None]), _Output(np.zeros((len(column), 1), np.int32))


@pytest.mark.parametrize(("merge", "score"), [("nms", 0.87), ("mean", 0.815)])
def test_a_mirrored_picture_gives_mirrored_boxes(merge, score):
    """The spot lies in column 3 of a picture of 18 columns, so in column 14 of its mirror image.

    There it is found with 0.76, and with 0.87 in the picture: the box is the same, its score the higher one or the
    mean.
    """
    images = np.zeros((2, 3, 8, 32), np.float32)
    images[0, :, :, 3] = images[1, :, :, 14] = 1
    rule = replace(RULE, merge=merge)
    detector = NetworkDetector(CellNetwork(_BrightSpot()), Selection(_taken, rule), second_view=mirror_content)
    found = detector.detect(images, scales=[(1.0, 1.0)] * 2, sizes=[(8, 18)] * 2, clock=DetectionClock())
    for one in found:
        np.testing.assert_allclose(one.scores, [score], rtol=1e-6)
    np.testing.assert_array_equal(found[0].boxes, [[3, 0, 4, 8]])
    np.testing.assert_array_equal(mirror_boxes(found[1].boxes, 18), found[0].boxes)


def _description(**postprocessing):
    made = Preprocessing("RGB", "keep_ratio", 8, 8, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "bottom_right")
    return ModelDescription("nas_fpn", "a.mindir", "MINDIR", (), (), made, ("ant", "bee"), (1, 2), postprocessing)


def test_a_description_brings_the_keys_back():
    tools = test_time.TestTimeKeys(nms_method="soft_linear", soft_nms_min_score=0.01, only_classes=("bee",))
    said = as_described(tools)
    assert said == {"nms_method": "soft_linear", "soft_nms_min_score": 0.01, "only_classes": ["bee"]}
    assert as_described(test_time.TestTimeKeys()) == {}
    assert tools_of(_description(**said, min_score=0.1)) == tools
    labels = described_labels(_description(**said))
    rule = suppression_rule(tools, labels, min_score=0.1, nms_threshold=0.5, max_boxes=9)
    assert (rule.min_score, rule.labels, rule.merge, rule.is_plain) == (0.01, (1,), "", False)


@pytest.mark.parametrize(("merge", "method", "min_score"), [("nms", "soft_linear", 0.01), ("mean", "hard", 0.1)])
def test_the_mean_is_of_boxes_that_passed_a_hard_suppression(merge, method, min_score):
    tools = test_time.TestTimeKeys(flip_test=True, flip_merge=merge, nms_method="soft_linear", soft_nms_min_score=0.01)
    rule = suppression_rule(tools, None, min_score=0.1, nms_threshold=0.5, max_boxes=9)
    assert (rule.merge, rule.method, rule.min_score) == (merge, method, min_score)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"nms_method": "loose"}, "settings of 'a.mindir': nms_method is 'loose', wanted one of hard, soft_linear"),
        ({"soft_nms_sigma": 0}, "soft_nms_sigma is 0, wanted a number above 0"),
        ({"flip_test": "perhaps"}, "flip_test is 'perhaps', wanted true or false"),
    ],
)
def test_a_description_that_cannot_be_is_refused(settings, words):
    with pytest.raises(BadValueError, match=words):
        tools_of(_description(**settings))


def test_an_unknown_class_is_refused():
    assert wanted_labels(test_time.TestTimeKeys(), ("ant", "bee")) is None
    tools = test_time.TestTimeKeys(only_classes=("bee", "wasp"))
    with pytest.raises(BadValueError, match="only_classes has 'wasp', and the detector knows 'ant', 'bee': take"):
        wanted_labels(tools, ("ant", "bee"))
    with pytest.raises(
        BadValueError, match="'a.mindir' lists 'wasp' in only_classes, and the model knows 'ant', 'bee': take"
    ):
        described_labels(_description(only_classes=["wasp"]))
