"""Records, batches and their randomness on a tiny COCO data set."""

import numpy as np
import pytest

from nas_fpn.src.assignment import AssignmentRule
from nas_fpn.src.box_utils import make_anchors
from nas_fpn.src.dataset import (
    AugmentSettings,
    InputSettings,
    TrainingSample,
    TrainingSource,
    evaluation_batches,
    fit_image,
)
from nas_fpn.src.records import open_split, split_paths
from utils.model_utils.errors import BadValueError, MissingPathError

INPUTS = InputSettings(128, 128, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
AUGMENT = AugmentSettings(0.5, (0.8, 1.2), 0.4, 0.4, 0.4, 0.0)


def _paths(root, folder, split="train2017", **changes):
    values = {
        "form": "coco", "split": split, "coco_root": root and str(root), "anno_path": "", "image_dir": "",
        "instance_set": "annotations/instances_{}.json", "mindrecord_dir": folder, "prefix": f"{split}.mindrecord",
    }
    return split_paths(**{**values, **changes})


@pytest.fixture()
def split(tiny_coco, tmp_path):
    return open_split(_paths(tiny_coco, tmp_path / "records"), None, num_shards=2)


def _source(split, workers=1, batch_size=2, keep_empty=True, seed=1):
    sample = TrainingSample(INPUTS, AUGMENT, make_anchors(128, 128), AssignmentRule(2), 16, seed, 1)
    return TrainingSource(split.records, split.training_rows(keep_empty), batch_size, sample, workers, False)


def _equal(first, second):
    pairs = [pair for batches in zip(first, second, strict=True) for pair in zip(*batches, strict=True)]
    return all(np.array_equal(one, other) for one, other in pairs)


def test_batches_have_static_shapes_and_targets(split):
    images, classes, deltas = next(iter(_source(split).batches(1)))
    anchors = len(make_anchors(128, 128))
    assert images.shape == (2, 3, 128, 128)
    assert images.dtype == np.float32
    assert classes.shape == (2, anchors)
    assert set(np.unique(classes)) <= {-1, 0, 1, 2}
    assert deltas.shape == (2, anchors, 4)


def test_batches_depend_on_seed_and_epoch_only(split):
    first = list(_source(split).batches(1))
    assert len(first) == 3
    assert _equal(first, list(_source(split, workers=2).batches(1)))
    assert not _equal(first, list(_source(split).batches(2)))
    assert not _equal(first, list(_source(split, seed=2).batches(1)))


def test_an_epoch_continues_where_it_stopped(split):
    assert _equal(list(_source(split).batches(4))[2:], list(_source(split).batches(4, start_step=2)))
    assert list(_source(split).batches(4, start_step=3)) == []


def test_images_without_boxes_can_be_left_out(split):
    assert split.training_rows(keep_empty=True).tolist() == [0, 1, 2, 3, 4, 5]
    assert split.training_rows(keep_empty=False).tolist() == [1, 2, 4, 5]
    assert _source(split, keep_empty=False).steps_per_epoch == 2


def test_evaluation_reads_every_image_once_with_a_full_last_batch(split):
    batches = list(evaluation_batches(split.records, INPUTS, 4, 1))
    assert [batch.image_ids for batch in batches] == [(100, 101, 102, 103), (104, 105)]
    assert batches[1].images.shape == (4, 3, 128, 128)
    assert batches[1].sizes == ((96, 128), (96, 128))
    assert batches[1].scales == (1.0, 1.0)


def test_ground_truth_from_mindrecord_equals_the_file(split, tiny_coco, tmp_path):
    without = open_split(_paths(None, tmp_path / "records"), None)
    assert split.ground_truth == tiny_coco / "annotations" / "instances_train2017.json"
    rebuilt = without.ground_truth
    boxes = {(row["image_id"], row["category_id"], *row["bbox"]) for row in rebuilt["annotations"]}
    assert len(boxes) == 6
    assert {category["id"] for category in rebuilt["categories"]} == {3, 7}


def test_fit_image_scales_and_pads_with_the_mean():
    """64 x 32 into 128 x 128: scale 2, the right half is zero after normalisation."""
    image, scale = fit_image(np.full((64, 32, 3), 255, np.uint8), INPUTS)
    assert scale == 2.0
    np.testing.assert_allclose(image[0, 0, 0], (255 - 123.675) / 58.395, rtol=1e-6)
    assert not image[:, :, 64:].any()


def test_nothing_to_read_from_is_a_sentence():
    with pytest.raises(BadValueError, match="--coco_root=FOLDER"):
        _paths(None, None)


def test_a_missing_root_is_named(tmp_path):
    with pytest.raises(MissingPathError, match="is not a folder"):
        _paths(tmp_path / "absent", tmp_path)


def test_txt_data_needs_class_names(tmp_path):
    (tmp_path / "train.txt").write_text("a.jpg 1,1,5,5,1,0\n")
    paths = _paths(None, tmp_path / "r", form="other", anno_path=str(tmp_path / "{}.txt"), split="train")
    assert paths.image_dir == tmp_path
    with pytest.raises(BadValueError, match="coco_classes"):
        open_split(paths, None)
