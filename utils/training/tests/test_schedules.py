"""Learning rates: numbers worked by hand."""

import numpy as np
import pytest

from utils.training.schedules import WarmUp, constant_schedule, cosine_schedule, poly_schedule, step_schedule

FACTOR = {"is_factor": True}


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        pytest.param(constant_schedule(1e-4, 3), [1e-4] * 3, id="constant"),
        pytest.param(poly_schedule(0.8, 4), [0.8, 0.6, 0.4, 0.2], id="poly, power 1: even steps"),
        # remaining 1, 1/2: 0.2 + 0.8 * (1/2)^2 = 0.4
        pytest.param(poly_schedule(1.0, 2, power=2.0, lr_end=0.2), [1.0, 0.4], id="poly, its power and last rate"),
        # cos(0) = 1, cos(pi/4) = 0.7071, cos(pi/2) = 0, cos(3 pi/4) = -0.7071
        pytest.param(
            cosine_schedule(1.0, 4, lr_end=0.1),
            [1.0, 0.1 + 0.45 * 1.70710678, 0.55, 0.1 + 0.45 * 0.29289322],
            id="cosine, half way down after half the steps",
        ),
        pytest.param(
            cosine_schedule(1.0, 12, WarmUp(4, 0.1))[[0, 1, 2, 3, 4, 8, 11]],
            [0.1, 0.325, 0.55, 0.775, 1.0, 0.5, 0.5 * (1 + np.cos(np.pi * 7 / 8))],
            id="cosine after a warm-up",
        ),
        pytest.param(step_schedule(1.0, 6, WarmUp(2, 0.5), (5, 3), 0.1), [0.5, 0.75, 1.0, 0.1, 0.1, 0.01], id="steps"),
        pytest.param(
            constant_schedule(1.0, 6, WarmUp(4, 0.2, **FACTOR)), [0.2, 0.4, 0.6, 0.8, 1.0, 1.0], id="even warm-up"
        ),
        # decay 1, 0.75, 0.5, 0.25; warm-up over two steps from 0: 0, 0.5, 1, 1
        pytest.param(
            poly_schedule(1.0, 4, WarmUp(2, 0.0, **FACTOR)), [0.0, 0.375, 0.5, 0.25], id="a factor on the decay"
        ),
    ],
)
def test_rates_by_hand(rates, expected):
    assert rates.dtype == np.float64
    np.testing.assert_allclose(rates, expected, rtol=1e-8)


def test_the_recipe_of_segformers_paper_at_a_few_steps():
    """6e-5, 160000 steps, 1500 of warm-up from a millionth. Step 750: (1 - 750/160000) * (0.5 + 0.5e-6)."""
    rates = poly_schedule(6e-5, 160_000, WarmUp(1500, 1e-6, **FACTOR))
    assert rates[0] == pytest.approx(6e-11)
    assert rates[750] == pytest.approx(6e-5 * 0.9953125 * 0.5000005, rel=1e-9)
    assert rates[1500] == pytest.approx(6e-5 * 0.990625, rel=1e-9)
    assert rates[80_000] == pytest.approx(3e-5, rel=1e-9)
    assert rates[-1] == pytest.approx(6e-5 / 160_000, rel=1e-6)


@pytest.mark.parametrize("schedule", [constant_schedule, poly_schedule, cosine_schedule])
@pytest.mark.parametrize("warm_up", [WarmUp(), WarmUp(**FACTOR)])
def test_no_steps_and_one_step(schedule, warm_up):
    assert schedule(0.5, 0, warm_up).shape == (0,)
    assert schedule(0.5, 1, warm_up).tolist() == [0.5]


@pytest.mark.parametrize("is_factor", [False, True])
def test_a_run_shorter_than_its_warm_up_never_reaches_lr(is_factor):
    warm_up = WarmUp(10, 0.0, is_factor)
    for rates in (constant_schedule(1.0, 5, warm_up), step_schedule(1.0, 5, warm_up, (), 0.1)):
        np.testing.assert_allclose(rates, [0.0, 0.1, 0.2, 0.3, 0.4])
    assert cosine_schedule(1.0, 5, warm_up).max() < 0.5
