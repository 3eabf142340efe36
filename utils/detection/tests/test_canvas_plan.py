"""Batches of canvases by hand: order, last batches, and the line of the log."""

import numpy as np

from utils.detection.canvases.plan import CanvasBatch, log_canvases, plan_batches

LYING, UPRIGHT, SQUARE = (64, 96), (96, 64), (96, 96)
CANVASES = [UPRIGHT, LYING, SQUARE, LYING, UPRIGHT, LYING, LYING, LYING]  # of pictures 0 to 7


def test_the_largest_group_comes_first_and_no_batch_has_two_canvases():
    assert plan_batches(CANVASES, 3) == (
        CanvasBatch(LYING, (1, 3, 5), 3),
        CanvasBatch(LYING, (6, 7), 3),  # one place is filled up
        CanvasBatch(UPRIGHT, (0, 4), 2),  # no batch of this canvas has more
        CanvasBatch(SQUARE, (2,), 1),
    )


def test_of_equal_groups_the_one_that_comes_first_is_first():
    assert [batch.canvas for batch in plan_batches([UPRIGHT, LYING, SQUARE, UPRIGHT, LYING], 2)] == [
        UPRIGHT,
        LYING,
        SQUARE,
    ]


def test_one_canvas_is_what_it_was_without_any():
    """Seven pictures by four, and three pictures where four are wanted."""
    assert [batch.members for batch in plan_batches([LYING] * 7, 4)] == [(0, 1, 2, 3), (4, 5, 6)]
    assert plan_batches([LYING] * 7, 4)[1].size == 4
    assert plan_batches([LYING] * 3, 4) == (CanvasBatch(LYING, (0, 1, 2), 3),)
    assert plan_batches([], 4) == ()


def test_the_last_picture_fills_a_batch_up():
    planes = [np.full((3, 2, 2), value, np.float32) for value in (1, 2)]
    filled = CanvasBatch((2, 2), (8, 9), 4).fill(planes)
    assert filled.shape == (4, 3, 2, 2)
    assert filled[:, 0, 0, 0].tolist() == [1, 2, 2, 2]


def test_the_log_says_how_many_canvases_there_are(caplog):
    caplog.set_level("INFO")
    log_canvases(plan_batches(CANVASES, 3), limit=3)
    log_canvases(plan_batches([(32 * side, 32) for side in range(1, 11)], 3), limit=9)
    assert caplog.messages == [
        "8 pictures on 3 canvases, height x width (pictures): 64x96 (5), 96x64 (2), 96x96 (1); the network is compiled "
        "for each",
        "10 pictures on 10 canvases, height x width (pictures): 32x32 (1), 64x32 (1), 96x32 (1), 128x32 (1), "
        "160x32 (1), 192x32 (1), 224x32 (1), 256x32 (1) and 2 more; the network is compiled for each, at most 9 of "
        "them held at once (max_canvases)",
    ]
