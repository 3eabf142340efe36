"""Bad and odd input as this suite meets it; what a room of utils refuses by itself is tested there."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas_fpn.src import build
from nas_fpn.src.assignment import AssignmentRule
from nas_fpn.src.box_utils import make_anchors
from nas_fpn.src.config import load
from nas_fpn.src.dataset import AugmentSettings, TrainingSample
from utils.detection.data.training_source import MindRecordSource
from utils.detection.inputs import InputSettings
from utils.model_utils.errors import BadValueError, MissingPathError, UserError
from utils.sharding import ShardedEpochs
from utils.training.checkpoints.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from utils.training.checkpoints.loading import load_weights

TINY = (
    "--config_path=config/custom.yaml",
    "--img_shape=[128,128]",
    "--resnet_layers=[1,1,1,1]",
    "--resnet_width=4",
    "--nasfpn_out_channel=8",
    "--nasfpn_stack_times=1",
    "--head_stacked_convs=1",
)
INPUTS = InputSettings(128, 128, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
AUGMENT = AugmentSettings(0.5, (0.8, 1.2), 0.4, 0.4, 0.4, 0.1)


def annotations_of(root: Path, split: str = "train2017") -> Path:
    return root / "annotations" / f"instances_{split}.json"


def change(root: Path, edit, split: str = "train2017") -> None:
    """Edits the annotations of a split in place."""
    path = annotations_of(root, split)
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def open_training(root: Path | None, *arguments: str, is_training: bool = True):
    """Opens a split as train.py and eval.py do; the class count is checked too."""
    data = [f"--coco_root={root}"] if root else []
    config = load([*TINY, *data, *arguments])
    split = build.open_configured_split(config, is_training)
    build.num_classes(config, split)
    return split


def batches_of(split, max_boxes: int = 16) -> list[tuple[np.ndarray, ...]]:
    """Returns the batches of an epoch, every image in one."""
    rule = AssignmentRule(len(split.records.class_names))
    sample = TrainingSample(INPUTS, AUGMENT, make_anchors(128, 128), rule, max_boxes, 1, 1)
    rows = split.training_rows(True)
    return list(MindRecordSource(ShardedEpochs(len(rows), 1, 1), split.records, rows, sample, 1, False).batches(1))


def assert_trainable(split, num_images: int, **options) -> list[tuple[np.ndarray, ...]]:
    batches = batches_of(split, **options)
    assert len(batches) == num_images
    for images, classes, deltas in batches:
        assert np.isfinite(images).all()
        assert np.isfinite(deltas).all()
        assert classes.min() >= -1
    return batches


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
    assert not [path for path in (tmp_path / "records").glob("*") if not path.name.endswith(".lock")]


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
    ((_, classes, _),) = assert_trainable(split, 1, max_boxes=1)
    objects = classes[(classes >= 0) & (classes < 2)]
    assert set(np.unique(objects)) == {split.records.class_names.index("blue")}


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


@pytest.mark.parametrize(
    ("content", "sentence"), [(b"", "empty"), (b"no picture at all", "001.jpg"), (None, "001.jpg")]
)
def test_a_picture_that_cannot_be_read_is_named(content, sentence, tiny_coco):
    path = tiny_coco / "train2017" / "001.jpg"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(UserError, match=sentence):
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


# MindRecord files alone


@pytest.fixture()
def records(tiny_coco):
    """Folder of the finished MindRecord files."""
    open_training(tiny_coco)
    return tiny_coco / "NASFPN_MINDRECORD"


def test_files_alone_train_without_the_data_set(records):
    assert_trainable(open_training(None, f"--mindrecord_dir={records}"), 6)


def truncate(records):
    path = records / "retinanet.mindrecord0"
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (truncate, "is truncated or damaged"),
        (lambda records: (records / "retinanet.mindrecord0").unlink(), "mindrecord"),
        (lambda records: (records / "retinanet.mindrecord0.db").unlink(), "index .* is missing"),
        (lambda records: [path.unlink() for path in records.glob("*.mindrecord?")], "the index of .* but not its data"),
        (lambda records: [path.unlink() for path in records.glob("*")], "there are no MindRecord files"),
    ],
)
def test_files_alone_that_are_not_whole_are_refused(damage, sentence, records):
    damage(records)
    with pytest.raises(UserError, match=sentence):
        open_training(None, f"--mindrecord_dir={records}")


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
        (lambda content: content["images"].append({**content["images"][0], "id": 9}), "has 7 images"),
        (other_categories, r"category ids \[4, 8\].*category ids \[3, 7\]"),
        (lambda content: content.pop("images"), "has no 'images'"),
    ],
)
def test_annotations_of_another_split_are_refused_before_the_evaluation(edit, sentence, records, tiny_coco):
    change(tiny_coco, edit)
    arguments = (f"--mindrecord_dir={records}", f"--instance_set={annotations_of(tiny_coco)}")
    with pytest.raises(BadValueError, match=sentence):
        assert open_training(None, *arguments).ground_truth


# Checkpoints


@pytest.fixture(scope="module")
def network():
    return build.build_network(load([*TINY]), num_classes=2)


def weights_of(network) -> dict[str, np.ndarray]:
    return {parameter.name: parameter.asnumpy().copy() for parameter in network.get_parameters()}


def save(path: Path, arrays: dict[str, np.ndarray], suite: str = build.SUITE) -> Path:
    save_checkpoint(path, TrainingState(arrays=arrays, suite=suite))
    return path


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def write_pickle(path: Path) -> Path:
    path.write_bytes(pickle.dumps(Bomb(path.with_name("exploded"))))
    return path


def write_bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda path, network: path, MissingPathError, "does not exist"),
        (lambda path, network: path.parent, MissingPathError, "is a folder"),
        (lambda path, network: write_bytes(path, b""), BadValueError, "is empty"),
        (lambda path, network: write_bytes(path, b"weights"), BadValueError, "is no MindSpore checkpoint"),
        (lambda path, network: write_pickle(path), BadValueError, "is a Python pickle, .* and is not opened"),
        (
            lambda path, network: save(path, weights_of(network), "segformer"),
            BadValueError,
            "is a checkpoint of segformer, wanted one of nas_fpn",
        ),
        (
            lambda path, network: save(path, {"optimizer.momentum.head": np.zeros(3, np.float32)}),
            BadValueError,
            "holds optimizer state only, no weights",
        ),
        (
            lambda path, network: save(path, {"encoder.weight": np.zeros(3, np.float32)}),
            BadValueError,
            "fits no parameter of the network",
        ),
    ],
)
def test_a_file_that_is_no_checkpoint_of_this_suite_is_refused(make, error, sentence, network, tmp_path):
    before = weights_of(network)
    with pytest.raises(error, match=sentence):
        load_weights(network, load_checkpoint(make(tmp_path / "net.ckpt", network), build.SUITE))
    assert not (tmp_path / "exploded").exists()
    for name, values in weights_of(network).items():
        np.testing.assert_array_equal(values, before[name])


@pytest.mark.parametrize(
    ("changes", "num_classes", "sentence"),
    [
        (["--resnet_layers=[2,1,1,1]"], 2, "does not fit the network: .*backbone.*check backbone, depth, width"),
        (["--resnet_width=8"], 2, "does not fit the network: .*backbone"),
        (["--nasfpn_stack_times=2"], 2, r"does not fit the network: .*neck\.stacks\.1"),
        ([], 3, "was trained with another number of classes: .*set num_classes"),
    ],
)
def test_a_checkpoint_of_another_network_is_refused(changes, num_classes, sentence, network, tmp_path):
    path = save(tmp_path / "net.ckpt", weights_of(network))
    other = build.build_network(load([*TINY, *changes]), num_classes)
    with pytest.raises(BadValueError, match=sentence):
        load_weights(other, load_checkpoint(path, build.SUITE))


def test_another_number_of_classes_may_start_anew(network, tmp_path):
    """With filter_weight everything but the class outputs comes from the file."""
    path = save(tmp_path / "net.ckpt", {name: values + 1 for name, values in weights_of(network).items()})
    config = load([*TINY, f"--pre_trained={path}", "--filter_weight=True"])
    other = build.build_network(config, num_classes=5)
    build.load_pretrained(config, other, load_checkpoint(path))
    for name, values in weights_of(other).items():
        if not name.startswith("head.classify"):
            np.testing.assert_array_equal(values, weights_of(network)[name] + 1)


# Runs


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--pre_trained_epoch_size=2"], "pre_trained_epoch_size is 2 and pre_trained is not set"),
        (["--pre_trained=net.ckpt", "--pre_trained_epoch_size=10"], "leaves nothing of epoch_size 10"),
        (
            ["--pre_trained=net.ckpt", "--pre_trained_epoch_size=-1"],
            "pre_trained_epoch_size is -1, wanted a whole number",
        ),
        (["--device_id=-1"], "device_id is -1, wanted"),
        (["--batch_size=0"], "batch_size is 0, wanted a whole number of at least 1"),
    ],
)
def test_keys_of_a_run_that_cannot_be_are_refused(arguments, sentence):
    with pytest.raises(BadValueError, match=sentence):
        load([*TINY, *arguments])


def test_a_batch_of_one_pixel_on_the_coarsest_level_has_no_variance():
    config = load([*TINY, "--batch_size=1"])
    with pytest.raises(BadValueError, match=r"is 1 and img_shape \[128, 128\]: .* norm_statistics to frozen"):
        build.build_train_step(config, build.build_network(config, 2), 2, "O0")
