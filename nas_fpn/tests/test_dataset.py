"""Records, batches and their randomness on a tiny COCO data set."""

import numpy as np
import pytest

from nas_fpn.src.assignment import AssignmentRule
from nas_fpn.src.box_utils import make_anchors
from nas_fpn.src.dataset import AugmentSettings, TrainingSample
from utils.detection.data.splits import open_split, split_paths
from utils.detection.data.training_source import MindRecordSource
from utils.detection.inputs import InputSettings
from utils.sharding import ShardedEpochs

INPUTS = InputSettings(128, 128, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
AUGMENT = AugmentSettings(0.5, (0.8, 1.2), 0.4, 0.4, 0.4, 0.0)


@pytest.fixture()
def split(tiny_coco, tmp_path):
    paths = split_paths(
        form="coco",
        split="train2017",
        coco_root=str(tiny_coco),
        instance_set="annotations/instances_{}.json",
        anno_path="",
        image_dir="",
        mindrecord_dir=str(tmp_path / "records"),
        default_folder="",
        prefix="train",
    )
    return open_split(paths, None, num_shards=2)


def _source(split, num_loaders=1, batch_size=2, keep_empty=True, seed=1):
    sample = TrainingSample(INPUTS, AUGMENT, make_anchors(128, 128), AssignmentRule(2), 16, seed, 1)
    rows = split.training_rows(keep_empty)
    epochs = ShardedEpochs(len(rows), batch_size, seed)
    return MindRecordSource(epochs, split.records, rows, sample, num_loaders, False)


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
    assert _equal(first, list(_source(split, num_loaders=2).batches(1)))
    assert not _equal(first, list(_source(split).batches(2)))
    assert not _equal(first, list(_source(split, seed=2).batches(1)))


def test_an_epoch_continues_where_it_stopped(split):
    assert _equal(list(_source(split).batches(4))[2:], list(_source(split).batches(4, start_step=2)))
    assert list(_source(split).batches(4, start_step=3)) == []


def test_steps_without_the_images_that_have_no_box(split):
    assert _source(split, keep_empty=False).steps_per_epoch == 2
