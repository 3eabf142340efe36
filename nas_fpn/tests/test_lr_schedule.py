"""The schedules against the numbers on the page and against hand-worked ones."""

import numpy as np

from nas_fpn.src import build
from nas_fpn.src.config import load
from nas_fpn.src.lr_schedule import five_stage_schedule
from nas_fpn.src.train import format_lr


def test_five_stages_give_the_rates_printed_on_the_page():
    """The page prints, after epochs 2 to 6 of 916 steps: 3e-6, 2.8e-5, 4.6e-5, 6.4e-5, 8.2e-5 (six decimals)."""
    rates = five_stage_schedule(0.1, 1e-6, 5e-3, 300, (2, 5, 23, 60, 160), 916)
    assert len(rates) == 300 * 916
    printed = [round(float(rates[epoch * 916 - 1]), 6) for epoch in (2, 3, 4, 5, 6)]
    assert printed == [3e-6, 2.8e-5, 4.6e-5, 6.4e-5, 8.2e-5]
    np.testing.assert_allclose(rates[250 * 916], 0.1)
    np.testing.assert_allclose(rates[-1], 0.1 * 5e-3, rtol=1e-3)


def test_five_stages_of_a_short_run_are_cut_not_squeezed():
    rates = five_stage_schedule(0.1, 1e-6, 5e-3, 3, (2, 5, 23, 60, 160), 10)
    assert len(rates) == 30
    np.testing.assert_allclose(rates[20], 1e-5)


def test_the_default_configuration_prints_the_lr_lines_of_the_page():
    """Lines of epochs 2 to 6; the rate is that of the epoch's last step: the next one after epoch 2 is 0.000010."""
    rates = build.build_schedule(load([]), steps_per_epoch=916, images_per_step=8 * 16)
    lines = [format_lr(rates[epoch * 916 - 1]) for epoch in (2, 3, 4, 5, 6)]
    assert lines == ["lr:[0.000003]", "lr:[0.000028]", "lr:[0.000046]", "lr:[0.000064]", "lr:[0.000082]"]
    assert format_lr(rates[2 * 916]) == "lr:[0.000010]"


def test_the_five_stages_meet_but_for_the_first():
    """With lr 0.1 each ramp ends where the next begins, except the first, which ends at a third of it."""
    rates = five_stage_schedule(0.1, 1e-6, 5e-3, 300, (2, 5, 23, 60, 160), 916)
    for epoch, rate in ((7, 1e-4), (30, 1e-3), (90, 1e-2), (250, 0.1)):
        np.testing.assert_allclose([rates[epoch * 916 - 1], rates[epoch * 916]], rate, rtol=1e-3)
    np.testing.assert_allclose([rates[2 * 916 - 1], rates[2 * 916]], [1e-5 / 3, 1e-5], rtol=1e-3)
