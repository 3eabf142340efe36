"""Work in a thread behind the network: its order, its bound, its errors."""

import threading

import pytest

from utils.drawing.writing_behind import MOST_WAITING, WritingBehind
from utils.model_utils.errors import BadStateError


def test_calls_are_made_in_their_order_in_one_other_thread():
    done = []
    with WritingBehind() as writer:
        for number in range(50):
            writer.run(lambda each: done.append((each, threading.get_ident())), number)
    assert [number for number, _ in done] == list(range(50))
    assert {thread for _, thread in done} - {threading.get_ident()} == {thread for _, thread in done}
    assert len({thread for _, thread in done}) == 1


def test_so_many_wait_and_no_more():
    gate, made = threading.Event(), []

    def hand_over():
        with WritingBehind() as writer:
            for number in range(MOST_WAITING + 2):
                writer.run(lambda: gate.wait(20))
                made.append(number)

    thread = threading.Thread(target=hand_over)
    thread.start()
    thread.join(0.5)
    assert len(made) == MOST_WAITING
    gate.set()
    thread.join(20)
    assert len(made) == MOST_WAITING + 2


def test_what_a_call_raises_is_raised_later_and_the_calls_behind_it_are_not_made():
    made, gate = [], threading.Event()

    def fail():
        gate.wait(20)
        raise BadStateError("the disk is full")

    with pytest.raises(BadStateError, match="the disk is full"), WritingBehind() as writer:
        writer.run(fail)
        writer.run(made.append, 1)
        gate.set()
    assert len(made) <= 1
    with pytest.raises(BadStateError, match="the disk is full"), WritingBehind() as writer:
        writer.run(fail)
        for number in range(100):
            writer.run(made.append, number)
    assert len(made) < 100


def test_an_error_of_the_block_counts():
    with pytest.raises(ValueError, match="of the block"), WritingBehind() as writer:
        writer.run(lambda: None)
        raise ValueError("of the block")
