"""What is left out is counted with its reason, so that --strict knows of it; and nothing is that a list has."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from utils.data_sets.known_palettes import VOC_BORDER, voc_colour
from utils.forms.options import Options
from utils.forms.source_files import SourceFiles
from utils.forms.tests.samples import converted, grey, indexed, labelme, picture, shape, text, voc_xml
from utils.forms.tests.test_boxes_forms import coco, run
from utils.model_utils.errors import BadValueError, MissingPathError


def refused(source, out, sentence, **others):
    """Checks that --strict refuses a source with a sentence, and that it is said without it too."""
    assert sentence in run(source, out / "lax", val_share=0, **others)
    said = []
    with pytest.raises(BadValueError, match="--strict does not allow: nothing was written"):
        run(source, out / "strict", said=said, val_share=0, is_strict=True, **others)
    assert f"  {sentence}" in said
    assert not (out / "strict").exists()


def write_one(form, source):
    """Writes a.jpg with a box, and b.jpg without any annotation."""
    for name in ("a", "b"):
        picture(source / ("img" if form == "supervisely" else "") / f"{name}.jpg")
    if form == "voc":
        text(source / "a.xml", voc_xml([("cat", 1, 1, 9, 9, 0)]))
    elif form == "labelme":
        text(source / "a.json", labelme([shape("cat", [[0, 0], [9, 9]], "rectangle")], imagePath="a.jpg"))
    elif form == "coco":
        text(source / "x.json", coco(["a.jpg"], [(0, 1, [1, 1, 8, 8], {})], [{"id": 1, "name": "cat"}]))
    elif form == "supervisely":
        points = {"exterior": [[1, 1], [8, 8]], "interior": []}
        objects = [{"classTitle": "cat", "geometryType": "rectangle", "points": points}]
        text(source / "ann" / "a.jpg.json", {"size": {"height": 40, "width": 60}, "tags": [], "objects": objects})
    else:
        text(source / "a.txt", "0 0.5 0.5 0.5 0.5")
        text(source / "train.txt", "a.jpg\n")


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ("voc", "1 picture without an XML file that can be read (first: b.jpg)"),
        ("labelme", "1 picture without a JSON file that can be read (first: b.jpg)"),
        ("coco", "1 picture in no annotation file (first: b.jpg)"),
        ("supervisely", "1 picture without a JSON file that can be read (first: img/b.jpg)"),
        ("yolo", "1 picture in no split of train.txt (first: b.jpg)"),
    ],
)
def test_a_picture_without_an_annotation_is_left_out_and_said(tmp_path, form, sentence):
    source = tmp_path / "source"
    write_one(form, source)
    refused(source, tmp_path, sentence)
    picture(source / ("img" if form == "supervisely" else "") / "a.jpg", size=(30, 30))
    if form in ("voc", "coco", "supervisely"):
        with pytest.raises(BadValueError, match="0 pictures of the source can be used"):
            run(source, tmp_path / "none", said=(said := []))
        assert f"  {sentence}" in said  # and not a.jpg, which has one of another size


def test_label_pictures_beside_boxes_are_no_pictures_without_an_annotation(tmp_path):
    source = tmp_path / "source"
    picture(source / "JPEGImages" / "a.jpg")
    text(source / "Annotations" / "a.xml", voc_xml([("cat", 1, 1, 9, 9, 0)]))
    for folder in ("SegmentationClass", "SegmentationObject"):
        grey(source / folder / "a.png", np.ones((40, 60)))
    run(source, tmp_path / "out", val_share=0, is_strict=True, target="coco")
    assert sorted(converted(tmp_path / "out")) == ["a.jpg"]


@pytest.mark.parametrize("content", ["0 0.5 0.5 0.1 0.1\n", ""])
def test_a_text_file_of_yolo_without_a_picture_is_said(tmp_path, content):
    source = tmp_path / "source"
    for split in ("train", "val"):
        for number in range(3):
            if (split, number) != ("train", 2):
                picture(source / "images" / split / f"{number}.jpg")
            text(source / "labels" / split / f"{number}.txt", "0 0.5 0.5 0.5 0.5")
    text(source / "labels" / "train" / "2.txt", content)
    text(source / "data.yaml", "train: images/train\nval: images/val\nnames: [cat]\n")
    text(source / "README.txt", "")
    text(source / "labels" / "train" / "notes.txt", "5 pictures of cats, 2020")
    refused(source, tmp_path, "1 text file without a picture (first: labels/train/2.txt)")


def two_colours(source, colour):
    picture(source / "images" / "a.jpg")
    label = np.zeros((40, 60, 3), np.uint8)
    label[:, 30:] = colour
    (source / "masks").mkdir(parents=True, exist_ok=True)
    Image.fromarray(label).save(source / "masks" / "a.png")


def test_colours_and_values_that_a_table_lacks_are_left_out(tmp_path):
    two_colours(tmp_path / "colours", (9, 8, 7))
    text(tmp_path / "colours" / "labelmap.txt", "road:0,0,0::\ncar:1,1,2::\n")
    refused(tmp_path / "colours", tmp_path, "1 colour of the labels that the table lacks, so no class (first: 9 8 7)")
    source = tmp_path / "values"
    picture(source / "images" / "a.jpg")
    grey(source / "masks" / "a.png", np.repeat([[0, 1, 2, 9, 255, 0]], 40, axis=0).repeat(10, axis=1))
    text(source / "_classes.csv", "Pixel Value, Class\n0, road\n1, car\n")
    sentence = "2 values of the labels that the table lacks, so no class (first: 2, 9)"
    refused(source, tmp_path / "v", sentence)
    run(source, tmp_path / "said", val_share=0, is_strict=True, options=Options(no_class=(2, 9)))
    source = tmp_path / "palette"
    picture(source / "images" / "a.jpg")
    indexed(source / "masks" / "a.png", np.repeat([[0, 1]], 40, axis=0).repeat(30, axis=1), [0, 0, 0, 9, 8, 7])
    text(source / "labelmap.txt", "road:0,0,0::\ncar:1,1,2::\n")
    refused(source, tmp_path / "p", "1 colour of the labels that the table lacks, so no class (first: 9 8 7)")


def test_the_border_of_pascal_voc_is_nothing_that_is_left_out(tmp_path):
    source = tmp_path / "source"
    two_colours(source, VOC_BORDER)
    label = np.array(Image.open(source / "masks" / "a.png"))
    label[:, :10] = voc_colour(1)
    Image.fromarray(label).save(source / "masks" / "a.png")
    said = run(source, tmp_path / "out", val_share=0, is_strict=True)
    assert "colours are those of Pascal VOC's colours: 2 classes" in said


@pytest.mark.parametrize("names", ["{year}_{number}", "{number}"])
def test_lists_of_two_years_of_pascal_voc_count_both(tmp_path, names):
    """Each year has 0 and 1 to train, 2 to evaluate and 3 to test, whether or not the years share their names."""
    source = tmp_path / "source"
    for year in ("VOC2007", "VOC2012"):
        root = source / "VOCdevkit" / year
        stems = [names.format(year=year, number=number) for number in range(4)]
        for stem in stems:
            picture(root / "JPEGImages" / f"{stem}.jpg")
            text(root / "Annotations" / f"{stem}.xml", voc_xml([("cat", 1, 1, 9, 9, 0)]))
            grey(root / "SegmentationClass" / f"{stem}.png", np.ones((40, 60)))
        if year == "VOC2012" and "year" not in names:
            stems.reverse()  # what one year trains on the other tests
        for split, of in (("train", stems[:2]), ("val", stems[2:3]), ("trainval", stems[:3]), ("test", stems[3:])):
            text(root / "ImageSets" / "Main" / f"{split}.txt", "\n".join(of))
            text(root / "ImageSets" / "Segmentation" / f"{split}.txt", "\n".join(of))
    said = run(source, tmp_path / "out", target="coco", is_strict=True)
    assert "4 pictures to train, 2 pictures to evaluate, 2 pictures to test (as in the source)" in said
    trained = {each.resolve().relative_to(source / "VOCdevkit") for each in (tmp_path / "out" / "train2017").iterdir()}
    last = (2, 3) if "year" not in names else (0, 1)  # of VOC2012
    expected = {("VOC2007", 0), ("VOC2007", 1), *(("VOC2012", number) for number in last)}
    assert trained == {Path(y, "JPEGImages", f"{names.format(year=y, number=n)}.jpg") for y, n in expected}
    assert "that both" not in said
    said = run(source, tmp_path / "labels", target="cityscapes", is_strict=True)
    assert "4 pictures to train, 2 pictures to evaluate, 2 pictures to test (as in the source)" in said


def test_yolo_with_mostly_empty_files_is_recognised(tmp_path):
    source = tmp_path / "source"
    for number in range(13):
        picture(source / "images" / f"f{number:02d}.jpg")
        text(source / "labels" / f"f{number:02d}.txt", "0 0.5 0.5 0.25 0.25\n" if number in (1, 2) else "")
    text(source / "classes.txt", "cat\n")
    said = run(source, tmp_path / "out", val_share=0)
    assert "form: YOLO (--form yolo): 13 text files named like pictures, labels/f01.txt has lines" in said
    assert sum(map(len, converted(tmp_path / "out").values())) == 2


def write_yolo(source, yaml="", name="data.yaml"):
    for split in ("train", "val"):
        for number in range(2):
            picture(source / "images" / split / f"{split}{number}.jpg", number)
            text(source / "labels" / split / f"{split}{number}.txt", "0 0.5 0.5 0.5 0.5")
    text(source / name, yaml or "cat\ndog\n")
    return source


@pytest.mark.parametrize(
    ("yaml", "sentence"),
    [
        ("train: images/train\nval: images/nope\nnames: [cat]\n", "data.yaml: val: images/nope"),
        ("train: images/train\nval: nope.txt\nnames: [cat]\n", "data.yaml: val: nope.txt"),
        ("train: [images/train, extra/more]\nval: images/val\nnames: [cat]\n", "data.yaml: train: extra/more"),
    ],
)
def test_a_split_of_yolo_that_leads_nowhere_is_said(tmp_path, yaml, sentence):
    refused(write_yolo(tmp_path / "source", yaml), tmp_path, f"1 split that leads to no picture (first: {sentence})")


def test_a_test_split_that_roboflow_names_and_does_not_have_is_nothing_that_is_left_out(tmp_path):
    yaml = "train: images/train\nval: images/val\ntest: ../test/images\nnc: 5\nnames: [cat, dog, cow]\n"
    said = run(write_yolo(tmp_path / "source", yaml), tmp_path / "out", is_strict=True)
    assert "changed:\n  1 split that leads to no picture (first: data.yaml: test: ../test/images)" in said
    assert "data.yaml has nc 5 and 3 names: the names count" in said


def test_a_list_of_classes_is_no_list_of_splits(tmp_path):
    source = write_yolo(tmp_path / "source", name="classes.txt")
    text(source / "train.txt", "images/train/train0.jpg\n")
    text(source / "val.txt", "images/val/val0.jpg\n")
    sentence = "2 pictures in no split of train.txt and val.txt (first: images/train/train1.jpg, images/val/val1.jpg)"
    refused(source, tmp_path, sentence)


def test_a_data_yaml_that_is_no_yaml_is_refused(tmp_path):
    source = write_yolo(tmp_path / "source", "train: images/train\nnames: [a, b\nval: images/val: x\n")
    with pytest.raises(BadValueError, match=r"source/data\.yaml', line 3 is no YAML \(.*\); repair the file$"):
        run(source, tmp_path / "out")
    text(source / "data.yaml", "names: [cat]\n")
    text(source / "ci.yaml", "on: {{ x\n")  # of something else
    run(source, tmp_path / "out")


@pytest.mark.parametrize("form", ["voc", "labels"])
def test_a_picture_that_a_list_of_pascal_voc_names_and_that_is_missing_is_said(tmp_path, form):
    """Of 0 to 3 the lists name all, 2 has no annotation, and of 3 there is nothing."""
    source = tmp_path / "source"
    for number in range(3):
        picture(source / "JPEGImages" / f"{number}.jpg", number)
        if number < 2 and form == "voc":
            text(source / "Annotations" / f"{number}.xml", voc_xml([("cat", 1, 1, 9, 9, 0)]))
        elif number < 2:
            grey(source / "SegmentationClass" / f"{number}.png", np.arange(2400).reshape(40, 60) % 2)
    folder = source / "ImageSets" / ("Main" if form == "voc" else "Segmentation")
    text(folder / "train.txt", "0\n2\n3\n")
    text(folder / "val.txt", "1\n")
    text(folder / "trainval.txt", "0\n1\n2\n3\n")
    place = folder.relative_to(source).as_posix()
    sentence = f"1 picture missing (first: {place}/train.txt: 3)"
    refused(source, tmp_path, sentence)
    said = run(source, tmp_path / "none", options=Options(splits="none"))
    assert "missing" not in said and "splits are those of" not in said


def test_a_folder_that_cannot_be_read_is_refused(tmp_path, monkeypatch):
    """The tests may run as one who may read everything: the system's refusal is put in its place."""
    write_one("voc", tmp_path / "source")
    (tmp_path / "source" / "locked").mkdir()
    scan = os.scandir

    def refuse(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(
        MissingPathError, match=r"locked' of the source cannot be read \(Permission denied\); check its"
    ):
        SourceFiles(tmp_path / "source")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"bbox": None}, "whose bbox is no four numbers (first: x.json: None)"),
        ({"bbox": [1, 1, 8, "8"]}, "whose bbox is no four numbers (first: x.json: [1, 1, 8, '8'])"),
        ({"image_id": 7}, "whose image_id the file does not have (first: x.json: 7)"),
        ({"image_id": "0"}, "whose image_id the file does not have (first: x.json: '0')"),
        ({"category_id": [1]}, "whose category_id the file does not have (first: x.json: [1])"),
    ],
)
def test_an_annotation_of_coco_that_cannot_be_used_is_left_out_alone(tmp_path, changed, sentence):
    source = tmp_path / "source"
    picture(source / "a.jpg")
    content = coco(["a.jpg"], [(0, 1, [1, 1, 8, 8], {}), (0, 1, [2, 2, 5, 5], changed)], [{"id": 1, "name": "cat"}])
    text(source / "x.json", content)
    refused(source, tmp_path, f"1 annotation {sentence}")
    assert converted(tmp_path / "lax") == {"a.jpg": [("cat", (1, 1, 9, 9), 0)]}
