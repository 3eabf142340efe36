"""A run that is stopped and resumed ends bit for bit where an uninterrupted one ends."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tiny_training import STEPS_PER_EPOCH, TinySource, final_state, tiny_step, tiny_trainer

from utils.model_utils.command import Terminated
from utils.model_utils.errors import BadStateError, BadValueError
from utils.tests.processes import LIMIT_SECONDS
from utils.training.checkpoints.checkpoint import Checkpoint
from utils.training.checkpoints.checkpoint_file import write_checkpoint_file
from utils.training.record.metrics_log import read_metrics
from utils.training.resume import take_position

SCRIPT = Path(__file__).with_name("tiny_training.py")
KILLS = 10
KILL_EPOCHS = 120  # of one step


class StopError(Exception):
    """Raised by a source in place of a crash."""


class StoppingSource(TinySource):
    """Fails when it is asked for the batch after `stop_after` steps in all."""

    def __init__(self, stop_after, error=StopError, **options):
        super().__init__(**options)
        self.stop_after, self.error = stop_after, error

    def batches(self, epoch, start_step):
        for step, batch in enumerate(super().batches(epoch, start_step), start_step):
            if (epoch - 1) * self.steps_per_epoch + step == self.stop_after:
                self.fail()
            yield batch

    def fail(self):
        raise self.error


class InterruptedSource(StoppingSource):
    """Sends this process a signal before the batch after `stop_after` steps, and yields it."""

    def __init__(self, stop_after, signal_number):
        super().__init__(stop_after)
        self.signal_number = signal_number

    def fail(self):
        os.kill(os.getpid(), self.signal_number)


def run_to_end(folder, **options):
    trainer, run, step = tiny_trainer(folder, **options)
    with run:
        return trainer.fit(), final_state(step)


def assert_equal_states(actual, expected):
    assert actual.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(actual[name], values, err_msg=name)


def stripped(rows):
    """Rows without times."""
    return [
        {key: value for key, value in row.items() if not key.endswith(("_ms", "seconds", "per_second"))} for row in rows
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Folder and final state of an uninterrupted run of two epochs with evaluation."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, run_to_end(folder, saves_each_step=True, keep_last=0, evaluate=evaluate, best_metric="AP")[1]


def evaluate(epoch):
    return {"AP": epoch / 10}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_six_steps_equal_three_and_resume_and_three(optimizer, tmp_path):
    """With augmentation, an in-graph sampled input, EMA, clipping, a growing loss scale; the stop is in mid-epoch."""
    options = {"optimizer": optimizer, "epochs": 2, "saves_each_step": True}
    _, expected = run_to_end(tmp_path / "whole", source=TinySource(3), **options)
    with pytest.raises(StopError):
        run_to_end(tmp_path / "parts", source=StoppingSource(2, steps_per_epoch=3), **options)
    _, actual = run_to_end(tmp_path / "parts", source=TinySource(3), **options)
    assert_equal_states(actual, expected)
    assert expected["loss_scale"] == 64
    assert any(name.startswith("ema.norm.moving") for name in expected)
    rows = [read_metrics(tmp_path / name / "metrics.jsonl") for name in ("whole", "parts")]
    steps = [[row for row in stripped(part) if row["kind"] == "step"] for part in rows]
    assert steps[0] == steps[1]


def test_after_a_crash_the_steps_since_the_checkpoint_are_made_and_logged_once_more(whole, tmp_path):
    with pytest.raises(StopError):
        run_to_end(tmp_path, source=StoppingSource(5))
    _, actual = run_to_end(tmp_path)
    assert_equal_states(actual, whole[1])
    rows = [row for row in read_metrics(tmp_path / "metrics.jsonl") if row["kind"] == "step"]
    assert [row["global_step"] for row in rows] == list(range(1, 2 * STEPS_PER_EPOCH + 1))


def test_what_a_full_disk_advises_works(whole, tmp_path, monkeypatch):
    """The second checkpoint does not fit: once there is room, --resume=auto goes on from the first."""
    written, force = [], os.fsync

    def full_from_the_second_on(descriptor):
        written.append(descriptor)
        if len(written) > 2:  # the file of the first checkpoint, and its folder
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        force(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_from_the_second_on)
        with pytest.raises(
            BadStateError, match="free some space .* then go on with --resume=auto: earlier checkpoints"
        ):
            run_to_end(tmp_path)
    assert len(list(tmp_path.rglob("*.ckpt"))) == 1
    _, actual = run_to_end(tmp_path)
    assert_equal_states(actual, whole[1])


@pytest.mark.parametrize(
    ("signal_number", "errors"), [(signal.SIGINT, (KeyboardInterrupt, Terminated)), (signal.SIGTERM, Terminated)]
)
def test_a_signal_saves_a_checkpoint_of_the_present_step_and_passes_on(signal_number, errors, whole, tmp_path, caplog):
    caplog.set_level("INFO")
    with pytest.raises(errors):
        run_to_end(tmp_path, source=InterruptedSource(4, signal_number))
    assert (tmp_path / "checkpoints" / "tiny-2_1.ckpt").is_file()
    saved = tmp_path / "checkpoints" / "tiny-2_1.ckpt"
    assert f"stopped at epoch 2 step 1, saved {saved}; the same command goes on with --resume=auto" in caplog.text
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    _, actual = run_to_end(tmp_path)
    assert_equal_states(actual, whole[1])


def test_a_signal_during_evaluation_stops_it_and_resuming_evaluates_again(whole, tmp_path):
    def interrupted(epoch):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        return {"AP": 0.0}

    with pytest.raises(Terminated):
        run_to_end(tmp_path, evaluate=interrupted, best_metric="AP")
    result, actual = run_to_end(tmp_path, evaluate=evaluate, best_metric="AP")
    assert_equal_states(actual, whole[1])
    assert result.steps == STEPS_PER_EPOCH
    rows = [read_metrics(folder / "metrics.jsonl") for folder in (whole[0], tmp_path)]
    assert stripped(rows[0]) == stripped(rows[1])


def test_a_finished_run_has_nothing_to_resume(whole, tmp_path):
    shutil.copytree(whole[0], tmp_path, dirs_exist_ok=True)
    result, actual = run_to_end(tmp_path, evaluate=lambda epoch: {"AP": 1.0}, best_metric="AP")
    assert_equal_states(actual, whole[1])
    assert result.steps == 0
    assert (result.best.epoch, result.best.metrics) == (2, {"AP": 0.2})
    assert result.last_checkpoint == tmp_path / "checkpoints" / "tiny-2_4.ckpt"


def test_more_epochs_continue_a_finished_run(whole, tmp_path):
    shutil.copytree(whole[0], tmp_path, dirs_exist_ok=True)
    result, _ = run_to_end(tmp_path, epochs=3)
    assert result.steps == STEPS_PER_EPOCH
    assert result.last_checkpoint.name == "tiny-3_4.ckpt"


def test_resume_from_a_named_file(whole, tmp_path):
    _, actual = run_to_end(tmp_path, resume=str(whole[0] / "checkpoints" / "tiny-1_3.ckpt"))
    assert_equal_states(actual, whole[1])


@pytest.mark.parametrize("damage", [lambda content: content[:-300], lambda content: content[:400], lambda content: b""])
def test_a_damaged_newest_checkpoint_is_passed_over(damage, whole, tmp_path, caplog):
    shutil.copytree(whole[0], tmp_path, dirs_exist_ok=True)
    newest = tmp_path / "checkpoints" / "tiny-2_4.ckpt"
    newest.write_bytes(damage(newest.read_bytes()))
    result, actual = run_to_end(tmp_path)
    assert result.steps == 1
    assert "passing over a checkpoint: " in caplog.text
    assert_equal_states(actual, whole[1])


def test_a_new_run_goes_on_after_the_epochs_of_an_earlier_one(tmp_path):
    """Weights, optimizer state, averages, loss scale, schedule and draws: the second epoch is that of a whole run."""
    _, expected = run_to_end(tmp_path / "whole", keep_last=0)
    earlier = tmp_path / "whole" / "checkpoints" / "tiny-1_4.ckpt"
    result, actual = run_to_end(tmp_path / "second", resume="", first_epoch=2, earlier=earlier)
    assert_equal_states(actual, expected)
    assert result.steps == STEPS_PER_EPOCH
    assert result.last_checkpoint.name == "tiny-2_4.ckpt"
    whole, second = (stripped(read_metrics(tmp_path / name / "metrics.jsonl")) for name in ("whole", "second"))
    assert second == [row for row in whole if row["epoch"] == 2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"optimizer": "adamw"}, "the optimizer starts anew, only weights are taken: "),
        ({"class_names": ("b", "a")}, "the optimizer starts anew, only weights are taken: "),
        ({"first_epoch": 3, "epochs": 3}, "was saved at step 4 of 4 in epoch 1, this run begins with epoch 3"),
    ],
)
def test_an_earlier_run_that_does_not_fit_is_said_in_the_log(options, words, whole, tmp_path, caplog):
    earlier = whole[0] / "checkpoints" / "tiny-1_4.ckpt"
    if "class_names" in options:
        run_to_end(tmp_path / "whole", keep_last=0, class_names=("a", "b"))
        earlier = tmp_path / "whole" / "checkpoints" / "tiny-1_4.ckpt"
    run_to_end(tmp_path, resume="", **{"first_epoch": 2, "earlier": earlier, **options})
    assert words in caplog.text


def test_of_a_file_of_weights_only_the_schedule_goes_on_alone(tmp_path, caplog):
    caplog.set_level("INFO")
    write_checkpoint_file(tmp_path / "weights.ckpt", {"head.bias": np.zeros(3, np.float32)})
    result, _ = run_to_end(tmp_path / "run", resume="", first_epoch=2, earlier=tmp_path / "weights.ckpt")
    assert "holds weights only: the optimizer starts anew" in caplog.text
    assert result.steps == STEPS_PER_EPOCH


def test_a_run_with_other_classes_does_not_go_on_and_changes_nothing(tmp_path):
    """Nor with the same in another order, which would train their outputs as each other's."""
    run_to_end(tmp_path, epochs=1, class_names=("a", "b"), config_text="classes: [a, b]")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    sentence = r"was trained with the classes \['a', 'b'\], this run has \['b', 'a'\]: resume with the same data"
    with pytest.raises(BadValueError, match=sentence):
        run_to_end(tmp_path, class_names=("b", "a"), config_text="classes: [b, a]")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("first_epoch", [0, 3])
def test_a_first_epoch_outside_of_the_run_gets_a_sentence(first_epoch, tmp_path):
    with pytest.raises(ValueError, match="wanted 1 to 2, the number of epochs"):
        run_to_end(tmp_path, first_epoch=first_epoch)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"suite": "other"}, "is a checkpoint of tiny, wanted one of other"),
        ({"source": TinySource(2)}, "stopped at step 3 of 4 in epoch 1, this run has 2 steps per epoch"),
        ({"optimizer": "adamw"}, r"does not fit this run: .* missing from the file \(optimizer.first_moment"),
        ({"step": "without averages"}, r"does not fit this run: .* unused \(ema.conv.weight \(4, 1, 3, 3\)"),
    ],
)
def test_what_cannot_be_resumed_gets_a_sentence(options, sentence, whole, tmp_path):
    if "step" in options:
        options = {"step": tiny_step(ema_decay=0.0)[1]}
    with pytest.raises(ValueError, match=sentence):
        run_to_end(tmp_path, resume=str(whole[0] / "checkpoints" / "tiny-1_3.ckpt"), **options)


def place(images_per_step, steps_per_epoch, **values):
    return Checkpoint(
        arrays={}, path=Path("a.ckpt"), images_per_step=images_per_step, steps_per_epoch=steps_per_epoch, **values
    )


@pytest.mark.parametrize(
    ("images_per_step", "steps_per_epoch", "step", "again"),
    [
        (2, 8, 6, ""),  # 12 of 16 images are done
        (6, 2, 2, ""),  # and what is left is no full step
        (8, 2, 1, ", 4 images of the epoch trained on once more"),
    ],
)
def test_another_batch_size_goes_on_with_the_images_that_come_next(
    images_per_step, steps_per_epoch, step, again, caplog
):
    """Three of four steps of four images in epoch 2 are done; two workers instead of one."""
    caplog.set_level("INFO")
    found = place(4, 4, epoch=2, step_in_epoch=3, global_step=7)
    wanted = place(images_per_step, steps_per_epoch, num_workers=2)
    take_position(found, wanted)
    assert (wanted.epoch, wanted.step_in_epoch, wanted.global_step) == (2, step, steps_per_epoch + step)
    assert caplog.messages == [
        f"resuming with {images_per_step} images in a step on 2 workers instead of 4 on 1: step 3 of 4 in epoch 2 is "
        f"step {step} of {steps_per_epoch}, global step 7 is {steps_per_epoch + step}, whose learning rate is used"
        f"{again}"
    ]


def test_after_a_whole_epoch_any_batch_size_begins_the_next():
    wanted = place(3, 5)
    take_position(place(4, 4, epoch=2, step_in_epoch=4, global_step=8, epoch_done=True), wanted)
    assert (wanted.epoch, wanted.step_in_epoch, wanted.global_step, wanted.epoch_done) == (2, 5, 10, True)


@pytest.mark.parametrize("images_per_step", [4, 0])
def test_the_same_step_on_other_workers_is_exactly_the_same_place(images_per_step, caplog):
    """Older files do not say how many images a step had."""
    caplog.set_level("INFO")
    wanted = place(4, 4, num_workers=2)
    take_position(place(images_per_step, 4, epoch=2, step_in_epoch=3, global_step=7), wanted)
    assert (wanted.epoch, wanted.step_in_epoch, wanted.global_step) == (2, 3, 7)
    assert caplog.messages == ["resuming with 2 workers instead of 1, a step has the same images"]


@pytest.mark.end_to_end
@pytest.mark.parametrize("count", [3, pytest.param(KILLS, marks=pytest.mark.long_run)])
def test_kills_at_random_moments_change_nothing(count, tmp_path):
    """Each process is killed 0 to 30 ms after its first checkpoint appears, in the middle of whatever it does then."""

    def start(folder, result):
        return subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder), "sgd", str(result), str(KILL_EPOCHS)],
            env={**os.environ, "PYTHONPATH": str(SCRIPT.parents[3])},
            stderr=subprocess.PIPE,
            text=True,
        )

    whole = start(tmp_path / "whole", tmp_path / "whole.npz")
    draws = random.Random(0)
    kills = 0
    while kills < count:
        process = start(tmp_path / "parts", tmp_path / "parts.npz")
        before = newest_change(tmp_path / "parts" / "checkpoints")
        while process.poll() is None and newest_change(tmp_path / "parts" / "checkpoints") == before:
            time.sleep(0.005)
        time.sleep(draws.uniform(0, 0.03))
        process.kill()
        process.wait(timeout=LIMIT_SECONDS)
        kills += 1
    _, errors = start(tmp_path / "parts", tmp_path / "parts.npz").communicate(timeout=LIMIT_SECONDS)
    assert "resuming at epoch" in errors
    whole.wait(timeout=LIMIT_SECONDS)
    with np.load(tmp_path / "whole.npz") as expected, np.load(tmp_path / "parts.npz") as actual:
        assert_equal_states(dict(actual), dict(expected))
    assert not list((tmp_path / "parts" / "checkpoints").glob(".*"))


def newest_change(folder):
    names = os.listdir(folder) if folder.is_dir() else []
    return sorted(name for name in names if name.endswith(".ckpt"))
