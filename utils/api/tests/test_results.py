"""Results in COCO's form, as pictures and as text, by numbers worked by hand."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from utils.api.results import DetectionResult, SegmentationResult
from utils.images import read_image
from utils.model_utils.errors import BadValueError

IMAGE = np.full((40, 60, 3), 128, np.uint8)


def boxes(path=None):
    return DetectionResult(
        boxes=np.float32([[1, 2, 11, 22], [0, 0, 5, 5]]),
        scores=np.float32([0.75, 0.25]),
        labels=np.int32([1, 0]),
        names=("ant", "bee"),
        category_ids=(7, 3),
        min_score=0.5,
        image=IMAGE,
        path=path,
    )


def classes(path=None):
    class_map = np.zeros((4, 5), np.uint8)
    class_map[1:3, 2] = 1
    return SegmentationResult(
        class_map=class_map,
        names=("road", "sky", "car"),
        category_ids=(7, 23, 26),
        colours=np.arange(768, dtype=np.uint8).reshape(256, 3),
        image=IMAGE[:4, :5],
        path=path,
    )


def test_boxes_in_coco_form():
    first = {"image_id": 139, "category_id": 3, "bbox": [1, 2, 10, 20], "score": 0.75, "file_name": "000000000139.jpg"}
    rows = boxes(Path("photos/000000000139.jpg")).to_coco()
    assert rows[0] == first
    assert rows[1]["bbox"] == [0, 0, 5, 5]
    assert [row["category_id"] for row in rows] == [3, 7]
    assert boxes(Path("cat.jpg")).to_coco()[0]["image_id"] == 1
    assert boxes().to_coco(image_id=5)[0] == {"image_id": 5, "category_id": 3, "bbox": [1, 2, 10, 20], "score": 0.75}


def test_classes_in_coco_form():
    """Columns are counted from the top: column 2 begins after 8 pixels, its rows 1 and 2 are the 9th and the 10th."""
    from pycocotools import mask

    rows = classes(Path("7.png")).to_coco()
    assert [(row["image_id"], row["category_id"]) for row in rows] == [(7, 7), (7, 23)]
    code = rows[1]["segmentation"]
    uncompressed = mask.frPyObjects({"size": [4, 5], "counts": [9, 2, 9]}, 4, 5)
    assert code == {"size": [4, 5], "counts": uncompressed["counts"].decode()}
    assert mask.area({**rows[0]["segmentation"], "counts": rows[0]["segmentation"]["counts"].encode()}) == 18


def test_boxes_below_the_score_are_not_drawn():
    drawn = np.asarray(boxes().draw())
    assert drawn.shape[0] % 40 == 0  # a small picture is enlarged
    everything = np.asarray(boxes().draw(min_score=0))
    nothing = np.asarray(boxes().draw(min_score=1))
    assert (nothing == 128).all()
    assert (drawn != everything).any()


def test_what_is_saved_is_what_is_drawn(tmp_path):
    file = boxes().save(tmp_path / "new folder" / "found.png")
    assert np.array_equal(read_image(file), boxes().draw())
    file = classes().save(str(tmp_path / "classes.png"))
    assert np.array_equal(read_image(file), classes().draw())
    grey = classes().save(tmp_path / "grey.png", "gray")
    assert np.array_equal(read_image(grey)[..., 0], classes().class_map)
    colours = classes().save(tmp_path / "colours.png", "color")
    assert read_image(colours)[1, 2].tolist() == [3, 4, 5]
    assert classes().save(tmp_path / "lay.jpg").is_file()


def test_an_ending_or_kind_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(BadValueError, match=r"\.png, \.jpg or \.jpeg"):
        boxes().save(tmp_path / "found.gif")
    with pytest.raises(BadValueError, match="would lose classes: pictures of kind gray are written as .png"):
        classes().save(tmp_path / "grey.jpg", "gray")
    with pytest.raises(BadValueError, match="kind is 'grey', wanted one of overlap, color, gray"):
        classes().save(tmp_path / "grey.png", "grey")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("result", [boxes, classes])
def test_the_picture_itself_is_never_overwritten(result, tmp_path):
    """Also by another name of the same file."""
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"the only one")
    (tmp_path / "linked").symlink_to(tmp_path)
    for name in (photo, str(tmp_path / "linked" / "photo.png")):
        with pytest.raises(BadValueError, match="photo.png' would be overwritten by its result: choose another name"):
            result(photo).save(name)
    assert photo.read_bytes() == b"the only one"
    assert result(photo).save(tmp_path / "found.png").is_file()


def test_results_are_frozen_and_say_in_a_line_what_they_are():
    assert repr(boxes(Path("a.jpg"))) == "DetectionResult(2 boxes; from score 0.5: 1 bee, 'a.jpg')"
    assert len(boxes()) == 2
    assert repr(classes()) == "SegmentationResult(4x5: 90% road, 10% sky)"
    with pytest.raises(dataclasses.FrozenInstanceError):
        boxes().scores = None
    empty = dataclasses.replace(boxes(), boxes=np.zeros((0, 4), np.float32), scores=np.float32([]), labels=np.int32([]))
    assert repr(empty) == "DetectionResult(0 boxes; from score 0.5: none)"
    assert empty.to_coco() == []
    assert (np.asarray(empty.draw()) == 128).all()
