"""How a model answers one picture, a list and a generator, with an engine that only counts."""

import mindspore as ms
import numpy as np
import pytest

from utils.api.device import as_guest
from utils.api.model import Model
from utils.model_utils.errors import BadValueError, MissingPathError


class CountingEngine:
    """Answers a picture with its first value, and notes how many came at once and in which mode."""

    names = ("ant", "bee")

    def __init__(self):
        self.calls = []

    def predict(self, pictures, batch, probabilities):
        assert ms.get_context("mode") == ms.GRAPH_MODE
        self.calls.append((len(pictures), batch, probabilities))
        return [int(picture.image[0, 0, 0]) for picture in pictures]


@pytest.fixture()
def model(tmp_path):
    return Model("nas_fpn", tmp_path / "a.ckpt", CountingEngine(), as_guest)


def pictures(count):
    return [np.full((2, 2, 3), number, np.uint8) for number in range(count)]


def test_one_picture_gives_one_result_and_several_give_as_many(model):
    assert model(pictures(1)[0]) == 0
    assert model(pictures(3)) == [0, 1, 2]
    assert model.predict(tuple(pictures(2))) == [0, 1]
    assert model([]) == []
    assert model._engine.calls == [(1, 1, False)] * 6


def test_a_batch_takes_as_many_at_once_and_the_last_what_is_left(model):
    assert model(pictures(5), batch=2, probabilities=True) == [0, 1, 2, 3, 4]
    assert model._engine.calls == [(2, 2, True), (2, 2, True), (1, 2, True)]


def test_a_generator_is_asked_as_results_are_taken(model):
    taken = []

    def camera():
        for picture in pictures(100):
            taken.append(picture)
            yield picture

    results = model(camera(), batch=2)
    assert not taken
    assert [next(results), next(results), next(results)] == [0, 1, 2]
    assert len(taken) == 4


def test_what_is_before_a_bad_picture_is_answered(model, tmp_path):
    results = model(iter([*pictures(1), tmp_path / "nowhere.jpg"]))
    assert next(results) == 0
    with pytest.raises(MissingPathError, match=r"nowhere\.jpg"):
        next(results)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2", None])
def test_a_batch_that_is_no_count_is_refused(model, wrong):
    with pytest.raises(BadValueError, match="wanted a whole number from 1 on"):
        model(pictures(1), batch=wrong)


@pytest.mark.parametrize("wrong", [{}, 3, None, b"a.jpg"])
def test_what_is_no_picture_is_refused_at_once(model, wrong):
    with pytest.raises(BadValueError, match="wanted a picture"):
        model(wrong)


@pytest.mark.parametrize("mode", [ms.GRAPH_MODE, ms.PYNATIVE_MODE])
def test_the_users_mode_is_kept(model, mode):
    before = ms.get_context("mode")
    ms.set_context(mode=mode)
    try:
        model(pictures(1))
        assert ms.get_context("mode") == mode
    finally:
        ms.set_context(mode=before)


def test_it_says_what_it_is(model):
    assert repr(model) == f"Model(suite='nas_fpn', path='{model.path}', 2 classes)"
    assert model.names == ("ant", "bee")
