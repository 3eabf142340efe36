"""LabelMe and Supervisely become boxes and labels; pixels follow the rule of `shapes.py` and are counted by hand."""

import base64
import json

import numpy as np
import pytest

from utils.forms.outlines.shapes import Disk, mask_of
from utils.forms.tests.samples import (
    class_names,
    converted,
    label_of,
    labelme,
    picture,
    png_bytes,
    shape,
    supervisely_bitmap,
    text,
)
from utils.forms.tests.test_boxes_forms import run
from utils.model_utils.errors import BadValueError


def write_labelme(root):
    """Three pictures: one beside its file, one by a path of another machine, one inside its file."""
    picture(root / "a.jpg", 1)
    picture(root / "pictures" / "b.png", 2)
    inside = np.zeros((20, 30, 3), np.uint8)
    text(
        root / "a.json",
        labelme(
            [
                shape("leaf", [[0, 0], [4, 0], [0, 4]]),
                shape("stem", [[30, 20], [10, 5]], "rectangle"),
                shape("fruit", [[40, 20], [43, 24]], "circle"),
                shape("leaf", [[50, 0], [52, 0], [52, 2], [50, 2]], group_id=1),
                shape("leaf", [[55, 0], [57, 0], [57, 2], [55, 2]], group_id=1),
                shape("tip", [[1, 1]], "point"),
                shape("__ignore__", [[0, 38], [2, 38], [2, 40], [0, 40]]),
                shape("stem", [[3, 3], [1]]),
            ],
            imagePath="a.jpg",
            imageData=None,
            imageHeight=40,
            imageWidth=60,
        ),
    )
    text(
        root / "b.json", labelme([shape("stem", [[1, 2], [3, 6]], "rectangle")], imagePath="C:\\work\\pictures\\b.png")
    )
    data = base64.b64encode(png_bytes(inside)).decode()
    mask = base64.b64encode(png_bytes(np.array([[0, 255], [255, 255]], np.uint8))).decode()
    shapes = [shape("leaf", [[5, 6], [6, 7]], "mask", mask=mask)]
    text(root / "c.json", labelme(shapes, imagePath="gone.jpg", imageData=data, imageHeight=20, imageWidth=30))
    text(root / "d.json", labelme([], imagePath="gone.jpg", imageData=None))
    text(root / "e.json", "{")
    return root


def test_labelme_to_boxes(tmp_path):
    """The circle has radius 5; both squares of group 1 are one object; the mask has columns 5 and 6, rows 6 and 7."""
    said = run(write_labelme(tmp_path / "labelme"), tmp_path / "out", val_share=0)
    assert converted(tmp_path / "out") == {
        "a.jpg": [
            ("leaf", (0, 0, 4, 4), 0),
            ("stem", (10, 5, 30, 20), 0),
            ("fruit", (35, 15, 45, 25), 0),
            ("leaf", (50, 0, 57, 2), 0),
        ],
        "b.png": [("stem", (1, 2, 3, 6), 0)],
        "c.png": [("leaf", (5, 6, 7, 8), 0)],
    }
    rows = json.loads((tmp_path / "out" / "annotations" / "instances_train2017.json").read_text())["annotations"]
    assert [round(each["area"], 3) for each in rows] == [8, 300, round(25 * np.pi, 3), 8, 3, 8]
    assert rows[3]["segmentation"] == [[50, 0, 52, 0, 52, 2, 50, 2], [55, 0, 57, 0, 57, 2, 55, 2]]
    for line in (
        "form: LabelMe (--form labelme): 5 JSON files, a.json has 'shapes'",
        "1 shape of the kind 'point', which has no area (first: a.json)",
        "1 shape that cannot be read (first: a.json)",
        "1 JSON file without a picture (first: d.json)",
        "1 JSON file that cannot be read (first: e.json: ",
        "1 region to be ignored, which boxes cannot express (first: a.jpg)",
        "1 picture taken out of a JSON file (first: c.json)",
    ):
        assert line in said


def test_masks_and_circles_of_one_group_are_one_object(tmp_path):
    """The mask has 3 pixels, the circle of radius 2 has 12, the rectangle 4 of which one is the mask's: 18 together."""
    source = tmp_path / "labelme"
    picture(source / "a.jpg")
    mask = base64.b64encode(png_bytes(np.array([[0, 255], [255, 255]], np.uint8))).decode()
    shapes = [
        shape("leaf", [[5, 6], [6, 7]], "mask", mask=mask, group_id=1),
        shape("stem", [[5, 6], [6, 7]], "rectangle", group_id=1),
        shape("leaf", [[20, 10], [22, 10]], "circle", group_id=1),
        shape("leaf", [[6, 7], [8, 9]], "rectangle", group_id=1),
        shape("leaf", [[70, 10], [71, 10]], "circle", group_id=2),
        shape("leaf", [[80, 10], [82, 10]], "circle", group_id=2),
    ]
    text(source / "a.json", labelme(shapes, imagePath="a.jpg"))
    said = run(source, tmp_path / "out", val_share=0)
    assert converted(tmp_path / "out") == {"a.jpg": [("leaf", (5, 6, 22, 12), 0), ("stem", (5, 6, 6, 7), 0)]}
    rows = json.loads((tmp_path / "out" / "annotations" / "instances_train2017.json").read_text())["annotations"]
    assert rows[0]["area"] == 3 + 12 + 4 - 1
    assert "1 box without area (first: a.jpg)" in said  # both circles of group 2 lie outside


def test_labelme_to_labels(tmp_path):
    """Classes in alphabetical order behind the background: fruit 1, leaf 2, stem 3."""
    said = run(write_labelme(tmp_path / "labelme"), tmp_path / "out", target="cityscapes", val_share=0)
    wanted = np.zeros((40, 60), np.uint8)
    wanted[:4, :4][np.tri(4, 4, -1, bool)[::-1]] = 2  # 3, 2, 1 and 0 centres left of the diagonal
    wanted[5:20, 10:30] = 3
    wanted[mask_of(Disk((40, 20), 5), (40, 60))] = 1
    wanted[:2, 50:52] = wanted[:2, 55:57] = 2
    wanted[38:, :2] = 255
    np.testing.assert_array_equal(label_of(tmp_path / "out", "a"), wanted)
    label = label_of(tmp_path / "out", "c")
    assert (label[6:8, 5:7] == [[0, 2], [2, 2]]).all() and (label > 0).sum() == 3
    assert (
        "pixels outside all objects are background (0); a pixel belongs to a polygon if its centre lies inside" in said
    )
    assert class_names(tmp_path / "out", said) == ["background", "fruit", "leaf", "stem"]
    run(tmp_path / "labelme", tmp_path / "none", target="cityscapes", val_share=0, has_background=False)
    expected = np.where(wanted == 0, 255, np.where(wanted == 255, 255, wanted - 1))
    np.testing.assert_array_equal(label_of(tmp_path / "none", "a"), expected)


def test_a_list_of_labelmes_classes_gives_their_order(tmp_path):
    source = tmp_path / "labelme"
    picture(source / "a.jpg")
    text(source / "labels.txt", "__ignore__\n_background_\nstem\nleaf\n")
    later = [shape("leaf", [[0, 0], [4, 4]], "rectangle"), shape("stem", [[2, 2], [6, 6]], "rectangle")]
    text(source / "a.json", labelme([*later, shape("_background_", [[3, 3], [4, 4]], "rectangle")], imagePath="a.jpg"))
    run(source, tmp_path / "out", target="cityscapes", val_share=0)
    label = label_of(tmp_path / "out", "a")
    assert label[:7, :7].tolist() == [
        [2, 2, 2, 2, 0, 0, 0],
        [2, 2, 2, 2, 0, 0, 0],
        [2, 2, 1, 1, 1, 1, 0],  # a later object covers an earlier one
        [2, 2, 1, 0, 1, 1, 0],
        [0, 0, 1, 1, 1, 1, 0],
        [0, 0, 1, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ]
    said = run(source, tmp_path / "boxes", val_share=0)
    assert [name for name, _, _ in converted(tmp_path / "boxes")["a.jpg"]] == ["leaf", "stem"]
    assert "1 object of '_background_', which is no class of the boxes (first: a.jpg)" in said
    with pytest.raises(BadValueError, match="--strict"):
        run(source, tmp_path / "strict", val_share=0, is_strict=True)
    run(source, tmp_path / "labels", target="cityscapes", val_share=0, is_strict=True)  # which have it


def test_outlines_are_cut_with_their_boxes(tmp_path):
    """Of 80 x 40 pixels half lies inside; of a triangle 20 high a smaller one of 10 x 10; of the last nothing."""
    source = tmp_path / "labelme"
    picture(source / "a.jpg")
    shapes = [
        shape("leaf", [[-40, 0], [40, 0], [40, 40], [-40, 40]]),
        shape("stem", [[-10, 0], [10, 0], [-10, 20]]),
        shape("fruit", [[0, 20], [3, 24]], "circle"),
        shape("leaf", [[-9, 90], [-9, -9], [90, -9], [-8, -8]]),
    ]
    text(source / "a.json", labelme(shapes, imagePath="a.jpg"))
    said = run(source, tmp_path / "out", val_share=0)
    assert "1 box outside the picture (first: a.jpg)" in said
    assert "3 boxes cut at the border of the picture (first: a.jpg)" in said
    rows = json.loads((tmp_path / "out" / "annotations" / "instances_train2017.json").read_text())["annotations"]
    assert [each["bbox"] for each in rows] == [[0, 0, 40, 40], [0, 0, 10, 10], [0, 15, 5, 10]]
    pixels = mask_of(Disk((0, 20), 5), (40, 60)).sum()
    assert [each["area"] for each in rows] == [1600, 50, pixels]
    assert sorted(map(tuple, np.reshape(rows[1]["segmentation"], (-1, 2)).tolist())) == [(0, 0), (0, 10), (10, 0)]
    assert all(each["area"] <= each["bbox"][2] * each["bbox"][3] for each in rows)


def write_supervisely(root):
    picture(root / "ds" / "img" / "a.jpg")
    classes = [{"title": name, "shape": "any", "color": "#FF0000"} for name in ("tree", "lake")]
    text(root / "meta.json", {"classes": classes, "tags": []})
    hole = {
        "exterior": [[10, 10], [20, 10], [20, 20], [10, 20]],
        "interior": [[[12, 12], [14, 12], [14, 14], [12, 14]]],
    }
    objects = [
        supervisely_bitmap("lake", np.array([[0, 1, 1], [0, 1, 0]], bool), (30, 5)),
        {"classTitle": "tree", "geometryType": "polygon", "points": hole},
        {"classTitle": "tree", "geometryType": "rectangle", "points": {"exterior": [[9, 39], [0, 30]], "interior": []}},
        {"classTitle": "tree", "geometryType": "line", "points": {"exterior": [[0, 0], [1, 1]], "interior": []}},
        {"classTitle": "lake", "geometryType": "bitmap", "bitmap": {"data": "AAAA", "origin": [0, 0]}},
    ]
    content = {"size": {"height": 40, "width": 60}, "tags": [{"name": "train"}], "objects": objects}
    text(root / "ds" / "ann" / "a.jpg.json", content)
    return root


def test_supervisely(tmp_path):
    """Corners of a rectangle are pixels, both of which belong to it: 0 to 9 is 10 wide."""
    said = run(write_supervisely(tmp_path / "project"), tmp_path / "out")
    assert converted(tmp_path / "out")["a.jpg"] == [
        ("lake", (31, 5, 33, 7), 0),
        ("tree", (10, 10, 20, 20), 0),
        ("tree", (0, 30, 10, 40), 0),
    ]
    assert "form: Supervisely (--form supervisely): 1 JSON file, ds/ann/a.jpg.json has 'objects' and 'size'" in said
    assert "1 object of the kind 'line', which has no area" in said and "1 object that cannot be read" in said
    run(tmp_path / "project", tmp_path / "labels", target="cityscapes")
    label = label_of(tmp_path / "labels", "a")
    assert [(label == value).sum() for value in (1, 2)] == [100 - 4 + 100, 3]
    assert label[13, 13] == 0 and label[5, 31] == 2


def test_tags_of_supervisely_name_the_split_of_a_picture(tmp_path):
    source = write_supervisely(tmp_path / "project")
    content = json.loads((source / "ds" / "ann" / "a.jpg.json").read_text())
    for name, tag in (("b", "Val"), ("c", "test"), ("d", "train")):
        picture(source / "ds" / "img" / f"{name}.jpg")
        text(source / "ds" / "ann" / f"{name}.jpg.json", content | {"tags": [{"name": "blurred"}, {"name": tag}]})
    said = run(source, tmp_path / "out")
    assert "(as in the source)" in said
    found = [list(converted(tmp_path / "out", split)) for split in ("train", "val", "test")]
    assert found == [["a.jpg", "d.jpg"], ["b.jpg"], ["c.jpg"]]


def test_inline_pictures_do_not_make_a_file_that_is_refused_half_written(tmp_path):
    source = tmp_path / "labelme"
    text(source / "a.json", labelme([shape("leaf", [[0, 0], [4, 0], [0, 4]])], imageData="AAAA"))
    with pytest.raises(BadValueError, match="0 pictures of the source can be used"):
        run(source, tmp_path / "out")
    assert [each.name for each in tmp_path.iterdir()] == ["labelme"]
