"""Annotations and images of data sets as Roboflow, CVAT, Label Studio and others lay them out, by hand."""

import json

import pytest

from utils.detection import keys
from utils.detection.annotations.sides import EVALUATION, TRAINING
from utils.detection.data.layouts.coco_layouts import find_annotations, find_images, first_file_names, names_of
from utils.detection.data.splits import open_split
from utils.detection.places.split_places import check_places, place_of_split, say_place
from utils.detection.tests.tiny_coco import write_coco
from utils.model_utils.config.loading import load_config
from utils.model_utils.config.schema import TrainingKeys
from utils.model_utils.config.stored import with_stored
from utils.model_utils.errors import BadValueError

TRAIN, VAL = "train2017", "val2017"
# Annotation file, names in it, where the first image lies; whose layout it is; what train2017 and val2017 are.
ROBOFLOW = {
    "train/_annotations.coco.json": ("a_jpg.rf.1.jpg", "train/a_jpg.rf.1.jpg"),
    "valid/_annotations.coco.json": ("b.jpg", "valid/b.jpg"),
    "test/_annotations.coco.json": ("c.jpg", "test/c.jpg"),
}
ROBOFLOW_IMAGES = {
    "train/_annotations.coco.json": ("a.jpg", "train/images/a.jpg"),
    "test/_annotations.coco.json": ("b.jpg", "test/images/b.jpg"),
}
CVAT = {"annotations/instances_default.json": ("day 1/a.jpg", "images/day 1/a.jpg")}
CVAT_FOLDER = {"annotations/instances_default.json": ("a.jpg", "images/default/a.jpg")}
CVAT_OF_SPLITS = {
    "train/annotations/instances_default.json": ("a.jpg", "train/images/default/a.jpg"),
    "val/annotations/instances_default.json": ("b.jpg", "val/images/default/b.jpg"),
}
CVAT_SUBSETS = {
    "annotations/instances_Train.json": ("a.jpg", "images/Train/a.jpg"),
    "annotations/instances_Validation.json": ("b.jpg", "images/Validation/b.jpg"),
}
LABEL_STUDIO = {"result.json": ("images\\1f-a.jpg", "images/1f-a.jpg")}
PLAIN = {
    "annotations/train.json": ("a.jpg", "train/a.jpg"),
    "annotations/val.json": ("b.jpg", "val/b.jpg"),
}
ROOT_FILES = {"train.json": ("a.jpg", "images/a.jpg"), "val.json": ("images/b.jpg", "images/b.jpg")}
FIFTYONE = {
    "train/labels.json": ("a.jpg", "train/data/a.jpg"),
    "validation/labels.json": ("b.jpg", "validation/data/b.jpg"),
}
DOCUMENTED = {
    "annotations/instances_train2017.json": ("a.jpg", "images/train2017/a.jpg"),
    "annotations/instances_val2017.json": ("b.jpg", "val2017/b.jpg"),
}


class Keys(keys.RecordKeys, TrainingKeys):
    """What both detectors have of it."""


@pytest.fixture()
def load(tmp_path):
    (tmp_path / "default.yaml").write_text("instance_set: annotations/instances_{}.json\n")

    def load(*arguments, checkpoint=""):
        options = {"suite_dir": tmp_path, "default_file": "default.yaml", "program": "train.py", "description": ""}
        given = [f"--coco_root={tmp_path / 'my data'}", *arguments]
        return load_config(Keys, given, checkpoint_key=checkpoint, **options)

    return load


@pytest.fixture()
def write(tmp_path):
    """Writes annotation files with one image each, which is empty, and returns the folder of the data set."""

    def write(files):
        root = tmp_path / "my data"
        for file, (name, image) in files.items():
            for path in (root / file, root / image):
                path.parent.mkdir(parents=True, exist_ok=True)
            (root / image).touch()
            content = {"info": {}, "images": [{"id": 1, "file_name": name, "height": 9, "width": 9}]}
            (root / file).write_text(json.dumps({**content, "annotations": [], "categories": []}))
        return root

    return write


def place(config, is_training):
    return place_of_split(config, "RECORDS", is_training=is_training)


@pytest.mark.parametrize(
    ("files", "layout", "train", "val"),
    [
        (ROBOFLOW, "Roboflow", ("train/_annotations.coco.json", "train"), ("valid/_annotations.coco.json", "valid")),
        (
            ROBOFLOW_IMAGES,
            "Roboflow",
            ("train/_annotations.coco.json", "train/images"),
            ("test/_annotations.coco.json", "test/images"),
        ),
        (CVAT, "CVAT", *2 * [("annotations/instances_default.json", "images")]),
        (CVAT_FOLDER, "CVAT", *2 * [("annotations/instances_default.json", "images/default")]),
        (
            CVAT_OF_SPLITS,
            "CVAT",
            ("train/annotations/instances_default.json", "train/images/default"),
            ("val/annotations/instances_default.json", "val/images/default"),
        ),
        (
            CVAT_SUBSETS,
            "COCO",
            ("annotations/instances_Train.json", "images/Train"),
            ("annotations/instances_Validation.json", "images/Validation"),
        ),
        (LABEL_STUDIO, "Label Studio", *2 * [("result.json", "")]),
        (PLAIN, "COCO", ("annotations/train.json", "train"), ("annotations/val.json", "val")),
        (ROOT_FILES, "COCO", ("train.json", "images"), ("val.json", "")),
        (FIFTYONE, "FiftyOne", ("train/labels.json", "train/data"), ("validation/labels.json", "validation/data")),
    ],
)
def test_a_layout_is_found_without_a_key(files, layout, train, val, write, load):
    root, config = write(files), load()
    for is_training, (file, images) in ((True, train), (False, val)):
        paths = place(config, is_training)
        assert (paths.annotation_file, paths.image_dir) == (root / file, root / images)
        assert (paths.found.layout, paths.found.is_test) == (layout, file.startswith("test/"))
        assert paths.mindrecord_dir == root / "RECORDS"


def test_what_was_found_is_said_in_a_line(write, load, caplog):
    caplog.set_level("INFO")
    root, config = write(ROBOFLOW_IMAGES), load()
    for is_training in (True, False, False):
        say_place(place(config, is_training), is_training=is_training)
    assert [record.message for record in caplog.records] == [
        f"'{root}' has the layout of Roboflow: the annotations of train2017 are 'train/_annotations.coco.json', the "
        "images are in 'train/images'",
        f"'{root}' has the layout of Roboflow: the annotations of val2017 are 'test/_annotations.coco.json', of the "
        "test split, as there is none for validation, the images are in 'test/images'",
    ]


def test_the_documented_layout_counts_first_and_its_images_may_lie_elsewhere(write, load):
    root = write(ROBOFLOW | DOCUMENTED)
    train, val = (place(load(), is_training) for is_training in (True, False))
    assert train.annotation_file == root / "annotations" / "instances_train2017.json" and train.found is None
    assert train.image_dir == root / "images" / "train2017" and "the images are in 'images/train2017'" in train.finding
    assert (val.image_dir, val.finding) == (root / "val2017", "")


def test_keys_count_before_what_is_found(write, load):
    root = write(ROBOFLOW | PLAIN)
    named = load("--instance_set=annotations/{}.json", f"--image_dir={root}/elsewhere of {{}}", "--val_data_type=val")
    assert place(named, False).annotation_file == root / "annotations" / "val.json"
    assert place(named, False).image_dir == root / "elsewhere of val"
    test = place(load("--val_data_type=test"), False)
    assert test.annotation_file == root / "test" / "_annotations.coco.json" and not test.found.is_test
    typed = place(load("--instance_set=annotations/instances_{}.json"), True)
    assert typed.annotation_file == root / "annotations" / "instances_train2017.json" and typed.found is None


def test_a_split_without_its_file_is_not_taken_for_another(write):
    """Neither the training's file nor one beside it is that of the evaluation; a result.json of eval.py is none."""
    root = write({"train.json": PLAIN["annotations/train.json"], "annotations.json": ("a.jpg", "train/a.jpg")})
    assert find_annotations(root, TRAIN).file == root / "train.json"
    assert find_annotations(root, VAL) is None
    (root / "train.json").unlink()
    assert find_annotations(root, VAL).file == root / "annotations.json"
    (root / "annotations.json").rename(root / "result.json")
    assert find_annotations(root, VAL) is None
    assert find_annotations(root / "nowhere", TRAIN) is None
    write(ROBOFLOW_IMAGES)
    assert find_annotations(root, VAL).is_test and find_annotations(root, VAL, or_test=False) is None
    assert find_annotations(root, "fold 1") is None


def test_names_of_a_split():
    assert names_of("train2017")[:4] == ("train2017", "train", "training", "trainset")
    assert names_of("VAL")[:4] == ("val", "valid", "validation", "valset")
    assert {"dev", "eval"} < {*names_of("val2017")} and "trn" in names_of("train2017")  # as data convert has them
    assert names_of("test-dev2017") == ("test-dev2017",)
    assert names_of("fold_3") == ("fold_3",)


def test_file_names_are_read_no_further_than_needed(tmp_path):
    file = tmp_path / "broken.json"
    names = ["a b.jpg", 'quo"te.jpg', "ä\\b.jpg", "x" * 6000]
    text = b",".join(json.dumps({"file_name": name}).encode() for name in names)
    file.write_bytes(b'{"info": "' + b"-" * (2**20 - 60) + b'", "images": [' + text + b', "file_name": 3 \xff\xfe {')
    assert first_file_names(file) == names
    assert first_file_names(file, 2) == names[:2]
    file.write_bytes(b'{"file_name": "\\u0000.jpg", "file_name": "\\x.jpg", "file_name": "\xff.jpg"')
    assert first_file_names(file) == []
    assert first_file_names(tmp_path) == first_file_names(tmp_path / "nothing") == []


def test_images_that_are_nowhere_are_looked_for_where_they_belong(write, load):
    root = write({"train/_annotations.coco.json": ("a.jpg", "train/b.jpg")})
    assert find_images(root / "train" / "_annotations.coco.json", root, TRAIN) is None
    assert place(load(), True).image_dir == root / "train"
    write(DOCUMENTED)
    (root / "images" / "train2017" / "a.jpg").unlink()
    assert place(load(), True).image_dir == root / TRAIN


def test_a_layout_of_roboflow_is_read_with_its_classes(tmp_path, load):
    """The root, category 0, is no class, whether it has a name of its own or that of a class."""
    root = write_coco(tmp_path / "my data", {TRAIN: 6})
    content = json.loads((root / "annotations" / f"instances_{TRAIN}.json").read_text())
    (root / "annotations" / f"instances_{TRAIN}.json").unlink()
    (root / TRAIN).rename(root / "train")
    for name in ("things", "red"):
        categories = [{**category, "supercategory": name} for category in content["categories"]]
        content["categories"] = [{"id": 0, "name": name, "supercategory": "none"}, *categories[-2:]]
        (root / "train" / "_annotations.coco.json").write_text(json.dumps(content))
        records = open_split(place(load(), True), None, 1).records
        assert (records.class_names, records.category_ids, records.num_images) == (("blue", "red"), (3, 7), 6)


# val_share and the files that there are


def test_both_sides_of_val_share_are_of_the_file_of_the_training(write, load):
    root = write(CVAT)
    training, evaluation = (place(load("--val_share=0.2", "--val_seed=3"), each) for each in (True, False))
    assert training.annotation_file == evaluation.annotation_file == root / "annotations" / "instances_default.json"
    assert (training.side.name, evaluation.side.name) == (TRAINING, EVALUATION)
    assert training.side.val_share == evaluation.side.val_share
    assert (training.side.val_share.share, training.side.val_share.seed) == (0.2, 3)
    assert (training.prefix, evaluation.prefix) == ("train.mindrecord", "eval.mindrecord")


@pytest.mark.parametrize("files", [ROBOFLOW, PLAIN, DOCUMENTED])
def test_val_share_with_a_file_for_the_evaluation_is_refused(files, write, load):
    write(files)
    sentence = "val_share is 0.2, and there are files for training and for evaluation, .* --instance_set"
    for is_training in (True, False):
        with pytest.raises(BadValueError, match=sentence):
            place(load("--val_share=0.2"), is_training)


def test_val_share_leaves_a_test_split_alone(write, load):
    root = write(ROBOFLOW_IMAGES)
    check_places(load("--val_share=0.2", "--run_eval=True"))
    for is_training in (True, False):
        assert place(load("--val_share=0.2"), is_training).annotation_file == root / "train" / "_annotations.coco.json"


def test_an_evaluation_takes_val_share_from_the_checkpoint(write, load, caplog):
    """For one file; the file that other data have for the evaluation is evaluated whole."""
    caplog.set_level("INFO")
    stored = {"val_share": 0.25, "val_seed": 4, "val_group_by_stem": True, "coco_root": "/elsewhere"}
    root = write(CVAT)
    side = place(with_stored(load(), stored, "net.ckpt"), False).side
    assert (side.name, side.val_share.share, side.val_share.seed, side.val_share.by_stem) == (EVALUATION, 0.25, 4, True)
    assert "val_share comes from the checkpoint 'net.ckpt': --val_share=0 evaluates all images" in caplog.text
    assert place(with_stored(load("--val_share=0"), stored, "net.ckpt"), False).side is None
    write(ROBOFLOW)
    other = place(with_stored(load("--val_data_type=test"), stored, "net.ckpt"), False)
    assert (other.annotation_file, other.side) == (root / "test" / "_annotations.coco.json", None)
    finished = place(with_stored(load("--coco_root=null", f"--mindrecord_dir={root}"), stored, "net.ckpt"), False)
    assert (finished.annotation_file, finished.side) == (None, None)


def test_a_training_on_one_file_has_to_say_what_is_evaluated(write, load, caplog):
    write(CVAT)
    with pytest.raises(
        BadValueError, match=r"has one annotation file, .*: --val_share=0\.2 keeps a fifth .*run_eval=Fa"
    ):
        check_places(load("--run_eval=True"))
    check_places(load("--run_eval=False"))
    check_places(load("--run_eval=True", "--val_share=0.2"))
    check_places(load("--run_eval=True", "--instance_set=annotations/instances_default.json"))  # asked for
    say_place(place(load(), False), is_training=False)
    assert "the metric shows what was learned by heart" in caplog.text
    write(ROBOFLOW)
    check_places(load("--run_eval=True"))


@pytest.mark.parametrize("argument", ["--val_seed=2", "--val_group_by_stem=True"])
def test_how_nothing_is_shared_out_is_refused(argument, load):
    with pytest.raises(BadValueError, match=f"{argument[2:].split('=')[0]} chooses the images that val_share keeps"):
        load(argument)
