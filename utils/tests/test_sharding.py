"""Every image of an epoch goes to one worker, and several workers see what one would."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.model_utils.workers import ALONE, Workers
from utils.randomness import epoch_order
from utils.sharding import ShardedEpochs

counts = st.integers(1, 5)


def shards(num_images, batch_size, num_workers, **options):
    return [
        ShardedEpochs(num_images, batch_size, seed=3, workers=Workers(rank, num_workers), **options)
        for rank in range(num_workers)
    ]


@given(st.integers(0, 60), counts, counts, counts, st.integers(1, 3))
def test_with_the_remainder_each_image_counts_once_in_an_epoch(num_images, batch_size, num_workers, accumulate, epoch):
    taken = []
    for part in shards(num_images, batch_size, num_workers, accumulate_steps=accumulate, drop_remainder=False):
        positions, fillers = part.own_items(epoch)
        assert positions.shape == fillers.shape == (part.steps_per_epoch, accumulate * batch_size)
        taken += positions[~fillers].tolist()
    assert sorted(taken) == list(range(num_images))


@given(st.integers(0, 60), counts, counts, counts)
def test_without_it_full_steps_are_left_and_no_image_comes_twice(num_images, batch_size, num_workers, accumulate):
    parts = shards(num_images, batch_size, num_workers, accumulate_steps=accumulate)
    taken = np.concatenate([part.own_items(1)[0].reshape(-1) for part in parts])
    assert not any(part.own_items(1)[1].any() for part in parts)
    assert len(set(taken)) == len(taken) == parts[0].steps_per_epoch * parts[0].images_per_step
    assert 0 <= num_images - len(taken) < parts[0].images_per_step


@given(st.integers(0, 60), counts, counts, counts, st.booleans())
def test_workers_together_see_the_micro_batches_of_one_with_their_batch(
    num_images, batch_size, num_workers, accumulate, drop_remainder
):
    options = {"accumulate_steps": accumulate, "drop_remainder": drop_remainder}
    one = ShardedEpochs(num_images, batch_size * num_workers, seed=3, **options)
    parts = shards(num_images, batch_size, num_workers, **options)
    assert {part.steps_per_epoch for part in parts} == {one.steps_per_epoch}
    assert {part.images_per_step for part in parts} == {one.images_per_step}
    for whole, pieces in zip(one.own_items(2), zip(*(part.own_items(2) for part in parts), strict=True), strict=True):
        together = np.concatenate([piece.reshape(-1, accumulate, batch_size) for piece in pieces], axis=2)
        np.testing.assert_array_equal(together.reshape(whole.shape), whole)


def test_a_step_in_numbers():
    """Seven images in steps of [2 micro batches, 2 workers, 1 image]: the second step has one place to fill."""
    order = epoch_order(3, 1, 7)
    (first, no_fillers), (second, fillers) = (
        part.own_items(1) for part in shards(7, 1, 2, accumulate_steps=2, drop_remainder=False)
    )
    np.testing.assert_array_equal(first, order[[[0, 2], [4, 6]]])
    np.testing.assert_array_equal(second, order[[[1, 3], [5, 0]]])
    assert not no_fillers.any()
    np.testing.assert_array_equal(fillers, [[False, False], [False, True]])


@pytest.mark.parametrize("drop_remainder", [True, False])
def test_from_a_later_step_on_the_rest_is_the_same(drop_remainder):
    part = shards(17, 2, 2, drop_remainder=drop_remainder)[1]
    for whole, rest in zip(part.own_items(4), part.own_items(4, start_step=3), strict=True):
        np.testing.assert_array_equal(rest, whole[3:])


def test_fewer_images_than_places_are_repeated_as_fillers():
    positions, fillers = ShardedEpochs(2, 5, seed=0, drop_remainder=False).own_items(1)
    order = epoch_order(0, 1, 2)
    np.testing.assert_array_equal(positions, order[[[0, 1, 0, 1, 0]]])
    np.testing.assert_array_equal(fillers, [[False, False, True, True, True]])


def test_a_single_worker_meets_nobody():
    assert ALONE.is_main
    assert (ALONE.gather("a"), ALONE.broadcast("a"), ALONE.share([1, 2])) == (["a"], "a", [1, 2])
    ALONE.wait()
    assert Workers(1, 3).share(range(8)) == range(1, 8, 3)


@pytest.mark.parametrize("total", [0, 2, 7, 9])
def test_blocks_of_workers_are_neighbours_and_cover_all(total):
    blocks = [Workers(rank, 3).share_block(range(total)) for rank in range(3)]
    assert [item for block in blocks for item in block] == list(range(total))
    assert max(map(len, blocks)) - min(map(len, blocks)) <= 1
    assert len(blocks[0]) == max(map(len, blocks))
