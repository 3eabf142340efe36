"""A picture is found where it may lie, and none of the same name that belongs to another annotation takes its place."""

import base64

import numpy as np
import pytest

from utils.forms.tests.samples import converted, grey, label_of, labelme, picture, shape, text, voc_xml
from utils.forms.tests.test_boxes_forms import coco, run
from utils.model_utils.errors import BadValueError

CAT = [{"id": 1, "name": "cat"}]


def square(left):
    """A box of 10 x 10 that says by its left edge which annotation it is of."""
    return [left, 5, left + 10, 15]


def write_file(form, folder, name, left, picture_name):
    """Writes the annotation of one picture into a folder, or beside `img` in `ann`."""
    box = square(left)
    if form == "voc":
        text(folder / f"{name}.xml", voc_xml([("cat", box[0] + 1, 6, box[2], 15, 0)], filename=picture_name))
    elif form == "labelme":
        content = labelme([shape("cat", [box[:2], box[2:]], "rectangle")], imagePath=picture_name)
        text(folder / f"{name}.json", content)
    else:
        points = {"exterior": [box[:2], [box[2] - 1, 14]], "interior": []}
        objects = [{"classTitle": "cat", "geometryType": "rectangle", "points": points}]
        text(folder / f"{name}.jpg.json", {"size": {"height": 40, "width": 60}, "tags": [], "objects": objects})


def lefts(out, split="train"):
    """Returns the left edge of the one box of each picture."""
    return {name: boxes[0][1][0] for name, boxes in converted(out, split).items()}


@pytest.mark.parametrize("form", ["voc", "labelme", "supervisely", "coco", "coco in folders", "roboflow"])
def test_a_missing_picture_is_not_replaced_by_that_of_another_split(tmp_path, form):
    """train has 0 to 2 at 0, 1 and 2, val at 10, 11 and 12; train's 2 is missing."""
    source = tmp_path / "source"
    for first, split in ((0, "train"), (10, "valid" if form == "roboflow" else "val")):
        names = [f"{number:04d}.jpg" for number in range(3)]
        inner = source / {"supervisely": f"{split}/img", "roboflow": split}.get(form, f"images/{split}")
        for number, name in enumerate(names):
            if first or number < 2:
                picture(inner / name, first + number)
            if form in ("voc", "labelme", "supervisely"):
                folder = source / (f"{split}/ann" if form == "supervisely" else f"annotations/{split}")
                write_file(form, folder, name[:4], first + number, name)
        if form not in ("voc", "labelme", "supervisely"):
            listed = [f"{split}/{name}" if form == "coco in folders" else name for name in names]
            rows = [(number, 1, [first + number, 5, 10, 10], {}) for number in range(3)]
            place = f"{split}/_annotations.coco.json" if form == "roboflow" else f"annotations/instances_{split}.json"
            text(source / place, coco(listed, rows, CAT))
    said = run(source, tmp_path / "out")
    assert lefts(tmp_path / "out") == {"0000.jpg": 0, "0001.jpg": 1}
    assert lefts(tmp_path / "out", "val") == {"0000.jpg": 10, "0001.jpg": 11, "0002.jpg": 12}
    assert "left out:\n  1 " in said and "of a picture that an earlier one has too" not in said


@pytest.mark.parametrize("form", ["voc", "labelme"])
def test_a_picture_that_another_annotation_has_by_its_own_name_is_not_taken(tmp_path, form):
    """0 says that its picture is 3, which 3 has; where nothing else says so, as of 5, it is believed."""
    source = tmp_path / "source"
    for number in (1, 2, 3, 4):
        picture(source / f"{number}.jpg", number)
    for number, named in ((0, 3), (1, 1), (2, 2), (3, 3), (5, 4)):
        write_file(form, source, str(number), number, f"{named}.jpg")
    said = run(source, tmp_path / "out", val_share=0)
    assert lefts(tmp_path / "out") == {"1.jpg": 1, "2.jpg": 2, "3.jpg": 3, "4.jpg": 5}
    assert "1 picture missing: the only one of its name belongs to another annotation (first: 0." in said


def test_labelme_files_that_were_renamed_with_their_pictures(tmp_path):
    """a and b became b and c, and still name what they were called; d names one of another name."""
    source = tmp_path / "source"
    for number, name in enumerate(("b", "c", "e")):
        picture(source / f"{name}.jpg", number)
    write_file("labelme", source, "b", 1, "a.jpg")
    write_file("labelme", source, "c", 2, "b.jpg")
    write_file("labelme", source, "d", 3, "e.jpg")
    run(source, tmp_path / "out", val_share=0, is_strict=True)
    assert lefts(tmp_path / "out") == {"b.jpg": 1, "c.jpg": 2, "e.jpg": 3}


def test_labelme_files_that_hold_their_pictures_do_not_take_those_of_others(tmp_path):
    """cam1 has no pictures but those in its files, cam2's lie in another folder."""
    source = tmp_path / "source"
    for index, folder in enumerate(("cam1", "cam2")):
        for number in range(2):
            made = picture(tmp_path / folder / f"{number}.jpg", 10 * index + number)
            box = square(10 * index + number)
            content = labelme([shape("cat", [box[:2], box[2:]], "rectangle")], imagePath=f"{number}.jpg")
            content["imageData"] = base64.b64encode(made.read_bytes()).decode()
            text(source / "json" / folder / f"{number}.json", content)
            if folder == "cam2":
                picture(source / "pictures" / f"{number}.jpg", 10 * index + number)
    run(source, tmp_path / "out", val_share=0, is_strict=True)
    assert lefts(tmp_path / "out") == {
        "json_cam1_0.jpg": 0,
        "json_cam1_1.jpg": 1,
        "pictures_0.jpg": 10,
        "pictures_1.jpg": 11,
    }


def test_an_entry_of_coco_does_not_take_the_picture_of_another_one(tmp_path):
    """The pictures of cam1/2.jpg and a.png are missing; cam2/2.jpg and a.jpg have entries of their own."""
    source = tmp_path / "source"
    names = ["cam1/1.jpg", "cam1/2.jpg", "cam2/1.jpg", "cam2/2.jpg", "a.png", "a.jpg"]
    for number, name in enumerate(names):
        if number not in (1, 4):
            picture(source / "images" / name, number)
    rows = [(number, 1, [number, 5, 10, 10], {}) for number in range(6)]
    text(source / "annotations" / "instances_default.json", coco(names, rows, CAT))
    said = run(source, tmp_path / "out", val_share=0)
    assert lefts(tmp_path / "out") == {"images_cam1_1.jpg": 0, "images_cam2_1.jpg": 2, "2.jpg": 3, "a.jpg": 5}
    assert "2 pictures missing: the only one of its name belongs to another annotation (first: " in said


@pytest.mark.parametrize("form", ["voc", "labelme"])
@pytest.mark.parametrize(
    ("pictures", "annotations", "folders"),
    [
        ("JPEGImages", "Annotations", ("cam1", "cam2")),
        ("images", "annotations", ("train", "val")),
        ("img", "json", ("day1/cam1", "day1/cam2", "day2/cam1")),
    ],
)
def test_mirrored_folders_of_the_same_names(tmp_path, form, pictures, annotations, folders):
    source = tmp_path / "source"
    for index, folder in enumerate(folders):
        for number in range(2):
            picture(source / pictures / folder / f"{number:04d}.jpg", number)
            write_file(form, source / annotations / folder, f"{number:04d}", 10 * index + number, f"{number:04d}.jpg")
    (source / pictures / folders[0] / "0001.jpg").unlink()
    said = run(source, tmp_path / "out", val_share=0)
    found = [edge for split in ("train", "val") if (tmp_path / "out" / f"{split}2017").exists()
             for edge in lefts(tmp_path / "out", split).values()]  # fmt: skip
    assert sorted(found) == [
        10 * index + number for index in range(len(folders)) for number in range(2) if index or not number
    ]
    assert f"without a picture (first: {annotations}/{folders[0]}/0001." in said


@pytest.mark.parametrize("form", ["voc", "labelme"])
def test_a_folder_of_copies_is_passed_over(tmp_path, form):
    source = tmp_path / "source"
    for number in range(3):
        picture(source / "JPEGImages" / f"{number}.jpg", number)
        picture(source / "backup" / f"{number}.jpg", number)
        write_file(form, source / "Annotations", str(number), number, f"{number}.jpg")
    run(source, tmp_path / "out", val_share=0)
    assert lefts(tmp_path / "out") == {"0.jpg": 0, "1.jpg": 1, "2.jpg": 2}
    assert (tmp_path / "out" / "train2017" / "0.jpg").resolve() == (source / "JPEGImages" / "0.jpg").resolve()


def test_stray_files_among_pictures_and_annotations_do_not_part_them(tmp_path):
    source = tmp_path / "source"
    for number in range(12):
        picture(source / "images" / f"{number}.jpg", number)
        write_file("labelme", source / "json", str(number), number, f"{number}.jpg")
    picture(source / "json" / "preview.jpg")
    text(source / "images" / "notes.json", "{}")
    run(source, tmp_path / "out", val_share=0)
    assert lefts(tmp_path / "out") == {f"{number}.jpg": number for number in range(12)}


def test_an_entry_of_coco_that_may_be_of_two_pictures_says_so(tmp_path):
    source = tmp_path / "source"
    for name in ("x/a.jpg", "y/a.jpg", "b.jpg"):
        picture(source / name)
    rows = [(number, 1, [number, 5, 10, 10], {}) for number in range(2)]
    text(source / "all.json", coco(["a.jpg", "b.jpg"], rows, CAT))
    said = run(source, tmp_path / "out", val_share=0)
    assert "1 entry that may be of several pictures: they have the same name (first: all.json: a.jpg)" in said
    assert lefts(tmp_path / "out") == {"b.jpg": 1}


def test_what_may_be_of_two_pictures_says_so(tmp_path):
    source = tmp_path / "source"
    for number, name in enumerate(("a.jpg", "b.jpg", "b.png")):
        picture(source / "x" / name, number)
    write_file("voc", source / "y", "a", 0, "")
    write_file("voc", source / "y", "b", 1, "b.png")  # by its <filename>
    run(source, tmp_path / "out", val_share=0)
    assert lefts(tmp_path / "out") == {"a.jpg": 0, "b.png": 1}
    write_file("voc", source / "y", "b", 1, "")
    said = run(source, tmp_path / "again", val_share=0)
    assert "1 XML file that may be of several pictures: they have the same name (first: y/b.xml)" in said


@pytest.mark.parametrize("line", ["images/train/2.jpg", "/data/of/another/images/train/2.jpg", "2.jpg"])
def test_a_picture_that_a_list_of_yolo_names_and_that_is_missing_is_said(tmp_path, line):
    source = tmp_path / "source"
    for split, numbers in (("train", (0, 1)), ("val", (0, 1, 2))):
        for number in numbers:
            picture(source / "images" / split / f"{number}.jpg", number)
            text(source / "labels" / split / f"{number}.txt", "0 0.5 0.5 0.5 0.5")
        text(source / f"{split}.txt", "\n".join(f"./images/{split}/{number}.jpg" for number in numbers))
    text(source / "train.txt", f"./images/train/0.jpg\n./images/train/1.jpg\n{line}\n")
    said = run(source, tmp_path / "out")
    assert "1 picture missing (first: train.txt: " in said
    assert sorted(lefts(tmp_path / "out", "val")) == ["0.jpg", "1.jpg", "2.jpg"]


def write_labels(source, missing=()):
    for value, split in ((1, "train"), (2, "val")):
        for number in range(3):
            if (split, number) not in missing:
                picture(source / "images" / split / f"{number}.jpg", number)
            grey(source / "masks" / split / f"{number}.png", np.full((40, 60), value))


def test_a_label_without_its_picture_is_left_out_alone(tmp_path):
    source = tmp_path / "source"
    write_labels(source, [("train", 2)])
    said = run(source, tmp_path / "out")
    assert "1 label without a picture (first: masks/train/2.png)" in said
    assert "2 pictures to train, 3 pictures to evaluate (as in the source)" in said
    assert (label_of(tmp_path / "out", "2", "val") == 2).all() and (label_of(tmp_path / "out", "1") == 1).all()
    grey(source / "labels" / "val" / "1.png", np.zeros((40, 60)))
    with pytest.raises(BadValueError, match=r"have several labels, such as labels/val/1\.png and masks/val/1\.png"):
        run(source, tmp_path / "two")


@pytest.mark.parametrize("is_flat", [True, False])
@pytest.mark.parametrize(
    "numbers", [((1, 2), (3,), (4, 5), (6,)), ((1, 2), (1, 2), (1,), (1,)), ((2,), (1,), (4,), (3,))]
)
def test_masks_of_objects_whose_names_are_those_of_other_pictures(tmp_path, numbers, is_flat):
    """Picture N has masks at left edge N and 20 further for each; their numbers are names of pictures too."""
    source = tmp_path / "source"
    for name, of in enumerate(numbers, start=1):
        picture(source / ("images" if is_flat else f"{name}/images") / f"{name}.jpg", name)
        for index, number in enumerate(of):
            mask = np.zeros((40, 60), np.uint8)
            mask[:10, name + 20 * index : name + 20 * index + 5] = 255
            grey(source / (f"masks/{name}" if is_flat else f"{name}/masks") / f"{number}.png", mask)
    run(source, tmp_path / "out", val_share=0, target="coco")
    expected = {
        f"{name}.jpg": [("object", (name + 20 * index, 0, name + 20 * index + 5, 10), 0) for index in range(len(of))]
        for name, of in enumerate(numbers, start=1)
    }
    assert converted(tmp_path / "out") == expected


def test_mirrored_folders_of_labels_with_numbers_are_no_folders_of_objects(tmp_path):
    source = tmp_path / "source"
    for folder in (1, 2):
        for number in (1, 2, 3):
            picture(source / "images" / str(folder) / f"{number}.jpg")
            grey(source / "masks" / str(folder) / f"{number}.png", np.full((40, 60), folder))
    grey(source / "masks" / "x" / "m.png", np.ones((40, 60)))
    picture(source / "images" / "x.jpg")
    said = run(source, tmp_path / "out", val_share=0)
    assert (label_of(tmp_path / "out", "images_1_3") == 1).all() and (
        label_of(tmp_path / "out", "images_2_1") == 2
    ).all()
    assert "1 mask in a folder named like its picture, beside labels of whole pictures (first: masks/x/m.png)" in said


def test_why_no_label_can_be_used_is_said(tmp_path):
    """0.jpg and 0.png lie beside one mask; a mask has 16 bits."""
    source = tmp_path / "source"
    for name in ("0.jpg", "0.png"):
        picture(source / "images" / name)
    grey(source / "masks" / "0.png", np.ones((40, 60)))
    said = []
    with pytest.raises(BadValueError, match="not even the only label in '.*' can be used: see above what was left out"):
        run(source, tmp_path / "out", said=said)
    assert "  1 label that may be of several pictures: they have the same name (first: masks/0.png)" in said
    assert "  2 pictures without a label (first: images/0.jpg, images/0.png)" in said
