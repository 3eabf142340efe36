"""Bad and odd data as this suite meets it; what a room of utils refuses by itself is tested there."""

import numpy as np
import pytest
from PIL import Image

from faster_rcnn.tests.tiny_split import annotations_of, assert_trainable, change, open_training
from utils.detection.tests.tiny_coco import write_txt
from utils.model_utils.errors import BadValueError, MissingPathError, UserError

RECORDS_FOLDER = "FASTERRCNN_MINDRECORD"


def made_files(folder):
    return [path.name for path in folder.glob("*") if not path.name.endswith(".lock")]


# Boxes


def remove_all(content):
    content["annotations"] = []


def make_crowds(content):
    for row in content["annotations"]:
        row["iscrowd"] = 1


@pytest.mark.parametrize("is_training", [True, False])
@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (remove_all, "has no boxes of the classes blue, red in its"),
        (make_crowds, "has only crowd boxes"),
        (lambda content: content.update(images=[], annotations=[]), "lists no images"),
    ],
)
def test_a_split_without_a_usable_box_is_refused_and_leaves_nothing(edit, sentence, is_training, tiny_coco, tmp_path):
    change(tiny_coco, edit, "train2017" if is_training else "val2017")
    with pytest.raises(BadValueError, match=sentence):
        open_training(tiny_coco, f"--mindrecord_dir={tmp_path / 'records'}", is_training=is_training)
    assert made_files(tmp_path / "records") == []


@pytest.mark.parametrize(
    "bbox",
    [
        [float("nan"), 1, 20, 20],
        [1, 1, float("inf"), 20],
        [1, 1, 0, 20],
        [20, 20, -5, 5],
        [500, 500, 20, 20],
        [-10, -10, 60, 60],
        [100, 80, 60, 60],
    ],
)
def test_odd_boxes_are_repaired_and_said_and_training_stays_finite(bbox, tiny_coco, caplog):
    def edit(content):
        content["annotations"][0]["bbox"] = bbox

    change(tiny_coco, edit)
    assert_trainable(open_training(tiny_coco), 6)
    assert "annotation 1" in caplog.text


def test_boxes_far_below_a_pixel_stay_finite(tiny_coco):
    """Where the resizing leaves nothing of one, it is dropped: its delta would be the logarithm of 0."""

    def edit(content):
        for number, row in enumerate(content["annotations"]):
            row["bbox"] = [100 + number, 50, 1e-5, 10**-number]

    change(tiny_coco, edit)
    assert_trainable(open_training(tiny_coco), 6, "--scale_range=[0.3,0.3]")


def test_of_more_boxes_than_num_gts_the_largest_are_learned(tiny_coco):
    """The 60 x 60 box is learned, of the 40 x 40 ones beside it nothing."""

    def edit(content):
        content["images"] = [image for image in content["images"] if image["id"] == 101]
        content["annotations"] = [
            {"id": number, "image_id": 101, "category_id": category, "iscrowd": 0, "bbox": box, "area": 1}
            for number, (category, box) in enumerate([(7, [0, 0, 40, 40]), (3, [60, 30, 60, 60]), (7, [80, 0, 40, 40])])
        ]

    change(tiny_coco, edit)
    split = open_training(tiny_coco)
    (arrays,) = assert_trainable(split, 1, "--num_gts=1", "--scale_range=[1,1]", "--flip_ratio=0")
    assert arrays["gt_labels"].tolist() == [[split.records.class_names.index("blue")]]
    assert arrays["gt_boxes"].tolist() == [[[60, 30, 120, 90]]]
    assert (arrays["rpn_label"] == 1).any()


# Pictures


def test_pictures_of_every_kind_train(tiny_coco):
    """Grey, RGBA, CMYK, 16 bit, EXIF-rotated, one pixel: all under names that end in .jpg."""
    folder = tiny_coco / "train2017"
    grey = Image.new("L", (128, 96), 90)
    rotated = Image.Exif()
    rotated[0x0112] = 6
    grey.save(folder / "000.jpg", "PNG")
    Image.new("RGBA", (128, 96), (9, 99, 199, 0)).save(folder / "001.jpg", "PNG")
    Image.new("CMYK", (128, 96), (9, 99, 199, 0)).save(folder / "002.jpg", "JPEG")
    Image.fromarray(np.full((96, 128), 40000, np.uint16)).save(folder / "003.jpg", "PNG")
    Image.new("RGB", (96, 128), (9, 99, 199)).save(folder / "004.jpg", "JPEG", exif=rotated)
    Image.new("RGB", (1, 1)).save(folder / "005.jpg", "PNG")

    def edit(content):
        content["images"][5].update(width=1, height=1)
        content["annotations"] = [row for row in content["annotations"] if row["image_id"] != 105]

    change(tiny_coco, edit)
    assert_trainable(open_training(tiny_coco), 6)


@pytest.mark.parametrize("keep_ratio", ["true", "false"])
def test_a_picture_of_one_pixel_and_one_of_a_thin_line_train(keep_ratio, tiny_coco):
    Image.new("RGB", (1, 1)).save(tiny_coco / "train2017" / "000.jpg", "PNG")
    Image.new("RGB", (3000, 1)).save(tiny_coco / "train2017" / "003.jpg", "PNG")

    def edit(content):
        content["images"][0].update(width=1, height=1)
        content["images"][3].update(width=3000, height=1)
        content["annotations"].append(
            {"id": 90, "image_id": 103, "category_id": 7, "iscrowd": 0, "bbox": [10, 0, 900, 1], "area": 900}
        )

    change(tiny_coco, edit)
    assert_trainable(open_training(tiny_coco), 6, f"--keep_ratio={keep_ratio}", "--expand_ratio=4")


@pytest.mark.parametrize(
    ("content", "sentence"), [(b"", "empty"), (b"no picture at all", "001.jpg"), (None, "001.jpg")]
)
def test_a_picture_that_cannot_be_read_is_named(content, sentence, tiny_coco):
    path = tiny_coco / "train2017" / "001.jpg"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        open_training(tiny_coco)
    assert not (tiny_coco / RECORDS_FOLDER).exists() or made_files(tiny_coco / RECORDS_FOLDER) == []


def test_a_truncated_picture_is_named(tiny_coco):
    path = tiny_coco / "train2017" / "002.jpg"
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(BadValueError, match=r"002\.jpg' (is truncated or damaged|has a damaged header)"):
        open_training(tiny_coco)


def test_a_picture_of_another_size_than_annotated_is_named(tiny_coco):
    Image.new("RGB", (64, 64)).save(tiny_coco / "train2017" / "001.jpg")
    with pytest.raises(BadValueError, match=r"001\.jpg.*64"):
        open_training(tiny_coco)


# Classes


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--num_classes=5"], "num_classes is 5 and .* has 2 classes: set --num_classes=2"),
        (["--num_classes=80"], "num_classes is 80 and .* has 2 classes"),
        (["--num_classes=1"], "num_classes is 1 and .* has 2 classes"),
        (["--coco_classes=[red, green]"], "green"),
    ],
)
def test_classes_that_are_not_those_of_the_data_are_refused(arguments, sentence, tiny_coco):
    with pytest.raises(BadValueError, match=sentence):
        open_training(tiny_coco, *arguments)


def test_background_may_be_listed_and_counted_as_the_page_does(tiny_coco):
    split = open_training(tiny_coco, "--coco_classes=[background, red, blue]", "--num_classes=3")
    assert split.records.class_names == ("red", "blue")


def test_one_class_alone_trains(tiny_coco):
    split = open_training(tiny_coco, "--coco_classes=[blue]")
    labels = np.concatenate([arrays["gt_labels"] for arrays in assert_trainable(split, 6)])
    assert set(np.unique(labels)) == {-1, 0}


def test_a_category_that_the_file_does_not_have_is_named(tiny_coco):
    def edit(content):
        content["annotations"][0]["category_id"] = 55

    change(tiny_coco, edit)
    with pytest.raises(BadValueError, match="annotation 1 in .* has category_id 55, but the file has no such"):
        open_training(tiny_coco)


def test_names_in_another_order_keep_their_own_ids(tiny_coco):
    for names in ("[red, blue]", "[blue, red]"):
        records = open_training(tiny_coco, f"--coco_classes={names}").records
        assert dict(zip(records.class_names, records.category_ids, strict=True)) == {"red": 7, "blue": 3}


# TXT


@pytest.fixture()
def txt(tiny_coco, tmp_path):
    """Writes train2017.txt, or leaves that of the tiny data set, and opens it."""
    arguments = (*write_txt(tiny_coco), f"--mindrecord_dir={tmp_path / 'records'}")

    def call(content=None, *changes):
        if content is not None:
            (tiny_coco / "train2017.txt").write_bytes(content)
        return open_training(None, *arguments, *changes)

    return call


def test_the_list_of_the_tiny_data_set_trains(txt):
    assert_trainable(txt(), 6)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"000.jpg\n001.jpg 1,2,30,40,1", "train2017.txt' line 2: box '1,2,30,40,1' has 5 fields, wanted 6: xmin,ymin"),
        (b"001.jpg 1,2,left,40,1,0", "line 1: box '1,2,left,40,1,0' holds text where a number belongs"),
        (b"001.jpg 1,2,30,40,0,0", "has class 0, but class ids count from 1 into coco_classes; add 1 to each id"),
        (b"001.jpg 1,2,30,40,3,0", r"has class 3, wanted a whole number from 1 to 2 \(coco_classes has 2 names\)"),
        (b"1,2,30,40,1,0", "line 1 has boxes but no image path"),
        (b"001.jpg 1 2 30 40 1 0", "wanted an image path and boxes of the form xmin,ymin"),
        (b"\n \r\n", "lists no images"),
        (b"000.jpg\n003.jpg\n", "has no boxes of the classes red, blue"),
        (b"001.jpg 1,2,30,40,1,1\n", "has only crowd boxes"),
        ("001.jpg 1,2,30,40,1,0\n".encode("utf-16"), "is not UTF-8 text"),
    ],
)
def test_a_bad_list_is_refused_with_its_line_and_leaves_nothing(content, sentence, txt, tmp_path):
    with pytest.raises(BadValueError, match=sentence):
        txt(content)
    assert made_files(tmp_path / "records") == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"001.jpg 1,2,30,40,1,0\nabsent.jpg 1,2,30,40,1,0", r"1 of 2 images of .* are not in .*, first 'absent\.jpg'"),
        (b"other/001.jpg 1,2,30,40,1,0", r"first 'other/001\.jpg'"),
    ],
)
def test_an_image_that_a_list_names_and_is_not_there_is_named(content, sentence, txt):
    with pytest.raises(MissingPathError, match=sentence):
        txt(content)


def test_windows_line_ends_empty_lines_and_spaces_in_paths_train(txt, tiny_coco):
    folder = tiny_coco / "train2017" / "my photos"
    folder.mkdir()
    (tiny_coco / "train2017" / "001.jpg").rename(folder / "one, the first.jpg")
    split = txt(b"\xef\xbb\xbfmy photos/one, the first.jpg 1,2,30,40,1,0  50,2,70,90,2,1\r\n\r\n   \r\n000.jpg\r\n")
    batches = assert_trainable(split, 2, "--scale_range=[1,1]", "--flip_ratio=0")
    (first,) = (arrays for arrays in batches if (arrays["gt_labels"] >= 0).any())
    assert first["gt_labels"][0, :3].tolist() == [0, 1, -1]
    assert first["gt_is_crowd"][0, :3].tolist() == [False, True, False]
    assert first["gt_boxes"][0, :2].tolist() == [[1, 2, 30, 40], [50, 2, 70, 90]]


def test_a_list_that_is_not_there_or_without_names_is_a_sentence(txt, tiny_coco):
    with pytest.raises(BadValueError, match="dataset is 'other' and coco_classes is not set"):
        txt(None, "--coco_classes=null")
    (tiny_coco / "train2017.txt").unlink()
    with pytest.raises(MissingPathError, match=r"train2017\.txt' does not exist"):
        txt()
    with pytest.raises(BadValueError, match="neither anno_path nor mindrecord_dir is set: .* --anno_path=FILE"):
        open_training(tiny_coco, "--dataset=other", "--coco_classes=[red, blue]")


# MindRecord files alone


@pytest.fixture()
def records(tiny_coco):
    """Folder of the finished MindRecord files."""
    open_training(tiny_coco)
    return tiny_coco / RECORDS_FOLDER


def test_files_alone_train_without_the_data_set(records):
    assert_trainable(open_training(None, f"--mindrecord_dir={records}"), 6)


def truncate(records):
    path = records / "FasterRcnn.mindrecord0"
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (truncate, "is truncated or damaged"),
        (lambda records: (records / "FasterRcnn.mindrecord0").unlink(), "mindrecord"),
        (lambda records: (records / "FasterRcnn.mindrecord0.db").unlink(), "index .* is missing"),
        (lambda records: [path.unlink() for path in records.glob("*.mindrecord?")], "the index of .* but not its data"),
        (lambda records: [path.unlink() for path in records.glob("*")], "there are no MindRecord files"),
    ],
)
def test_files_alone_that_are_not_whole_are_refused(damage, sentence, records):
    damage(records)
    with pytest.raises(UserError, match=sentence):
        open_training(None, f"--mindrecord_dir={records}")


def test_files_that_are_not_whole_are_made_again_where_the_data_set_is(records, tiny_coco):
    truncate(records)
    assert_trainable(open_training(tiny_coco), 6)


def test_files_of_another_program_are_refused_and_stay(tiny_coco):
    from mindspore.mindrecord import FileWriter

    folder = tiny_coco / RECORDS_FOLDER
    folder.mkdir()
    writer = FileWriter(str(folder / "FasterRcnn.mindrecord"), 1)
    writer.add_schema({"image": {"type": "bytes"}, "label": {"type": "bytes"}}, "segmentation")
    writer.write_raw_data([{"image": b"1", "label": b"1"}])
    writer.commit()
    before = made_files(folder)
    with pytest.raises(UserError, match=r"was written by another program .*; move it away"):
        open_training(tiny_coco)
    assert made_files(folder) == before


def test_an_annotation_file_that_is_missing_is_named_before_the_evaluation(records, tmp_path):
    arguments = (f"--mindrecord_dir={records}", f"--instance_set={tmp_path}/absent_{{}}.json")
    split = open_training(None, *arguments)
    with pytest.raises(MissingPathError, match=r"absent_train2017\.json' does not exist: correct --instance_set"):
        assert split.ground_truth


def other_categories(content):
    for row in (*content["categories"], *content["annotations"]):
        key = "category_id" if "category_id" in row else "id"
        row[key] += 1


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda content: content["images"].pop(0), "has 5 images .* is of 6 images, 5 of them the same"),
        (other_categories, r"category ids \[4, 8\].*category ids \[3, 7\]"),
    ],
)
def test_annotations_of_another_split_are_refused_before_the_evaluation(edit, sentence, records, tiny_coco):
    change(tiny_coco, edit)
    arguments = (f"--mindrecord_dir={records}", f"--instance_set={annotations_of(tiny_coco)}")
    with pytest.raises(BadValueError, match=sentence):
        assert open_training(None, *arguments).ground_truth
