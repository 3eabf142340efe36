"""Records, batches and their randomness on a tiny COCO data set."""

import numpy as np
import pytest

from nas_fpn.src.assignment import AssignmentRule
from nas_fpn.src.dataset import TrainingSample
from nas_fpn.src.variants import STRIDES
from utils.detection.anchors import make_anchors, octave_scales
from utils.detection.augment import AugmentSettings
from utils.detection.data.training_source import MindRecordSource
from utils.detection.inputs import InputSettings
from utils.detection.tests.tiny_splits import open_coco
from utils.sharding import ShardedEpochs

INPUTS = InputSettings(128, 128, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
ANCHORS = make_anchors(128, 128, STRIDES, octave_scales(4.0, 3), (0.5, 1.0, 2.0))
AUGMENT = AugmentSettings(0.5, (0.8, 1.2), 0.4, 0.4, 0.4, 0.0)


@pytest.fixture()
def split(tiny_coco):
    return open_coco(tiny_coco)


def _source(split, num_loaders=1, seed=1):
    sample = TrainingSample(INPUTS, AUGMENT, ANCHORS, num_gts=16, seed=seed, rule=AssignmentRule(2))
    rows = split.training_rows(keep_empty=True)
    return MindRecordSource(ShardedEpochs(len(rows), 2, seed), split.records, rows, sample, num_loaders, False)


def _equal(first, second):
    pairs = [pair for batches in zip(first, second, strict=True) for pair in zip(*batches, strict=True)]
    return all(np.array_equal(one, other) for one, other in pairs)


def test_batches_have_static_shapes_and_targets(split):
    images, classes, deltas = next(iter(_source(split).batches(1)))
    anchors = len(ANCHORS)
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
