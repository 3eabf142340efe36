"""Pascal VOC, YOLO and COCO in the layouts of their tools become the boxes that were worked out by hand."""

import json

import numpy as np
import pytest
from PIL import Image

from utils.data_sets.val_share import ValShare
from utils.forms.conversion import Request, convert
from utils.forms.options import Options
from utils.forms.tests.samples import checksums, converted, picture, text, voc_xml
from utils.model_utils.errors import BadValueError

COCO_PICTURE = {"height": 40, "width": 60}


def run(source, out, said=None, **others):
    """Converts and returns what was said, which a list takes too where the conversion is refused."""
    said = [] if said is None else said
    before = checksums(source)
    convert(Request(source, out, **others), said.append)
    assert checksums(source) == before
    return "\n".join(said)


def write_voc(root):
    """Corners count from 1: xmin 1 is the left edge, 0, and xmax 60 the right one, 60."""
    picture(root / "JPEGImages" / "a.jpg", 1)
    picture(root / "JPEGImages" / "b.png", 2)
    picture(root / "JPEGImages" / "c.jpg", 3)
    a = [("cat", 1, 1, 60, 40, 0), ("dog", "11.0", 6, 20, 25, 1), ("dog", 30, 30, 29, 35, 0)]
    text(root / "Annotations" / "a.xml", voc_xml(a))
    text(root / "Annotations" / "b.xml", voc_xml([("cat", 50, 30, 70, 45, 0), ("cat", 80, 1, 90, 9, 0)], size=None))
    text(root / "Annotations" / "c.xml", voc_xml([("dog", 2, 3, 4, 5, 0)]))
    text(root / "ImageSets" / "Main" / "train.txt", "a\nb\n")
    text(root / "ImageSets" / "Main" / "val.txt", "c\n")
    text(root / "ImageSets" / "Main" / "cat_train.txt", "a 1\nb -1\n")
    return root


def test_pascal_voc(tmp_path):
    said = run(write_voc(tmp_path / "voc"), tmp_path / "out")
    assert converted(tmp_path / "out") == {
        "a.jpg": [("cat", (0, 0, 60, 40), 0), ("dog", (10, 5, 20, 25), 1)],
        "b.png": [("cat", (49, 29, 60, 40), 0)],
    }
    assert converted(tmp_path / "out", "val") == {"c.jpg": [("dog", (1, 2, 4, 5), 0)]}
    assert "form: Pascal VOC detection (--form voc): 3 XML files, Annotations/a.xml has <annotation>" in said
    assert "found: 3 pictures, 2 classes ('cat', 'dog'), 4 objects" in said
    assert "1 box without area (first: JPEGImages/a.jpg)" in said
    assert "1 box outside the picture (first: JPEGImages/b.png)" in said
    assert "1 box cut at the border of the picture" in said
    assert "2 pictures to train, 1 picture to evaluate (as in the source)" in said
    assert (tmp_path / "out" / "train2017" / "a.jpg").is_symlink()


@pytest.mark.parametrize(
    ("names", "lines"),
    [
        ("photo {}", "photo {}"),
        ("p{}", "p{}.jpg"),
        ("photo {}", "photo {}.jpg"),
        ("photo {}", "VOC2007\\JPEGImages\\photo {}.jpg"),
        ("p{}", "p{}  1"),
        ("a.b {}", "a.b {}"),
    ],
)
def test_voc_lists_with_spaces_and_endings(tmp_path, names, lines):
    source = tmp_path / "voc"
    for number in range(4):
        picture(source / "JPEGImages" / f"{names.format(number)}.jpg", number)
        text(source / "Annotations" / f"{names.format(number)}.xml", voc_xml([("cat", 1, 1, 9, 9, 0)]))
    for split, numbers in (("train", (0, 1)), ("val", (2, 3)), ("trainval", (0, 1, 2, 3))):
        listed = [lines.format(number) for number in numbers]
        text(source / "ImageSets" / "Main" / f"{split}.txt", "\n".join(listed))
    said = run(source, tmp_path / "out")
    assert "2 pictures to train, 2 pictures to evaluate (as in the source)" in said and "left out" not in said
    assert sorted(converted(tmp_path / "out")) == [f"{names.format(number)}.jpg" for number in (0, 1)]
    text(source / "ImageSets" / "Main" / "val.txt", "\n".join(lines.format(number) for number in (1, 2, 3)))
    said = run(source, tmp_path / "both")
    assert "1 picture that both val and train list: taken for val (first: " in said
    assert sorted(converted(tmp_path / "both")) == [f"{names.format(0)}.jpg"]


def test_voc_corners_that_begin_at_0_and_difficult_objects(tmp_path):
    source = tmp_path / "voc"
    picture(source / "train" / "a.jpg")
    text(source / "train" / "a.xml", voc_xml([("cat", 0, 5, 10, 15, 0), ("cat", 20, 20, 30, 30, 1)]))
    said = run(source, tmp_path / "kept", val_share=0, options=Options(difficult="keep"))
    assert converted(tmp_path / "kept")["a.jpg"] == [("cat", (0, 5, 10, 15), 0), ("cat", (20, 20, 30, 30), 0)]
    assert "corners count pixels from 0, as 1 box begins there" in said
    text(source / "train" / "a.xml", voc_xml([("cat", 0, 1, 10, 15, 0), ("cat", 1, 20, 30, 30, 1)]))  # a slip among 1s
    said = run(source, tmp_path / "slip", val_share=0)
    assert converted(tmp_path / "slip")["a.jpg"] == [("cat", (0, 0, 10, 15), 0), ("cat", (0, 19, 30, 30), 1)]
    assert "corners count pixels from 1, as Pascal VOC has it" in said
    text(source / "train" / "a.xml", voc_xml([("cat", 0, 5, 10, 15, 0), ("cat", 20, 20, 30, 30, 1)]))
    run(source, tmp_path / "dropped", val_share=0, options=Options(difficult="drop", first_pixel=1))
    assert converted(tmp_path / "dropped")["a.jpg"] == [("cat", (0, 4, 10, 15), 0)]  # -1 is the border


def test_broken_xml_is_named_and_the_rest_converted(tmp_path):
    source = write_voc(tmp_path / "voc")
    laughs = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><annotation><filename>&c;</filename></annotation>'
    text(source / "Annotations" / "d.xml", laughs)
    text(source / "Annotations" / "e.xml", "<annotation><object>")
    text(source / "Annotations" / "f.xml", "<other/>")
    text(source / "Annotations" / "g.xml", voc_xml([("cat", 1, 1, 2, 2, 0)]))
    said = run(source, tmp_path / "out")
    assert "2 XML files that cannot be read (first: Annotations/d.xml: it has a document type" in said
    assert "1 XML file without <annotation> as its outermost element (first: Annotations/f.xml)" in said
    assert "1 XML file without a picture (first: Annotations/g.xml)" in said
    with pytest.raises(BadValueError, match="--strict"):
        run(source, tmp_path / "strict", is_strict=True)
    assert not (tmp_path / "strict").exists() and not list(tmp_path.glob(".*"))


def test_a_size_that_differs_from_the_file_leaves_the_picture_out_unless_it_is_stored_turned(tmp_path):
    source = tmp_path / "voc"
    for name in ("a", "b", "c"):
        picture(source / f"{name}.jpg")
    turned = Image.open(source / "b.jpg")
    exif = turned.getexif()
    exif[0x0112] = 6  # shown, it is 40 wide and 60 high
    turned.save(source / "b.jpg", exif=exif)
    text(source / "a.xml", voc_xml([("cat", 1, 1, 4, 4, 0)], size=(400, 600)))
    text(source / "b.xml", voc_xml([("cat", 1, 1, 60, 4, 0)]))  # as it is stored
    text(source / "c.xml", voc_xml([("cat", 1, 1, 4, 4, 0)], size=(0, 0)))
    said = run(source, tmp_path / "out", val_share=0)
    assert sorted(converted(tmp_path / "out")) == ["b.jpg", "c.jpg"]
    content = json.loads((tmp_path / "out" / "annotations" / "instances_train2017.json").read_text())
    assert [(each["height"], each["width"]) for each in content["images"]] == [(40, 60), (40, 60)]
    assert "1 picture annotated at another size than the file has (first: a.jpg: 600 x 400, file 60 x 40)" in said


def write_yolo(root, layout):
    """A box of centre (0.5, 0.25) and sides (0.2, 0.1) of 60 x 40 is (24, 8, 36, 12); see the polygon below."""
    for number, split in enumerate(("train", "valid")):
        images, labels = {
            "roboflow": (root / split / "images", root / split / "labels"),
            "ultralytics": (root / "images" / split, root / "labels" / split),
            "beside": (root / split, root / split),
        }[layout]
        picture(images / f"{number}.jpg", number)
        text(
            labels / f"{number}.txt",
            "1 0.5 0.25 0.2 0.1\n\n0 0.1 0.1 0.5 0.1 0.5 0.6\r\n7 0.5 0.5 0.1 0.1\n0 0.5 x 1 1\n",
        )
    picture(
        root
        / ("images/train" if layout == "ultralytics" else "train/images" if layout == "roboflow" else "train")
        / "n.png"
    )
    return root


YOLO_BOXES = [("dog", (24, 8, 36, 12), 0), ("cat", (6, 4, 30, 24), 0)]


@pytest.mark.parametrize(
    ("layout", "yaml"),
    [
        ("roboflow", "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnames: ['cat', 'dog']\n"),
        ("ultralytics", "path: ../datasets/x\ntrain: images/train\nval: images/valid\nnames:\n  0: cat\n  1: dog\n"),
        ("beside", ""),
    ],
)
def test_yolo_in_three_layouts(tmp_path, layout, yaml):
    source = write_yolo(tmp_path / "yolo", layout)
    text(source / ("data.yaml" if yaml else "classes.txt"), yaml or "cat\ndog\n")
    said = run(source, tmp_path / "out")
    assert converted(tmp_path / "out") == {"0.jpg": YOLO_BOXES, "n.png": []}
    assert converted(tmp_path / "out", "val") == {"1.jpg": YOLO_BOXES}
    assert "form: YOLO (--form yolo)" in said
    assert "2 objects of a class that has no name (first: " in said and "class 7" in said
    assert "2 lines of neither a class and four numbers nor a class and a polygon" in said
    assert "1 picture without a text file: no objects" in said
    polygon = json.loads((tmp_path / "out" / "annotations" / "instances_val2017.json").read_text())["annotations"][1]
    np.testing.assert_allclose(polygon["segmentation"], [[6, 4, 30, 4, 30, 24]])
    assert polygon["area"] == pytest.approx(24 * 20 / 2)


def test_a_picture_that_two_splits_of_yolo_name_is_of_the_first(tmp_path):
    source = write_yolo(tmp_path / "yolo", "ultralytics")
    text(source / "data.yaml", "test: images/valid\nval: images/valid\ntrain: images/train\nnames: [cat, dog]\n")
    said = run(source, tmp_path / "out")
    assert "2 pictures to train, 1 picture to evaluate (as in the source)" in said
    assert "1 picture that both val and test list: taken for val (first: images/valid/1.jpg)" in said
    text(source / "data.yaml", "val: images/valid\ntrain: [images/train, images/valid]\nnames: [cat, dog]\n")
    said = run(source, tmp_path / "trained")
    assert "1 picture that both train and val list: taken for train (first: images/valid/1.jpg)" in said
    assert "the source has none to evaluate on" in said


def test_yolo_without_names_in_pixels_and_with_lists(tmp_path):
    source = tmp_path / "yolo"
    picture(source / "obj_train_data" / "a.jpg")
    picture(source / "obj_train_data" / "b.jpg")
    text(source / "obj_train_data" / "a.txt", "2 0.5 0.5 1 1")
    text(source / "obj_train_data" / "b.txt", "0 0.5 0.5 0.5 0.5")
    text(source / "train.txt", "data/obj_train_data/a.jpg\n")
    text(source / "valid.txt", "data/obj_train_data/b.jpg\n")
    said = run(source, tmp_path / "out")
    assert converted(tmp_path / "out") == {"a.jpg": [("class_2", (0, 0, 60, 40), 0)]}
    assert converted(tmp_path / "out", "val") == {"b.jpg": [("class_0", (15, 10, 45, 30), 0)]}
    assert "no file in the source names the classes: they are numbered" in said
    text(source / "trainval.txt", "data/obj_train_data/a.jpg\ndata/obj_train_data/b.jpg\n")
    (source / "train.txt").unlink()
    said = run(source, tmp_path / "rest")  # what no other list has is trained on
    assert sorted(converted(tmp_path / "rest")) == ["a.jpg"] and "that both" not in said
    text(source / "obj_train_data" / "a.txt", "0 30 20 10 10\n0 10 10 5 5")
    text(source / "obj_train_data" / "b.txt", "0 30 20 10 10")
    with pytest.raises(BadValueError, match="3 of 3 boxes in the text files .* wanted are fractions"):
        run(source, tmp_path / "pixels")


def coco(images, annotations, categories):
    images = [{"id": number, "file_name": name, **COCO_PICTURE} for number, name in enumerate(images)]
    rows = [
        {"id": number, "image_id": image, "category_id": category, "bbox": box, "iscrowd": 0, **others}
        for number, (image, category, box, others) in enumerate(annotations)
    ]
    return {"images": images, "annotations": rows, "categories": categories}


def test_roboflow_coco(tmp_path):
    source = tmp_path / "roboflow"
    root = [{"id": 0, "name": "animals", "supercategory": "none"}]
    named = [{"id": number, "name": name, "supercategory": "animals"} for number, name in ((1, "cat"), (2, "dog"))]
    for split, count in (("train", 2), ("valid", 1), ("test", 1)):
        names = [f"{split}{number}_jpg.rf.0{number}.jpg" for number in range(count)]
        for name in names:
            picture(source / split / name)
        boxes = [(number, 1 + number, [1.5, 2.25, 10, 5], {}) for number in range(count)]
        text(source / split / "_annotations.coco.json", coco(names, boxes, root + named))
    said = run(source, tmp_path / "out")
    assert converted(tmp_path / "out") == {
        "train0_jpg.rf.00.jpg": [("cat", (1.5, 2.25, 11.5, 7.25), 0)],
        "train1_jpg.rf.01.jpg": [("dog", (1.5, 2.25, 11.5, 7.25), 0)],
    }
    assert len(converted(tmp_path / "out", "val")) == len(converted(tmp_path / "out", "test")) == 1
    assert "category 0, 'animals', has no box" in said and "Roboflow's name" in said


def test_cvat_coco_with_crowds_and_subfolders(tmp_path):
    """One file, no splits; the crowd's runs cover the left half of 40 x 60: 1200 in, 1200 out."""
    source = tmp_path / "cvat"
    names = [f"seq{number % 2}/0.png" if number < 2 else f"seq0/{number}.png" for number in range(5)]
    for number, name in enumerate(names):
        picture(source / "images" / name, number)
    runs = {"segmentation": {"size": [40, 60], "counts": [0, 1200, 1200]}, "iscrowd": 1, "area": 1200}
    polygon = {"segmentation": [[1, 1, 9, 1, 9, 9]], "area": 32.0, "attributes": {"occluded": False}}
    boxes = [(0, 1, [0.0, 0.0, 30.0, 40.0], runs), (1, 2, [1, 1, 8, 8], polygon)]
    categories = [{"id": 1, "name": "crowd of people"}, {"id": 2, "name": "person"}]
    text(source / "annotations" / "instances_default.json", coco(names, boxes, categories))
    said = run(source, tmp_path / "out", val_share=0.4, val_seed=7)
    train, val = converted(tmp_path / "out"), converted(tmp_path / "out", "val")
    assert sorted({**train, **val}) == ["2.png", "3.png", "4.png", "images_seq0_0.png", "images_seq1_0.png"]
    everything = {**train, **val}
    assert everything["images_seq0_0.png"] == [("crowd of people", (0, 0, 30, 40), 1)]
    assert everything["images_seq1_0.png"] == [("person", (1, 1, 9, 9), 0)]
    assert "the source has no splits: val_share 0.4, val_seed 7 draw them" in said
    again = run(source, tmp_path / "again", val_share=0.4, val_seed=7)
    assert converted(tmp_path / "again") == train
    assert again.replace("again", "out") == said
    is_kept = ValShare(0.4, 7).is_evaluated(names)  # those that training on the source with val_share keeps
    written = [f"images_seq{number}_0.png" if number < 2 else f"{number}.png" for number in range(5)]
    assert set(val) == {name for name, is_evaluated in zip(written, is_kept, strict=True) if is_evaluated}


def test_annotated_areas_end_where_the_picture_does(tmp_path):
    """A box of 40 x 40 of which half lies inside, with and without an outline; an area inside stays as annotated."""
    source = tmp_path / "coco"
    picture(source / "a.jpg")
    square = {"segmentation": [[40, 0, 80, 0, 80, 40, 40, 40]], "area": 1600.0}
    inside = {"segmentation": [[0, 0, 9, 0, 9, 9]], "area": 40.0}
    elsewhere = {"segmentation": [[-20, -20, -9, -20, -9, -9]], "area": 40.0}
    boxes = [
        (0, 1, [40.0, 0.0, 40.0, 40.0], square),
        (0, 1, [40.0, 0.0, 40.0, 40.0], {"area": 1600.0}),
        (0, 1, [0.0, 0.0, 9.0, 9.0], inside),
        (0, 1, [0.0, 0.0, 9.0, 9.0], elsewhere),
    ]
    text(source / "a.json", coco(["a.jpg"], boxes, [{"id": 1, "name": "cat"}]))
    said = run(source, tmp_path / "out", val_share=0)
    assert "1 outline outside the picture: only the box counts" in said
    rows = json.loads((tmp_path / "out" / "annotations" / "instances_train2017.json").read_text())["annotations"]
    assert [each["area"] for each in rows] == [800, 800, 40, 81]
    assert [np.max(each["segmentation"]) if "segmentation" in each else None for each in rows] == [60, None, 9, None]


def test_label_studio_coco_with_backslashes_and_upload_prefixes(tmp_path):
    source = tmp_path / "studio"
    picture(source / "images" / "0123abcd-a.jpg")
    picture(source / "images" / "b.jpg")
    picture(source / "images" / "c d.jpg")
    names = [
        "images\\1/0123abcd-a.jpg",
        "..\\..\\label-studio\\media\\upload\\4\\89abcdef-b.jpg",
        "/data/local-files/?d=x/c%20d.jpg",
        "images\\missing.jpg",
    ]
    boxes = [(number, 0, [1, 2, 3, 4], {"segmentation": []}) for number in range(4)]
    text(source / "result.json", coco(names, boxes, [{"id": 0, "name": "cat"}]))
    said = run(source, tmp_path / "out", val_share=0)
    assert converted(tmp_path / "out") == {
        name: [("cat", (1, 2, 4, 6), 0)] for name in ("0123abcd-a.jpg", "b.jpg", "c d.jpg")
    }
    assert "Label Studio's name" in said
    assert "1 picture missing (first: result.json: images\\missing.jpg)" in said


def test_cocos_own_layout_takes_its_files_of_boxes_alone(tmp_path):
    source = tmp_path / "coco"
    picture(source / "val2017" / "000000000139.jpg")
    categories = [{"id": 18, "name": "dog"}]
    content = coco(["000000000139.jpg"], [(0, 18, [1, 2, 3, 4], {})], categories)
    text(source / "annotations" / "instances_val2017.json", content)
    text(source / "annotations" / "person_keypoints_val2017.json", content)
    text(source / "annotations" / "captions_val2017.json", {"images": content["images"], "annotations": []})
    run(source, tmp_path / "out")
    assert converted(tmp_path / "out") == {"000000000139.jpg": [("dog", (1, 2, 4, 6), 0)]}  # one cannot be shared


def test_outlines_of_coco_without_boxes_get_those_around_them(tmp_path):
    """A polygon, two of one object, and runs of columns 10 to 19, rows 5 to 14; what has neither is left out."""
    source = tmp_path / "coco"
    picture(source / "a.jpg")
    runs = [10 * 40 + 5, *[10, 30] * 9, 10, 40 * 60 - (19 * 40 + 15)]
    outlines = [
        [[1, 2, 9, 2, 9.5, 8]],
        [[1, 1, 4, 1, 4, 4], [20, 20, 30, 20, 30, 35]],
        {"size": [40, 60], "counts": runs},
    ]
    content = coco(["a.jpg"], [(0, 1, [], {"segmentation": each}) for each in outlines], [{"id": 1, "name": "cat"}])
    for each in content["annotations"]:
        del each["bbox"]
    content["annotations"].append({**content["annotations"][0], "id": 9, "bbox": [3, 3, 4, 4]})
    text(source / "a.json", content)
    said = run(source, tmp_path / "out", val_share=0)
    boxes = [(1, 2, 9.5, 8), (1, 1, 30, 35), (10, 5, 20, 15), (3, 3, 7, 7)]
    assert converted(tmp_path / "out")["a.jpg"] == [("cat", box, 0) for box in boxes]
    assert "3 annotations without a box: it gets the one around its outline (first: a.json)" in said
    for segmentation in (None, [], [[1, 2]], {"size": [10**9, 10**9], "counts": "a"}, "x", {"size": None}):
        content["annotations"][0] = {**content["annotations"][0], "segmentation": segmentation}
        text(source / "a.json", content)
        said = run(source, tmp_path / "no", val_share=0, overwrite=True)
        assert "1 annotation whose bbox is no four numbers (first: a.json: None)" in said
        assert [box for _, box, _ in converted(tmp_path / "no")["a.jpg"]] == boxes[1:]
