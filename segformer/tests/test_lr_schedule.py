"""Learning rates: numbers worked by hand."""

import numpy as np
import pytest

from segformer.src.lr_schedule import constant_schedule, cosine_schedule, poly_schedule, warmup_factors


def test_constant_rate_is_the_same_at_every_step():
    assert constant_schedule(1e-4, 3).tolist() == [1e-4] * 3


def test_poly_with_power_one_falls_in_even_steps():
    # 4 steps: 1, 3/4, 2/4, 1/4 of 0.8
    np.testing.assert_allclose(poly_schedule(0.8, 4), [0.8, 0.6, 0.4, 0.2], rtol=1e-12)


def test_poly_ends_near_its_last_rate_and_follows_its_power():
    # remaining 1, 1/2: 0.2 + 0.8 * (1/2)^2 = 0.4
    np.testing.assert_allclose(poly_schedule(1.0, 2, power=2.0, lr_end=0.2), [1.0, 0.4], rtol=1e-12)


def test_cosine_is_at_the_middle_after_half_the_steps():
    # cos(0) = 1, cos(pi/4) = 0.7071, cos(pi/2) = 0, cos(3 pi/4) = -0.7071
    expected = [1.0, 0.1 + 0.45 * 1.70710678, 0.55, 0.1 + 0.45 * 0.29289322]
    np.testing.assert_allclose(cosine_schedule(1.0, 4, lr_end=0.1), expected, rtol=1e-8)


def test_warm_up_rises_evenly_from_its_ratio():
    np.testing.assert_allclose(warmup_factors(6, 4, 0.2), [0.2, 0.4, 0.6, 0.8, 1.0, 1.0], rtol=1e-12)


def test_warm_up_is_a_factor_on_the_decay():
    # decay 1, 0.75, 0.5, 0.25; warm-up over two steps from 0: 0, 0.5, 1, 1
    np.testing.assert_allclose(poly_schedule(1.0, 4, 2, 0.0), [0.0, 0.375, 0.5, 0.25], rtol=1e-12)


def test_the_papers_recipe_at_a_few_steps():
    # 6e-5, 160000 steps, 1500 of warm-up from a millionth. Step 750: (1 - 750/160000) * (0.5 + 0.5e-6).
    rates = poly_schedule(6e-5, 160_000, 1500, 1e-6)
    assert rates[0] == pytest.approx(6e-11)
    assert rates[750] == pytest.approx(6e-5 * 0.9953125 * 0.5000005, rel=1e-9)
    assert rates[1500] == pytest.approx(6e-5 * 0.990625, rel=1e-9)
    assert rates[80_000] == pytest.approx(3e-5, rel=1e-9)
    assert rates[-1] == pytest.approx(6e-5 / 160_000, rel=1e-6)


@pytest.mark.parametrize("schedule", [constant_schedule, poly_schedule, cosine_schedule])
def test_no_steps_and_one_step(schedule):
    assert schedule(0.5, 0).shape == (0,)
    assert schedule(0.5, 1).tolist() == [0.5]
