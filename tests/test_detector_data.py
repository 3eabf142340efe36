"""Bad and odd data as both detectors meet it; what a room of utils refuses by itself is tested there."""

import pytest
from PIL import Image

from tests.opened_splits import RECORDS, SIZE, UNCHANGED, assert_trainable, labels_of, made_files, open_split
from tests.suites import DETECTORS, FASTER_RCNN, for_detectors, for_each
from utils.detection.data.mindrecord_info import fingerprint_of
from utils.detection.tests import edited_coco
from utils.detection.tests.edited_coco import change
from utils.detection.tests.mindrecord_sets import write_without_checksums
from utils.detection.tests.tiny_coco import write_coco
from utils.model_utils.errors import BadValueError, UserError


@pytest.fixture()
def data(tmp_path):
    return write_coco(tmp_path / "coco data")


# Boxes


def remove_images(content):
    content.update(images=[], annotations=[])


@pytest.mark.parametrize(
    ("edit", "sentence", "is_training"),
    [
        (edited_coco.remove_all, "has no boxes of the classes blue, red in its", True),
        (edited_coco.make_crowds, "has only crowd boxes", True),
        (remove_images, "lists no images", True),
        (remove_images, "lists no images", False),
        (lambda content: content.pop("annotations"), "has no 'annotations'", True),
    ],
)
@for_detectors
def test_a_split_without_a_usable_box_is_refused_and_leaves_nothing(suite, edit, sentence, is_training, data, tmp_path):
    change(data, edit, "train2017" if is_training else "val2017")
    with pytest.raises(BadValueError, match=sentence):
        open_split(suite, data, f"--mindrecord_dir={tmp_path / 'records'}", is_training=is_training)
    assert made_files(tmp_path / "records") == []


@pytest.mark.parametrize("edit", [edited_coco.remove_all, edited_coco.make_crowds])
@for_detectors
def test_files_of_an_evaluation_without_boxes_are_not_trained_on(suite, edit, data):
    """Training and evaluation on one file under one name share the MindRecord files."""
    change(data, edit)
    one = (f"--prefix={RECORDS[suite.name][1]}", f"--eval_prefix={RECORDS[suite.name][1]}", "--val_data_type=train2017")
    assert open_split(suite, data, *one, is_training=False).records.num_objects == 0
    with pytest.raises(BadValueError, match="have no box to find in 6 images, so there is nothing to learn"):
        open_split(suite, data, *one).training_rows(keep_empty=True)


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
@for_detectors
def test_odd_boxes_are_repaired_and_said_and_training_stays_finite(suite, bbox, data, caplog):
    change(data, lambda content: content["annotations"][0].update(bbox=bbox))
    assert_trainable(suite, open_split(suite, data), 6)
    assert "annotation 1" in caplog.text


@for_detectors
def test_boxes_far_below_a_pixel_stay_finite(suite, data):
    """Where the resizing leaves nothing of one, it is dropped: its delta would be the logarithm of 0."""

    def edit(content):
        for number, row in enumerate(content["annotations"]):
            row["bbox"] = [100 + number, 50, 1e-5, 10**-number]

    change(data, edit)
    assert_trainable(suite, open_split(suite, data), 6, "--scale_range=[0.3,0.3]")


@for_detectors
def test_of_more_boxes_than_num_gts_the_largest_are_learned(suite, data):
    """The 60 x 60 box is learned, of the 40 x 40 ones beside it nothing."""
    change(data, edited_coco.three_boxes)
    split = open_split(suite, data)
    batches = assert_trainable(suite, split, 1, "--num_gts=1", *UNCHANGED)
    assert labels_of(suite, batches) == {split.records.class_names.index("blue")}
    if suite is FASTER_RCNN:
        assert batches[0]["gt_boxes"].tolist() == [[[60, 30, 120, 90]]]
        assert (batches[0]["rpn_label"] == 1).any()


# Pictures


@for_detectors
def test_pictures_of_every_kind_train(suite, data):
    edited_coco.write_pictures_of_every_kind(data)
    assert_trainable(suite, open_split(suite, data), 6)


@pytest.mark.parametrize("keep_ratio", ["true", "false"])
def test_a_picture_of_one_pixel_and_one_of_a_thin_line_train(keep_ratio, data):
    Image.new("RGB", (1, 1)).save(data / "train2017" / "000.jpg", "PNG")
    Image.new("RGB", (3000, 1)).save(data / "train2017" / "003.jpg", "PNG")
    thin = {"id": 90, "image_id": 103, "category_id": 7, "iscrowd": 0, "bbox": [10, 0, 900, 1], "area": 900}

    def edit(content):
        content["images"][0].update(width=1, height=1)
        content["images"][3].update(width=3000, height=1)
        content["annotations"].append(thin)

    change(data, edit)
    split = open_split(FASTER_RCNN, data)
    assert_trainable(FASTER_RCNN, split, 6, f"--keep_ratio={keep_ratio}", "--expand_ratio=4")


@pytest.mark.parametrize(
    ("damage", "error", "sentence"),
    [
        (lambda path: path.write_bytes(b""), UserError, "empty"),
        (lambda path: path.write_bytes(b"no picture at all"), UserError, r"001\.jpg"),
        (lambda path: path.unlink(), UserError, r"001\.jpg"),
        (lambda path: path.write_bytes(path.read_bytes()[:400]), BadValueError, r"001\.jpg' (is trunc|has a damaged)"),
        (lambda path: Image.new("RGB", (64, 64)).save(path), BadValueError, r"001\.jpg.*64"),
    ],
)
@for_detectors
def test_a_picture_that_cannot_be_used_is_named(suite, damage, error, sentence, data):
    damage(data / "train2017" / "001.jpg")
    with pytest.raises(error, match=sentence):
        open_split(suite, data)
    assert made_files(data / RECORDS[suite.name][0]) == []


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
@for_detectors
def test_classes_that_are_not_those_of_the_data_are_refused(suite, arguments, sentence, data):
    with pytest.raises(BadValueError, match=sentence):
        open_split(suite, data, *arguments)


@for_detectors
def test_a_category_that_the_file_does_not_have_is_named(suite, data):
    change(data, lambda content: content["annotations"][0].update(category_id=55))
    with pytest.raises(BadValueError, match="annotation 1 in .* has category_id 55, but the file has no such"):
        open_split(suite, data)


@for_detectors
def test_names_in_another_order_keep_their_own_ids(suite, data):
    for names in ("[red, blue]", "[blue, red]"):
        records = open_split(suite, data, f"--coco_classes={names}").records
        assert dict(zip(records.class_names, records.category_ids, strict=True)) == {"red": 7, "blue": 3}


def test_background_may_be_listed_and_counted_as_the_page_does(data):
    split = open_split(FASTER_RCNN, data, "--coco_classes=[background, red, blue]", "--num_classes=3")
    assert split.records.class_names == ("red", "blue")


@for_detectors
def test_one_class_alone_trains(suite, data):
    split = open_split(suite, data, "--coco_classes=[blue]")
    assert 0 in labels_of(suite, assert_trainable(suite, split, 6))
    if suite is FASTER_RCNN:
        assert labels_of(suite, assert_trainable(suite, split, 6)) == {0}


# What is left out, and what is said


def add_root(content):
    """Puts Roboflow's category 0 above the others."""
    for category in content["categories"]:
        category["supercategory"] = "things"
    content["categories"].insert(0, {"id": 0, "name": "things", "supercategory": "none"})


@for_detectors
def test_category_ids_stand_for_classes(suite, data):
    change(data, lambda content: content["categories"][1].update(name="red"))
    with pytest.raises(BadValueError, match=r"class name 'red' occurs more than once .* such as \[3, 7\]"):
        open_split(suite, data)
    records = open_split(suite, data, "--coco_classes=[7, 3]").records
    assert dict(zip(records.class_names, records.category_ids, strict=True)) == {"red (7)": 7, "red (3)": 3}


@for_detectors
def test_a_set_that_has_the_root_as_a_class_goes_on_with_it(suite, data, monkeypatch):
    """Sets of earlier versions have it, and are not made anew: their fingerprint says nothing of it."""
    write_without_checksums(monkeypatch)
    change(data, add_root)
    earlier = open_split(suite, data, "--coco_classes=[things, blue, red]").records
    for path in earlier.files:  # as if coco_classes had been null
        replaced = {earlier.fingerprint: fingerprint_of({**earlier.made_from, "class_names": None})}
        for old, new in replaced.items():
            path.write_bytes(path.read_bytes().replace(old.encode(), new.encode()))
    again = open_split(suite, data).records
    assert again.class_names == ("things", "blue", "red")
    assert [path.stat().st_ino for path in again.files] == [path.stat().st_ino for path in earlier.files]


@pytest.mark.end_to_end
@for_each(DETECTORS, long_run=(FASTER_RCNN,))
def test_a_training_says_what_it_leaves_out(suite, data):
    """The root, a class without a box, a picture that is missing; and that it is evaluated on what it learns."""
    change(data, add_root)
    change(data, lambda content: content["categories"].append({"id": 9, "name": "green", "supercategory": "things"}))
    (data / "train2017").rename(data / "pictures of train2017")
    (data / "pictures of train2017" / "001.jpg").unlink()
    arguments = (
        *suite.tiny.TINY_NETWORK,
        *SIZE[suite.name],
        f"--coco_root={data}",
        f"--image_dir={data}/pictures of {{}}",
        "--val_data_type=train2017",
        "--skip_bad_images=true",
        "--epoch_size=1",
        "--batch_size=2",
        "--run_eval=true",
        f"--run_dir={data / 'run'}",
    )
    said = suite.succeed("train.py", *arguments, cwd=data)
    log = said.stdout + said.stderr
    assert "5 images, 3 classes: blue, red, green" in log
    assert "category 0, 'things', has no box and is background or the group of the others: it is left out" in log
    assert "1 of 3 classes has no box: 'green'" in log
    assert "1 of 6 images cannot be used and is left out (skip_bad_images)" in log
    assert "001.jpg' does not exist" in log
    assert log.count("training and evaluation have the same annotations") == 1
