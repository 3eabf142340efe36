"""Where the class names of a detector come from."""

import json
import logging
from pathlib import Path

import pytest

from utils.detection.data.class_names import classes_of_weights, resolve_classes
from utils.detection.data.coco_names import COCO_CATEGORY_IDS, COCO_CLASSES
from utils.model_utils.errors import BadValueError


def resolve(count, stored=(), ids=(), configured=None, **options):
    names = {"stored_names": stored, "stored_ids": ids, "configured_names": configured}
    return resolve_classes(count, Path("a.ckpt"), **names, **options)


def test_the_checkpoints_own_come_first():
    classes = resolve(2, ("red", "blue"), (7, 3))
    assert (classes.names, classes.category_ids) == (("red", "blue"), (7, 3))
    assert resolve(2, ("red", "blue"), (7, 3), ("red", "blue")) == classes


def test_the_checkpoints_names_count_whatever_some_of_them_are_asked_for_in_which_order():
    for configured in [("blue", "red"), ("blue",)]:
        assert resolve(2, ("red", "blue"), (7, 3), configured).names == ("red", "blue")


def test_names_that_the_checkpoint_does_not_have_are_refused():
    with pytest.raises(BadValueError, match=r"has 'green', which 'a\.ckpt' was not trained with: .* 'red', 'blue'"):
        resolve(2, ("red", "blue"), (7, 3), ("blue", "green"))
    with pytest.raises(BadValueError, match=r"3 names and 'a\.ckpt' 2 classes"):
        resolve(2, ("red", "blue"), (7, 3), ("blue", "red", "green"))
    assert resolve(2, ("red", "blue"), (7, 3), ("blue", "green"), allow_unknown=True).names == ("red", "blue")


def test_configured_names_serve_a_checkpoint_without():
    assert resolve(2, configured=("a", "b")).names == ("a", "b")
    assert resolve(2, configured=("a", "b")).category_ids == (1, 2)
    with pytest.raises(BadValueError, match=r"3 names and 'a\.ckpt' 2 classes"):
        resolve(2, configured=("a", "b", "c"))


def test_eighty_classes_are_cocos_and_others_are_numbered(caplog):
    caplog.set_level(logging.INFO)
    assert resolve(80).names == COCO_CLASSES
    assert resolve(80).category_ids == COCO_CATEGORY_IDS
    caplog.clear()
    assert resolve(3).names == ("class_0", "class_1", "class_2")
    assert len(caplog.records) == 1
    assert "class_0 to class_2" in caplog.text


def test_cocos_category_ids_run_from_1_to_90_with_gaps(shared_data):
    content = json.loads((shared_data / "coco_subset" / "annotations" / "instances_val2017.json").read_text())
    assert [row["id"] for row in content["categories"]] == list(COCO_CATEGORY_IDS)
    assert [row["name"] for row in content["categories"]] == list(COCO_CLASSES)


def of_weights(count, stored=(), configured=None):
    return classes_of_weights(count, Path("a.pth"), stored_names=stored, configured_names=configured)


def test_names_of_published_weights():
    """The file's in their order, else those that are configured, else COCO's where it has as many; ids of COCO's 80."""
    assert of_weights(3, ("zebra", "apple", "car")) == (("zebra", "apple", "car"), ())
    assert of_weights(3) == ((), ())
    assert of_weights(3, COCO_CLASSES) == ((), ())  # of the data set that it was fine-tuned from
    assert of_weights(3, (), ("a", "b", "c")) == (("a", "b", "c"), ())
    assert of_weights(3, ("x", "y", "z"), ("a", "b", "c")) == (("a", "b", "c"), ())
    assert of_weights(80) == (COCO_CLASSES, COCO_CATEGORY_IDS)
    assert of_weights(80, COCO_CLASSES) == (COCO_CLASSES, COCO_CATEGORY_IDS)
    assert of_weights(80, COCO_CLASSES[::-1]) == (COCO_CLASSES[::-1], COCO_CATEGORY_IDS[::-1])
    others = tuple(f"part {number}" for number in range(80))
    assert of_weights(80, others) == (others, ())


def test_names_that_published_weights_cannot_have():
    with pytest.raises(BadValueError, match="in the order 'zebra', 'apple', 'car': set coco_classes to null"):
        of_weights(3, ("zebra", "apple", "car"), ("apple", "car", "zebra"))
    with pytest.raises(BadValueError, match="coco_classes has 2 names and 'a.pth' 3 classes"):
        of_weights(3, (), ("a", "b"))
    with pytest.raises(BadValueError, match="category id 3, wanted the names"):
        of_weights(1, (), (3,))
