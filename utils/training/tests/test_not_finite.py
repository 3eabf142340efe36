"""Weights that are not finite: no command takes them, no run saves them, and the last good checkpoint stays."""

import re
import shutil

import numpy as np
import pytest
from tiny_training import STEPS_PER_EPOCH, tiny_trainer

from utils.model_utils.errors import BadStateError, BadValueError
from utils.model_utils.guards.finite import describe_not_finite
from utils.training.checkpoints.checkpoint import TrainingState, load_checkpoint, load_resumable, save_checkpoint
from utils.training.checkpoints.checkpoint_file import write_checkpoint_file
from utils.training.checkpoints.conversion_command import read_weights

NAN, INF = np.nan, np.inf


def test_what_is_not_finite_is_counted_and_three_are_named():
    """By hand: 1 + 2 + 1 + 1 values of 4 + 2 + 1 + 1 + 3 + 2."""
    arrays = {
        "a": np.float32([1, NAN, 3, 4]),
        "b": np.float16([INF, -INF]),
        "c": np.float64([NAN]),
        "d": np.float32([INF]),
        "good": np.float32([1e38, -0.0, 1e-45]),
        "whole": np.int64([1, 2]),
    }
    assert describe_not_finite(arrays) == (
        "5 of 13 values, in 4 of 6 parameters (a, 1 of 4; b, 2 of 2; c, 1 of 1; and 1 more)"
    )
    assert describe_not_finite({"good": arrays["good"], "whole": arrays["whole"], "none": np.float32([])}) == ""


def saved(path, **values):
    """A checkpoint of a run with weights, averages and momentum; `values` are what stands in place of a 1."""
    arrays = {name: np.ones(3, np.float32) for name in ("w", "ema.w", "optimizer.momentum.w")}
    for name, value in values.items():
        arrays[name.replace("__", ".")][1] = value
    save_checkpoint(path, TrainingState(arrays, suite="tiny", global_step=5, epoch=2))
    return path


@pytest.mark.parametrize("read", [load_checkpoint, load_resumable])
@pytest.mark.parametrize("name", ["w", "ema__w"])
@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_weights_and_averages_have_to_be_finite_for_everyone(read, name, value, tmp_path):
    path = saved(tmp_path / "a.ckpt", **{name: value})
    kinds = "(NaN, infinite or too large for float32)"
    sentence = f"'{path}' holds values that are not finite {kinds}: 1 of 6 values, in 1 of 2 parameters ("
    with pytest.raises(BadValueError, match=re.escape(sentence)) as refused:
        read(path)
    assert str(refused.value).endswith(": choose an earlier checkpoint of the run")


def test_what_float32_does_not_hold_would_be_infinite_in_the_network(tmp_path):
    """Its largest value is (2 - 2^-23) * 2^127; from half a step above that, 2^128 - 2^103, it rounds to infinity."""
    write_checkpoint_file(
        tmp_path / "a.ckpt", {"w": np.float64([2.0**128 - 2.0**104, 2.0**128 - 1.5 * 2.0**103, -1e-300])}
    )
    assert np.isfinite(load_checkpoint(tmp_path / "a.ckpt").weights()["w"].astype(np.float32)).all()
    write_checkpoint_file(tmp_path / "a.ckpt", {"w": np.float64([2.0**128 - 2.0**103, -1e300, 1.0])})
    with pytest.raises(BadValueError, match=r"float32\): 2 of 3 values, in 1 of 1 parameter \(w, 2 of 3\)"):
        load_checkpoint(tmp_path / "a.ckpt")


def test_an_optimizer_s_state_has_to_be_finite_for_a_run_that_goes_on_alone(tmp_path):
    path = saved(tmp_path / "a.ckpt", optimizer__momentum__w=NAN)
    assert load_checkpoint(path).weights()["w"].tolist() == [1, 1, 1]
    with pytest.raises(BadValueError, match=r"\(optimizer\.momentum\.w, 1 of 3\); .* or load it as pretrained weights"):
        load_resumable(path)


def test_what_mindspore_s_optimizers_left_in_a_file_does_not_matter(tmp_path):
    """Under a loss scale that is too high, its moments may be infinite; they are not read."""
    arrays = {"w": np.ones(2, np.float32), "moments.w": np.float32([INF, 1]), "loss_scale": np.float32([INF])}
    write_checkpoint_file(tmp_path / "a.ckpt", arrays)
    assert load_checkpoint(tmp_path / "a.ckpt").weights().keys() == {"w"}
    write_checkpoint_file(tmp_path / "a.ckpt", {**arrays, "w": np.float32([NAN, 1])})
    with pytest.raises(BadValueError, match="1 of 2 values, in 1 of 1 parameter .* convert it again from its source"):
        load_checkpoint(tmp_path / "a.ckpt")
    with pytest.raises(BadValueError, match="1 of 2 values, in 1 of 1 parameter"):
        read_weights(tmp_path / "a.ckpt", "tiny", averaged=False)


def rates(*, last, epochs=2):
    """A course whose last step has an infinite learning rate: loss and gradients are finite, the update is not."""
    return np.array([0.1] * (epochs * STEPS_PER_EPOCH - 1) + [last])


@pytest.mark.parametrize("save_every_epochs", [1, 3])
def test_a_run_whose_weights_overflow_saves_and_evaluates_nothing_of_them(save_every_epochs, tmp_path):
    evaluated = []

    def evaluate(epoch):
        evaluated.append(epoch)
        return {"AP": float(epoch)}

    options = {"evaluate": evaluate, "best_metric": "AP", "keep_last": 1, "save_every_epochs": save_every_epochs}
    trainer, run, _ = tiny_trainer(tmp_path, learning_rates=rates(last=np.inf), **options)
    with run, pytest.raises(BadStateError) as refused:
        trainer.fit()
    sentence = str(refused.value)
    assert sentence.startswith("the parameters are not finite (NaN or infinite) after epoch 2 step 4: ")
    assert sentence.endswith("then start again or go on with --resume=auto")
    assert evaluated == [1]
    files = {path.name: load_resumable(path) for path in run.checkpoints_path.iterdir()}
    assert files.keys() == {"tiny_best.ckpt", *(["tiny-1_4.ckpt"] if save_every_epochs == 1 else [])}
    assert all(found.epoch == 1 for found in files.values())
    if save_every_epochs == 1:
        assert f"the newest checkpoint is '{run.checkpoints_path / 'tiny-1_4.ckpt'}'" in sentence
        with run:  # what it advises works
            trainer, _, _ = tiny_trainer(tmp_path, learning_rates=rates(last=0.01), **options)
            assert trainer.fit().best.epoch == 2
    else:
        assert "there is no checkpoint yet" in sentence


def test_a_newest_checkpoint_that_is_not_finite_is_passed_over(tmp_path, caplog):
    """An earlier version has saved it."""
    trainer, run, _ = tiny_trainer(tmp_path, epochs=1)
    with run:
        trainer.fit()
    good = run.checkpoints_path / "tiny-1_4.ckpt"
    state = load_checkpoint(good)
    state.arrays = {name: np.full_like(array, NAN) for name, array in state.arrays.items()}
    state.epoch = 2
    save_checkpoint(run.checkpoints_path / "tiny-2_4.ckpt", state)
    shutil.copy(good, tmp_path / "kept")
    trainer, run, _ = tiny_trainer(tmp_path, epochs=2)
    with run:
        assert trainer.fit().steps == STEPS_PER_EPOCH
    assert "passing over a checkpoint: " in caplog.text
    assert "not finite" in caplog.text


def test_a_new_run_takes_weights_alone_where_the_optimizer_s_state_is_not_finite(tmp_path, caplog):
    trainer, run, _ = tiny_trainer(tmp_path / "earlier", epochs=1)
    with run:
        trainer.fit()
    earlier = run.checkpoints_path / "tiny-1_4.ckpt"
    state = load_checkpoint(earlier)
    state.arrays["optimizer.momentum.head.bias"] = np.float32([NAN, 0, 0])
    save_checkpoint(earlier, state)
    trainer, run, _ = tiny_trainer(tmp_path / "run", resume="", first_epoch=2, earlier=earlier)
    with run:
        trainer.fit()
    assert "the optimizer starts anew, only weights are taken: " in caplog.text
