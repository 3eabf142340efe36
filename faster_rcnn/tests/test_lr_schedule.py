"""Learning rates by hand."""

import math

import numpy as np

from faster_rcnn.src.lr_schedule import long_cosine_schedule
from utils.training.schedules import WarmUp


def test_the_run_of_the_page_has_the_rates_of_the_public_suite():
    """12 epochs of 7393 steps, lr 0.04.

    The warm-up goes from 0.04 * 0.0625 = 0.0025 in steps of 0.0375 / 500 = 0.000075; then the rate is
    0.02 * (1 + cos(pi * (i - 500) / 96109)), where 96109 = 13 * 7393.
    """
    rates = long_cosine_schedule(0.04, 12, 7393, WarmUp(500, 0.0625))
    assert len(rates) == 88716
    np.testing.assert_allclose(rates[[0, 1, 100, 499, 500]], [0.0025, 0.002575, 0.01, 0.039925, 0.04])
    # half way down after 96109 / 2 = 48054.5 steps: between step 48554 and the next
    assert rates[48554] > 0.02 > rates[48555]
    # a third of the cosine's length: cos(60 degrees) is 1/2, 0.02 * 1.5
    np.testing.assert_allclose(rates[500 + 96109 // 3], 0.03, rtol=1e-4)
    np.testing.assert_allclose(rates[-1], 0.02 * (1 + math.cos(math.pi * 88215 / 96109)))
    assert round(rates[-1], 5) == 0.00066


def test_a_run_shorter_than_its_warm_up_never_reaches_lr():
    np.testing.assert_allclose(long_cosine_schedule(1.0, 1, 5, WarmUp(10, 0.0)), [0.0, 0.1, 0.2, 0.3, 0.4])
