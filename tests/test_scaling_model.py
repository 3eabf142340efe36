"""The arithmetic of the table on paper, by hand and by sending the parts around a ring one after the other."""

from pathlib import Path

import pytest

from benchmarks.scaling_model import (
    HCCS,
    ROCE,
    TRAININGS,
    Link,
    all_reduce_seconds,
    efficiency,
    format_table,
    ring_seconds,
)

README = Path(__file__).resolve().parents[1] / "utils" / "launch" / "README.md"


def test_a_ring_by_hand():
    link = Link(bytes_per_second=100.0, latency_seconds=0.5)
    assert ring_seconds(1000, 1, link) == 0
    # two cards: each sends half of the bytes twice
    assert ring_seconds(1000, 2, link) == pytest.approx(2 * (0.5 + 5))
    # four cards, three calls: six turns of a quarter of each call's bytes, and the latency in each call
    assert ring_seconds(1200, 4, link, calls=3) == pytest.approx(3 * 6 * (0.5 + 100 / 100))


@pytest.mark.parametrize("cards", [2, 3, 8])
def test_the_turns_of_a_ring_are_enough_and_none_is_spare(cards):
    """Every card adds what its neighbour sends for n - 1 turns, and takes it over for n - 1 more."""
    parts = [[{card} for _ in range(cards)] for card in range(cards)]  # whose gradients are in each part of each card
    for turn in range(2 * (cards - 1)):
        sent = [(card, (card - turn) % cards) for card in range(cards)]
        moved = [(card, part, set(parts[card][part])) for card, part in sent]
        for card, part, content in moved:
            parts[(card + 1) % cards][part] |= content
        is_done = all(len(part) == cards for card in parts for part in card)
        assert is_done == (turn + 1 == 2 * (cards - 1))


def test_servers_by_hand():
    size = 240e6
    inside = 14 * (10e-6 + size / 8 / 30e9)
    assert all_reduce_seconds(size, 8) == pytest.approx(inside)
    outside = 14 * (20e-6 + size / 8 / 8 / 12.5e9)  # a ring of 8 servers for an eighth of the bytes
    assert all_reduce_seconds(size, 64) == pytest.approx(inside + outside)
    assert all_reduce_seconds(size, 1) == 0
    with pytest.raises(ValueError, match="12 cards do not fill servers of 8"):
        all_reduce_seconds(size, 12)


def test_bytes_take_the_same_time_on_any_number_of_cards_and_latency_grows():
    size = 8e9  # so large that latency does not count
    bounds = 2 * size * (1 / HCCS.bytes_per_second + 1 / 8 / ROCE.bytes_per_second)
    assert all_reduce_seconds(size, 8 * 1000) == pytest.approx(bounds, rel=0.15)
    few, many = (all_reduce_seconds(1, 8 * servers, calls=5) for servers in (2, 101))
    assert many - few == pytest.approx(5 * 2 * 99 * 20e-6, rel=1e-3)


def test_efficiency_by_hand():
    assert efficiency(0.1, 0.0, 0.0) == 1
    assert efficiency(0.1, 0.1, 0.0) == pytest.approx(0.5)
    assert efficiency(0.3, 0.2, 1.0) == pytest.approx(1)  # hides behind the backward pass of 0.2
    assert efficiency(0.3, 0.3, 1.0) == pytest.approx(0.75)  # 0.1 stand out
    assert efficiency(0.3, 0.3, 0.5) == pytest.approx(0.6)  # 0.2 do


def test_the_readme_has_the_table():
    assert format_table() in README.read_text(encoding="utf-8")


def test_gradients_are_float32():
    assert [training.gradient_bytes for training in TRAININGS] == [166_686_208, 14_876_108, 239_869_136]
