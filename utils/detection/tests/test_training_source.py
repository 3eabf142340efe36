"""Which images a worker of a job gets in which step, and that the images which only fill a place have no targets."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from utils.detection.data.training_source import MindRecordSource, warn_of_cut_boxes, warn_of_random_weights
from utils.detection.tests.tiny_coco import write_coco
from utils.detection.tests.tiny_splits import open_coco
from utils.model_utils.workers import ALONE, Workers
from utils.randomness import epoch_order
from utils.sharding import ShardedEpochs

NUM_IMAGES = 7
ALL = np.arange(NUM_IMAGES)


@dataclass(frozen=True)
class IdSample:
    """Makes int64[1] image id, epoch and float32[2] ones that stand for targets."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("id", "epoch", "targets")

    seed: int = 3
    epoch: int = 1

    def __call__(self, _encoded, _annotation, image_id):
        return np.array([image_id]), np.array([self.epoch]), np.ones(2, np.float32)

    def without_targets(self, arrays, is_filler):
        ids, epoch, targets = arrays
        return ids, epoch, np.where(is_filler[:, None], np.float32(0), targets)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    root = write_coco(tmp_path_factory.mktemp("source") / "coco", {"train2017": NUM_IMAGES})
    return open_coco(root).records


def steps(records, workers=ALONE, batch_size=1, accumulate_steps=1, drop_remainder=True, start=0, rows=ALL):
    """Image positions and targets of each step of epoch 5, as int64[steps, A*B] and float32[steps, A*B]."""
    epochs = ShardedEpochs(len(rows), batch_size, IdSample.seed, accumulate_steps, workers, drop_remainder)
    source = MindRecordSource(epochs, records, rows, IdSample(), 1, False)
    made = list(source.batches(5, start))
    assert len(made) == source.steps_per_epoch - start
    assert all((batch[1] == 5).all() for batch in made)
    return np.array([batch[0][:, 0] - 100 for batch in made]), np.array([batch[2][:, 0] for batch in made])


def test_one_worker_takes_the_order_of_the_epoch_as_it_is(records):
    order = epoch_order(IdSample.seed, 5, NUM_IMAGES)
    ids, targets = steps(records, batch_size=2)
    assert ids.ravel().tolist() == order[:6].tolist()
    assert (targets == 1).all()
    assert steps(records, batch_size=2, start=2)[0].tolist() == ids[2:].tolist()


@pytest.mark.parametrize("drop_remainder", [True, False])
def test_workers_with_single_images_see_what_one_worker_with_pairs_sees(records, drop_remainder):
    """Also micro batch by micro batch: two of two images each in a step of four."""
    options = {"accumulate_steps": 2, "drop_remainder": drop_remainder}
    whole = steps(records, batch_size=2, **options)
    parts = [steps(records, Workers(rank, 2), **options) for rank in range(2)]
    for one, first, second in zip(whole, *parts, strict=True):
        assert np.stack([first, second], axis=2).reshape(one.shape).tolist() == one.tolist()


@pytest.mark.parametrize(("count", "batch_size"), [(1, 2), (2, 1), (3, 3), (2, 8)])
def test_without_dropping_every_image_has_targets_exactly_once(records, count, batch_size):
    """16 images a step of 7 that there are: the epoch's first images fill more than one round."""
    made = [steps(records, Workers(rank, count), batch_size, drop_remainder=False) for rank in range(count)]
    counted = np.concatenate([ids[targets == 1] for ids, targets in made])
    assert sorted(counted.tolist()) == list(range(NUM_IMAGES))
    fillers = sum(int((targets == 0).sum()) for _, targets in made)
    assert fillers == -NUM_IMAGES % (count * batch_size)


def test_rows_that_are_left_out_never_come(records):
    rows = np.array([1, 2, 4, 5])
    ids, _ = steps(records, batch_size=3, drop_remainder=False, rows=rows)
    assert ids.shape == (2, 3)
    assert set(ids.ravel().tolist()) == set(rows.tolist())


def test_nothing_is_read_after_the_last_step(records):
    assert steps(records, batch_size=2, start=3)[0].size == 0


@pytest.mark.parametrize(
    ("frozen_stages", "has_frozen_norms", "keys"),
    [
        (0, False, []),
        (1, False, ["frozen_stages"]),
        (0, True, ["norm_statistics"]),
        (2, True, ["frozen_stages", "norm_statistics"]),
    ],
)
def test_frozen_random_weights_are_named_by_their_keys(caplog, frozen_stages, has_frozen_norms, keys):
    warn_of_random_weights(frozen_stages, has_frozen_norms)
    assert [message.split()[0] for message in caplog.messages] == keys


def test_images_that_lose_boxes_are_counted(caplog):
    warn_of_cut_boxes(SimpleNamespace(box_counts={1: 5, 4: 2}), num_gts=4)
    assert caplog.messages == []
    warn_of_cut_boxes(SimpleNamespace(box_counts={1: 5, 4: 2}), num_gts=3)
    assert caplog.messages == [
        "2 of 7 images have more than 3 boxes (num_gts), up to 4; the largest 3 of each are kept"
    ]
