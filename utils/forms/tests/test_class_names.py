"""Each class has a name of its own and one that can be written, in every form; what is changed for that is said."""

import pytest

from utils.forms.class_lists import told_apart
from utils.forms.tally import Tally
from utils.forms.tests.samples import class_names, converted, grey, labelme, picture, shape, text, voc_xml
from utils.forms.tests.test_boxes_forms import coco, run
from utils.forms.tests.test_label_forms import blocks

RENAMED = "with the name of another one: a number behind it tells them apart (first: "
UNNAMED = "1 class without a name: called 'unnamed' (first: number {})"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a (1)", "a (2)"]),
        (["a", "a", "a (1)"], ["a", "a (1) (1)", "a (1)"]),
        (["a  b", "a b ", "c\td"], ["a b", "a b (1)", "c d"]),
        (["", "  ", "unnamed"], ["unnamed", "unnamed (1)", "unnamed (2)"]),
    ],
)
def test_names_are_told_apart(names, expected):
    assert list(told_apart(names, Tally())) == expected


def write_numbered(form, source, names):
    """Writes a box of class 0, 1 and 2 each, 10 pixels wide, side by side; for label pictures from 0 on."""
    picture(source / "images" / "a.jpg")
    if form == "yolo":
        rows = [f"{number} {(number + 0.5) / 6} 0.5 {1 / 6} 1" for number in range(3)]
        text(source / "labels" / "a.txt", "\n".join(rows))
        text(source / "data.yaml", f"names: {names}\n")
    elif form == "labels":
        grey(source / "masks" / "a.png", blocks(0, 1, 2))
        text(source / "class_names.txt", "\n".join(names))
    else:
        boxes = [(0, number, [10 * number, 0, 10, 40], {}) for number in range(3)]
        text(source / "a.json", coco(["a.jpg"], boxes, [{"id": n, "name": name} for n, name in enumerate(names)]))


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("yolo", ["RBC", "RBC (1)", "WBC"]),
        ("labels", ["RBC", "RBC (1)", "WBC"]),
        ("coco", ["RBC (0)", "RBC (1)", "WBC"]),
    ],
)
def test_a_repeated_name_gets_its_number_and_that_is_said(tmp_path, form, expected):
    write_numbered(form, tmp_path / "set", ["RBC", "RBC", "WBC"])
    said = run(tmp_path / "set", tmp_path / "out", val_share=0, target="coco")
    assert [name for name, *_ in converted(tmp_path / "out")["a.jpg"]] == expected
    assert RENAMED in said
    run(tmp_path / "set", tmp_path / "strict", val_share=0, is_strict=True)  # nothing is left out


@pytest.mark.parametrize("form", ["yolo", "coco"])
@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_name_of_a_number_is_unnamed(tmp_path, form, blank):
    write_numbered(form, tmp_path / "set", ["RBC", "WBC", blank])
    said = run(tmp_path / "set", tmp_path / "out", val_share=0, target="cityscapes")
    assert class_names(tmp_path / "out", said) == ["background", "RBC", "WBC", "unnamed"]
    assert UNNAMED.format(2) in said


@pytest.mark.parametrize("form", ["voc", "labelme", "supervisely"])
@pytest.mark.parametrize("blank", ["", "  "])
def test_an_object_without_a_name_is_unnamed(tmp_path, form, blank):
    source = tmp_path / "set"
    picture(source / ("img" if form == "supervisely" else "") / "a.jpg")
    boxes = [("cat", [[19, 0], [29, 9]]), (blank, [[0, 0], [9, 9]])]
    if form == "voc":
        text(source / "a.xml", voc_xml([("cat", 20, 1, 29, 9, 0), (blank, 1, 1, 9, 9, 0)]))
    elif form == "labelme":
        text(
            source / "a.json", labelme([shape(name, points, "rectangle") for name, points in boxes], imagePath="a.jpg")
        )
    else:
        objects = [
            {"classTitle": name, "geometryType": "rectangle", "points": {"exterior": [[x1, y1], [x2 - 1, y2 - 1]]}}
            for name, ((x1, y1), (x2, y2)) in boxes
        ]
        text(source / "ann" / "a.jpg.json", {"size": {"height": 40, "width": 60}, "tags": [], "objects": objects})
    said = run(source, tmp_path / "out", val_share=0)
    assert converted(tmp_path / "out")["a.jpg"] == [("cat", (19, 0, 29, 9), 0), ("unnamed", (0, 0, 9, 9), 0)]
    assert UNNAMED.format(1) in said
