"""Keys that all suites have reach the parts of a run, and the log says the plan."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest

from utils.model_utils.config.loading import load_config
from utils.model_utils.config.schema import TrainingKeys
from utils.training import assembly


def configured(tmp_path, *keys):
    (tmp_path / "default.yaml").write_text("optimizer: adamw\n")
    return load_config(
        TrainingKeys, keys, suite_dir=tmp_path, default_file="default.yaml", program="train.py", description=""
    )


def test_keys_reach_the_plans_and_the_checkpoints(tmp_path):
    config = configured(
        tmp_path,
        "--epoch_size=7",
        "--seed=5",
        "--log_interval=3",
        "--eval_interval=4",
        "--eval_start_epoch=6",
        "--max_bad_steps=9",
        "--save_checkpoint_epochs=2",
        "--keep_checkpoint_max=3",
        "--lr=0.25",
    )
    plan = assembly.plan_training(config, [0.1])
    assert (plan.epochs, plan.log_interval, plan.save_every_epochs, plan.max_bad_steps) == (7, 3, 2, 9)
    assert plan.learning_rates == [0.1]
    evaluation = assembly.plan_evaluation(config, "evaluate", "mAP")
    assert (evaluation.interval, evaluation.start_epoch, evaluation.best_metric) == (4, 6, "mAP")
    identity = assembly.identify_run(config, "suite", ["a"], np.array([7]))
    assert (identity.suite, identity.seed, identity.class_names, identity.category_ids) == ("suite", 5, ("a",), (7,))
    assert "lr: 0.25" in identity.config_text
    run = SimpleNamespace(folder=SimpleNamespace(checkpoints_path=tmp_path))
    checkpoints = assembly.keep_checkpoints(config, run, "net_{epoch}.ckpt", "best.ckpt")
    assert (checkpoints.path, checkpoints.best_path.name, checkpoints.keep_last) == (tmp_path, "best.ckpt", 3)


def test_without_checkpoints_the_last_is_saved_and_without_evaluation_none_is_best(tmp_path):
    config = configured(tmp_path, "--epoch_size=7", "--save_checkpoint=False")
    assert assembly.plan_training(config, [0.1]).save_every_epochs == 7
    assert assembly.plan_evaluation(config, None, "mAP").best_metric == ""


@pytest.mark.parametrize(("base", "rate"), [("null", 0.02), (8, 0.04)])
def test_the_plan_says_data_rate_and_batch(base, rate, tmp_path, caplog):
    config = configured(tmp_path, "--lr=0.02", f"--lr_base_batch={base}")
    with caplog.at_level(logging.INFO):
        assembly.log_plan(config, 11, ("red", "blue"), 16)
    assert caplog.messages == ["11 images, 2 classes: red, blue", f"highest learning rate {rate}, 16 images in a step"]


@pytest.mark.parametrize(("steps", "says"), [(0, False), (1, False), (9, False), (10, True), (100, True)])
def test_a_warm_up_as_long_as_the_run_is_said(steps, says, caplog):
    assembly.warn_of_long_warm_up("warmup_step", steps, 10)
    sentence = f"warmup_step is {steps} and the run has 10 steps: the learning rate never reaches lr; lower"
    assert [message.startswith(sentence) for message in caplog.messages] == [True] * says
