"""The lines of the page, and what the configuration makes of schedule, loss scale, data and network."""

import numpy as np
import pytest

from segformer.src import build
from segformer.src.config import load
from segformer.src.train import LogLines, checkpoint_name, find_pretrained, format_step
from segformer.tests.tiny_city import write_city
from utils.model_utils.errors import MissingPathError
from utils.model_utils.workers import Workers
from utils.training.assembly import effective_lr
from utils.training.record.records import StepRecord

TINY = (
    "--backbone_widths=[4,8,10,16]",
    "--backbone_depths=[1,2,1,1]",
    "--decoder_channels=8",
    "--class_num=4",
    "--base_size=[32,64]",
    "--crop_size=[32,32]",
    "--load_ckpt=False",
)


def record(**changed):
    values = {
        "epoch": 12,
        "epochs": 200,
        "step": 100,
        "steps_per_epoch": 1487,
        "global_step": 16457,
        "losses": {"loss": float(np.float32(0.08269882))},
        "learning_rate": 1e-4,
        "grad_norm": 1.0,
        "loss_scale": 32768.0,
        "is_finite": True,
        "data_ms": 2.0,
        "step_ms": 180.4,
        "images_per_second": 11.0,
        "seconds_left": 1.0,
    }
    return StepRecord(**(values | changed))


def test_the_line_of_a_step_is_that_of_the_page():
    line = "Epoch 12/200, step:100/1487, loss:0.08269882, overflow:False, loss_scale:32768.0, step cost:182ms"
    assert LogLines().step_lines(record()) == [line]


def test_an_overflow_is_said():
    line = format_step(record(losses={"loss": float("inf")}, is_finite=False, loss_scale=65536.0))
    assert "loss:inf, overflow:True, loss_scale:65536.0" in line


def test_names_of_checkpoints_are_those_of_the_page():
    assert checkpoint_name("mit_b1", 12) == "segformer_mit_b1_12.ckpt"
    assert checkpoint_name("mit_b1", "best") == "segformer_mit_b1_best.ckpt"


@pytest.mark.parametrize(
    ("arguments", "amp_level", "scale", "is_dynamic"),
    [
        ((), "O0", 1.0, False),
        ((), "bf16", 1.0, False),
        ((), "O2", 16384.0, True),
        (("--loss_scale_mode=static", "--loss_scale=128"), "O2", 128.0, False),
        (("--loss_scale_mode=dynamic", "--loss_scale=64"), "O0", 64.0, True),
    ],
)
def test_the_range_of_float32_needs_no_loss_scale_and_that_of_float16_a_dynamic_one(
    arguments, amp_level, scale, is_dynamic
):
    config = load([*TINY, *arguments])
    scaler = build.build_train_step(config, build.build_network(config), amp_level).loss_scaler
    assert (scaler.scale, scaler.dynamic) == (scale, is_dynamic)


def test_schedules_of_the_configuration():
    steps = build.build_schedule(load([*TINY, "--epoch_size=2", "--lr=0.5"]), 3, 2)
    assert steps.tolist() == [0.5] * 6
    steps = build.build_schedule(load([*TINY, "--epoch_size=2", "--lr=0.6", "--lr_schedule=poly"]), 3, 2)
    np.testing.assert_allclose(steps, [0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    arguments = ("--epoch_size=1", "--lr=0.8", "--lr_schedule=cosine", "--warmup_steps=1", "--warmup_ratio=0.5")
    # cosine at 0, 1/2: 1, 0.5; times 0.5 at the first
    np.testing.assert_allclose(build.build_schedule(load([*TINY, *arguments]), 2, 2), [0.4, 0.4])
    config = load([*TINY, "--lr=0.4", "--lr_base_batch=8"])
    assert effective_lr(config, 4) == pytest.approx(0.2)
    assert build.build_schedule(config, 1, 16).tolist() == pytest.approx([0.8] * config.epoch_size)


def test_a_run_shorter_than_its_warm_up_trains_at_the_rates_of_its_beginning():
    arguments = ("--epoch_size=2", "--lr=0.8", "--lr_schedule=constant", "--warmup_steps=8", "--warmup_ratio=0.5")
    np.testing.assert_allclose(build.build_schedule(load([*TINY, *arguments]), 2, 2), [0.4, 0.45, 0.5, 0.55])


def test_widths_depths_and_head_override_the_backbone():
    variant = build.network_size(load([]))
    assert (variant.widths, variant.depths, variant.decoder_channels) == ((32, 64, 160, 256), (2, 2, 2, 2), 256)
    assert build.network_size(load(["--backbone=mit_b5"])).decoder_channels == 768
    assert build.network_size(load(["--backbone=mit_b5", "--decoder_channels=256"])).decoder_channels == 256
    variant = build.network_size(load(TINY))
    assert (variant.widths, variant.depths, variant.decoder_channels) == ((4, 8, 10, 16), (1, 2, 1, 1), 8)


def test_a_batch_has_the_shapes_that_the_network_takes(tmp_path):
    config = load([*TINY, f"--data_path={write_city(tmp_path, height=32, width=64)}", "--accumulate_steps=2"])
    pairs = build.open_split(config, is_training=True)
    source = build.build_training_source(config, pairs)
    assert (source.images_per_step, source.steps_per_epoch) == (4, 1)
    shapes = [values.shape for values in next(source.batches(1, 0))]
    assert shapes == [(4, 3, 32, 32), (4, 32, 32), (4, 2 * 5), (4, 8)]
    # the last of the five blocks is left out in one of ten images, the first in none
    np.testing.assert_allclose(source.path_drop_rates, np.repeat([0, 0.025, 0.05, 0.075, 0.1], 2), atol=1e-7)
    source = build.build_training_source(load([*TINY, "--drop_remainder=False"]), pairs, Workers(1, 2))
    assert (source.images_per_step, source.steps_per_epoch) == (4, 2)  # 5 images


def test_pretrained_weights_are_wanted_only_where_load_ckpt_says_so(tmp_path):
    file = tmp_path / "b0.ckpt"
    file.write_bytes(b"x")
    assert find_pretrained(load(["--load_ckpt=False"])) is None
    assert find_pretrained(load([f"--pretrained_ckpt_path={file}"])) == file
    for path, words in ((tmp_path, "is no file"), ("", "is not set")):
        with pytest.raises(MissingPathError, match=f"{words}.*convert_model.py.*--load_ckpt=False"):
            find_pretrained(load([f"--pretrained_ckpt_path={path}"]))
