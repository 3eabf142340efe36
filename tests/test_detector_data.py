"""Bad and odd data as both detectors meet it; what a room of utils refuses by itself is tested there."""

import numpy as np
import pytest
from PIL import Image

from tests.suites import FASTER_RCNN, NAS_FPN, for_detectors
from utils.detection.data.class_names import ClassTable
from utils.detection.data.mindrecord_info import fingerprint_of
from utils.detection.tests import edited_coco
from utils.detection.tests.edited_coco import annotations_of, change
from utils.detection.tests.mindrecord_sets import write_without_checksums
from utils.detection.tests.tiny_coco import write_coco, write_txt
from utils.model_utils.config.loading import dump_config
from utils.model_utils.errors import BadValueError, MissingPathError, UserError

RECORDS = {"nas_fpn": ("NASFPN_MINDRECORD", "retinanet"), "faster_rcnn": ("FASTERRCNN_MINDRECORD", "FasterRcnn")}
COMMON = ("--batch_size=1", "--keep_empty_images=true", "--num_gts=16")
UNCHANGED = ("--scale_range=[1,1]", "--flip_ratio=0")
SIZE = {"nas_fpn": (), "faster_rcnn": ("--img_height=128", "--img_width=128")}


@pytest.fixture()
def data(tmp_path):
    return write_coco(tmp_path / "coco data")


def open_split(suite, root, *arguments, is_training=True):
    """Opens a split as train.py and eval.py do; the class count is checked too."""
    build = suite.part("build")
    config = suite.load(*SIZE[suite.name], *([f"--coco_root={root}"] if root else []), *arguments)
    split = build.open_configured_split(config, is_training)
    build.num_classes(config, split)
    return split


def assert_trainable(suite, split, num_images, *arguments):
    """Reads an epoch of batches with one image each and checks what every one of them holds; returns their arrays."""
    config = suite.load(*SIZE[suite.name], *COMMON, *arguments)
    columns = suite.part("dataset").TrainingSample.COLUMNS
    batches = suite.part("build").build_training_source(config, split).batches(1)
    batches = [dict(zip(columns, batch, strict=True)) for batch in batches]
    assert len(batches) == num_images
    for arrays in batches:
        assert all(np.isfinite(values).all() for values in arrays.values())
        if suite is NAS_FPN:
            assert arrays["classes"].min() >= -1
            continue
        boxes = arrays["gt_boxes"][arrays["gt_labels"] >= 0]
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert set(np.unique(arrays["rpn_label"])) <= {-1, 0, 1}
    return batches


def labels_of(suite, batches):
    """Returns which classes a batch has something of."""
    labels = np.concatenate([arrays["classes" if suite is NAS_FPN else "gt_labels"].ravel() for arrays in batches])
    return set(labels[(labels >= 0) & (labels < 2)].tolist())


def made_files(folder):
    return [path.name for path in folder.glob("*") if not path.name.endswith(".lock")]


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


# TXT


@pytest.fixture()
def txt(suite, data, tmp_path):
    """Writes train2017.txt, or leaves that of the tiny data set, and opens it."""
    arguments = (*write_txt(data), f"--mindrecord_dir={tmp_path / 'records'}")

    def call(content=None, *changes):
        if content is not None:
            (data / "train2017.txt").write_bytes(content)
        return open_split(suite, None, *arguments, *changes)

    return call


@for_detectors
def test_the_list_of_the_tiny_data_set_trains(suite, txt):
    assert_trainable(suite, txt(), 6)


for_lists = pytest.mark.parametrize("suite", [FASTER_RCNN], ids=str)


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
@for_lists
def test_a_bad_list_is_refused_with_its_line_and_leaves_nothing(suite, content, sentence, txt, tmp_path):
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
@for_lists
def test_an_image_that_a_list_names_and_is_not_there_is_named(suite, content, sentence, txt):
    with pytest.raises(MissingPathError, match=sentence):
        txt(content)


@for_lists
def test_windows_line_ends_empty_lines_and_spaces_in_paths_train(suite, txt, data):
    folder = data / "train2017" / "my photos"
    folder.mkdir()
    (data / "train2017" / "001.jpg").rename(folder / "one, the first.jpg")
    split = txt(b"\xef\xbb\xbfmy photos/one, the first.jpg 1,2,30,40,1,0  50,2,70,90,2,1\r\n\r\n   \r\n000.jpg\r\n")
    batches = assert_trainable(suite, split, 2, *UNCHANGED)
    (first,) = (arrays for arrays in batches if (arrays["gt_labels"] >= 0).any())
    assert first["gt_labels"][0, :3].tolist() == [0, 1, -1]
    assert first["gt_is_crowd"][0, :3].tolist() == [False, True, False]
    assert first["gt_boxes"][0, :2].tolist() == [[1, 2, 30, 40], [50, 2, 70, 90]]


@for_lists
def test_a_list_that_is_not_there_or_without_names_is_a_sentence(suite, txt, data):
    with pytest.raises(BadValueError, match="dataset is 'other' and coco_classes is not set"):
        txt(None, "--coco_classes=null")
    (data / "train2017.txt").unlink()
    with pytest.raises(MissingPathError, match=r"train2017\.txt' does not exist"):
        txt()
    with pytest.raises(BadValueError, match="neither anno_path nor mindrecord_dir is set: .* --anno_path=FILE"):
        open_split(suite, data, "--dataset=other", "--coco_classes=[red, blue]")


# MindRecord files alone


@pytest.fixture()
def records(suite, data):
    """Folder of the finished MindRecord files."""
    open_split(suite, data)
    return data / RECORDS[suite.name][0]


@for_detectors
def test_files_alone_train_without_the_data_set(suite, records):
    assert_trainable(suite, open_split(suite, None, f"--mindrecord_dir={records}"), 6)


def remove(folder, pattern):
    for path in folder.glob(pattern):
        path.unlink()


def truncate(folder):
    (path,) = folder.glob("*.mindrecord0")
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (truncate, "is truncated or damaged"),
        (lambda folder: remove(folder, "*.mindrecord0"), "mindrecord"),
        (lambda folder: remove(folder, "*.mindrecord0.db"), "index .* is missing"),
        (lambda folder: remove(folder, "*.mindrecord?"), "the index of .* but not its data"),
        (lambda folder: remove(folder, "*"), "there are no MindRecord files"),
    ],
)
@for_detectors
def test_files_alone_that_are_not_whole_are_refused(suite, damage, sentence, records):
    damage(records)
    with pytest.raises(UserError, match=sentence):
        open_split(suite, None, f"--mindrecord_dir={records}")


@for_detectors
def test_files_that_are_not_whole_are_made_again_where_the_data_set_is(suite, records, data):
    truncate(records)
    assert_trainable(suite, open_split(suite, data), 6)


@for_detectors
def test_files_of_another_program_are_refused_and_stay(suite, data):
    from mindspore.mindrecord import FileWriter

    folder = data / RECORDS[suite.name][0]
    folder.mkdir()
    writer = FileWriter(str(folder / f"{RECORDS[suite.name][1]}.mindrecord"), 1)
    writer.add_schema({"image": {"type": "bytes"}, "label": {"type": "bytes"}}, "segmentation")
    writer.write_raw_data([{"image": b"1", "label": b"1"}])
    writer.commit()
    before = made_files(folder)
    with pytest.raises(UserError, match=r"was written by another program .*; choose another mindrecord_dir"):
        open_split(suite, data)
    assert made_files(folder) == before


@for_detectors
def test_an_annotation_file_that_is_missing_is_named_before_the_evaluation(suite, records, tmp_path):
    arguments = (f"--mindrecord_dir={records}", f"--instance_set={tmp_path}/absent_{{}}.json")
    split = open_split(suite, None, *arguments)
    with pytest.raises(MissingPathError, match=r"absent_train2017\.json' does not exist: correct --instance_set"):
        assert split.ground_truth


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda content: content["images"].pop(0), "has 5 images .* is of 6 images, 5 of them the same"),
        (lambda content: content["images"].append({**content["images"][0], "id": 9}), "has 7 images"),
        (edited_coco.other_categories, r"category ids \[4, 8\].*category ids \[3, 7\]"),
        (lambda content: content.pop("images"), "has no 'images'"),
    ],
)
@for_detectors
def test_annotations_of_another_split_are_refused_before_the_evaluation(suite, edit, sentence, records, data):
    change(data, edit)
    arguments = (f"--mindrecord_dir={records}", f"--instance_set={annotations_of(data)}")
    with pytest.raises(BadValueError, match=sentence):
        assert open_split(suite, None, *arguments).ground_truth


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


# One annotation file, without splits


@pytest.fixture()
def one_file(data):
    """The training's pictures as CVAT writes them; of val_share 0.45 those of 002 to 005 are evaluated, by hand."""
    (data / "annotations" / "instances_train2017.json").rename(data / "annotations" / "instances_default.json")
    (data / "annotations" / "instances_val2017.json").unlink()
    (data / "train2017").rename(data / "images")
    return data


@for_detectors
def test_the_evaluation_of_a_checkpoint_sees_no_picture_of_its_training(suite, one_file, tmp_path):
    trained = suite.load(f"--coco_root={one_file}", "--val_share=0.45")
    assert suite.part("build").open_configured_split(trained, True).records.image_ids.tolist() == [100, 101]
    checkpoint = suite.tiny.write_checkpoint(tmp_path / "net.ckpt", config_text=dump_config(trained))
    given = (f"--checkpoint_path={checkpoint}", f"--coco_root={one_file}")
    build = suite.part("build")
    config, _ = build.open_checkpoint(suite.load(*given, program="eval.py"), checkpoint)
    split = build.open_evaluation_split(config, ClassTable(("red", "blue"), (7, 3)), "a test")
    assert split.records.image_ids.tolist() == [image["id"] for image in split.ground_truth["images"]]
    assert split.records.image_ids.tolist() == [102, 103, 104, 105]


@for_detectors
def test_a_training_that_is_evaluated_needs_val_share_for_one_file(suite, one_file, tmp_path):
    """Nothing is made before it is refused."""
    with pytest.raises(BadValueError, match=r"has one annotation file, .* --val_share=0\.2 keeps a fifth"):
        suite.call("train.py", f"--coco_root={one_file}", f"--run_dir={tmp_path / 'run'}", "--run_eval=True")
    assert not list(tmp_path.rglob("*.mindrecord*"))


@pytest.mark.end_to_end
@for_detectors
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
