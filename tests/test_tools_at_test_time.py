"""Detectors with mirrored pictures, other suppression and a class filter, through eval.py, the API and exports."""

import numpy as np
import pytest

from tests.suites import FASTER_RCNN, NAS_FPN
from tests.test_detector_evaluation import evaluated
from utils.api import load
from utils.detection.boxes import mirror_boxes
from utils.detection.test_time.keys import keys_at_test_time
from utils.detection.tests.tiny_coco import write_coco
from utils.exporting.description import ModelDescription, Preprocessing
from utils.model_utils.errors import BadValueError

pytestmark = pytest.mark.end_to_end
FLIP = {"test_score_thr": 0.01, "flip_test": True, "flip_merge": "mean"}


@pytest.mark.parametrize("suite", [NAS_FPN], ids=str)
def test_an_evaluation_of_one_class_counts_it_alone(suite, checkpoint, tmp_path, caplog):
    data = write_coco(tmp_path / "coco data", {"train2017": 1, "val2017": 3})
    tools = ("--flip_test=True", "--nms_method=soft_linear", "--soft_nms_sigma=1")
    result, predictions = evaluated(suite, data, checkpoint, tmp_path / "one", "--only_classes=['blue']", *tools)
    assert list(result["per_class"]) == ["blue"]
    assert {row["category_id"] for row in predictions} == {3}
    assert "only_classes: 1 class of 2 in the metric" in caplog.text
    assert "soft_nms_sigma has no effect here, it acts only if nms_method is soft_gaussian" in caplog.text
    with pytest.raises(BadValueError, match="only_classes has 'green', and the detector knows 'red', 'blue': take"):
        evaluated(suite, data, checkpoint, tmp_path / "refused", "--only_classes=[green]")
    assert not (tmp_path / "refused" / "records").exists()


@pytest.mark.parametrize("suite", [FASTER_RCNN], ids=str)
def test_a_mirrored_picture_has_the_mirrored_detections(suite, checkpoint):
    """A picture of the size of the network's input, so that nothing is resized: both views of it are the same two."""
    keys = [argument[2:].split("=", 1) for argument in suite.tiny.TINY_NETWORK]
    model = load(checkpoint, **dict(keys), **FLIP)
    height, width = model._engine.inputs.size
    picture = np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)
    found, mirrored = model(picture), model(np.ascontiguousarray(picture[:, ::-1]))
    assert len(found) > 5
    np.testing.assert_allclose(mirrored.scores, found.scores, rtol=1e-4)
    np.testing.assert_allclose(mirror_boxes(mirrored.boxes, width), found.boxes, atol=0.05)
    assert mirrored.labels.tolist() == found.labels.tolist()


def described(suite, **tools):
    settings = {"min_score": 0.1, "nms_threshold": 0.5, "nms_pre": 9, "max_boxes": 9, "anchors_per_level": [3], **tools}
    made = Preprocessing("RGB", "keep_ratio", 8, 8, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "bottom_right")
    return ModelDescription(suite.name, "a.mindir", "MINDIR", (), (), made, ("ant", "bee"), (1, 2), settings)


def test_an_exported_nas_fpn_is_selected_from_as_its_description_says():
    """Three boxes of one class, the second with IoU 0.8 to the first: 0.8 * (1 - 0.8) = 0.16 is above 0.1."""
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 8], [50, 50, 60, 60]], np.float32)
    scores = np.array([[0.9, 0.0], [0.8, 0.0], [0.0, 0.6]], np.float32)
    place = {"scales": (1.0, 1.0), "height": 100, "width": 100}
    selection, found = NAS_FPN.part("score").selection, []
    for tools in ({}, {"nms_method": "soft_linear"}, {"only_classes": ["bee"]}):
        select, rule = selection(described(NAS_FPN, **tools))
        found.append(select(boxes, scores, **place).scores)
        assert not rule.merge
    for one, expected in zip(found, ([0.9, 0.6], [0.9, 0.6, 0.16], [0.6]), strict=True):
        np.testing.assert_allclose(one, expected, rtol=1e-6)
    select, rule = selection(described(NAS_FPN, flip_test=True))
    mirrored = mirror_boxes(boxes, 100)
    assert rule.merge == "nms"
    np.testing.assert_allclose(select(boxes, scores, mirrored, scores, **place).scores, [0.9, 0.6], rtol=1e-6)


def test_an_exported_faster_rcnn_leaves_classes_out_that_are_not_wanted():
    slots = np.zeros((3, 4), np.float32), np.array([0.9, 0.8, 0.0], np.float32), np.array([0, 1, 0], np.int32)
    select = FASTER_RCNN.part("score").selection(described(FASTER_RCNN, only_classes=["bee"]))
    assert select(*slots, scales=(1.0, 1.0), height=9, width=9).labels.tolist() == [1]


def test_keys_that_the_mean_leaves_without_effect_are_said():
    typed = ("--flip_test=True", "--flip_merge=mean", "--nms_method=soft_gaussian", "--soft_nms_sigma=0.4")
    said = list(keys_at_test_time(NAS_FPN.part("config").load(typed)).idle_tools())
    ending = "has no effect here, it acts only if flip_merge is nms"
    assert said == [f"{key} {ending}" for key in ("nms_method", "soft_nms_sigma")]
