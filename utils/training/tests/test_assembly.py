"""Keys that all suites have reach the loop, and the log says the plan."""

import logging
from types import SimpleNamespace

from utils.model_utils.config.loading import load_config
from utils.model_utils.config.schema import TrainingKeys
from utils.training import assembly


def built(tmp_path, monkeypatch, *keys, evaluate=None):
    """What the loop is built with."""
    (tmp_path / "default.yaml").write_text("optimizer: adamw\n")
    config = load_config(
        TrainingKeys, keys, suite_dir=tmp_path, default_file="default.yaml", program="train.py", description=""
    )
    monkeypatch.setattr(assembly, "Trainer", lambda **given: SimpleNamespace(**given))
    run = SimpleNamespace(folder="folder", on_saved="on_saved", profiler="profiler")
    return assembly.build_trainer(
        config,
        run,
        step="step",
        source="source",
        learning_rates=[0.1],
        checkpoints="checkpoints",
        earlier=None,
        suite="suite",
        class_names=["a"],
        lines="lines",
        evaluate=evaluate,
        best_metric="mAP",
    )


def test_keys_and_parts_reach_the_loop(tmp_path, monkeypatch):
    pre_trained = tmp_path / "net.ckpt"
    trainer = built(
        tmp_path,
        monkeypatch,
        "--epoch_size=7",
        f"--pre_trained={pre_trained}",
        "--pre_trained_epoch_size=2",
        "--seed=5",
        "--log_interval=3",
        "--eval_interval=4",
        "--eval_start_epoch=6",
        "--max_bad_steps=9",
        "--save_checkpoint_epochs=2",
        "--lr=0.25",
        evaluate="evaluate",
    )
    assert (trainer.epochs, trainer.first_epoch, trainer.seed, trainer.max_bad_steps) == (7, 3, 5, 9)
    assert (trainer.log_interval, trainer.eval_interval, trainer.eval_start_epoch) == (3, 4, 6)
    assert (trainer.run, trainer.on_saved, trainer.profiler) == ("folder", "on_saved", "profiler")
    assert (trainer.save_every_epochs, trainer.best_metric, trainer.resume) == (2, "mAP", "")
    assert "lr: 0.25" in trainer.config_text


def test_without_checkpoints_the_last_is_saved_and_without_evaluation_none_is_best(tmp_path, monkeypatch):
    trainer = built(tmp_path, monkeypatch, "--epoch_size=7", "--save_checkpoint=False")
    assert (trainer.save_every_epochs, trainer.best_metric) == (7, "")


def test_the_plan_says_data_rate_and_batch(caplog):
    with caplog.at_level(logging.INFO):
        assembly.log_plan(11, ("red", "blue"), 0.02, 16)
    assert caplog.messages == ["11 images, 2 classes: red, blue", "highest learning rate 0.02, 16 images in a step"]
