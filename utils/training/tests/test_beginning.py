"""What a run begins with is found, read once, and given to the worker that needs it."""

import numpy as np
import pytest

from utils.model_utils.config.loading import load_config
from utils.model_utils.config.schema import TrainingKeys
from utils.model_utils.errors import BadValueError, MissingPathError
from utils.model_utils.workers import ALONE
from utils.tests.replayed_workers import run_workers
from utils.training.beginning import find_beginning
from utils.training.checkpoints.checkpoint import TrainingState, save_checkpoint
from utils.training.checkpoints.checkpoint_file import write_checkpoint_file
from utils.training.checkpoints.folder import CheckpointFolder
from utils.training.tests.counted_reads import reads_once

ARRAYS = {"head.bias": np.zeros(3, np.float32)}


def saved(path, **values):
    path.parent.mkdir(exist_ok=True)
    save_checkpoint(path, TrainingState(arrays=ARRAYS, **{"suite": "tiny", **values}))
    return path


def begin(folder, *keys, workers=ALONE, **options):
    (folder / "default.yaml").write_text("optimizer: adamw\n")
    config = load_config(
        TrainingKeys, keys, suite_dir=folder, default_file="default.yaml", program="train.py", description=""
    )
    checkpoints = CheckpointFolder(folder / "ckpt", pattern="tiny-{epoch}.ckpt", best_name="best.ckpt")
    return find_beginning(config, checkpoints, "tiny", workers, **options)


def test_without_files_a_run_begins_anew_with_random_weights(tmp_path, caplog):
    caplog.set_level("INFO")
    beginning = begin(tmp_path, "--resume=auto")
    assert (beginning.checkpoint, beginning.takes_optimizer, beginning.first_epoch) == (None, False, 1)
    assert caplog.messages == [f"resume=auto: no checkpoint in {tmp_path / 'ckpt'}, starting from the beginning"]


def test_a_run_that_goes_on_does_not_look_for_pretrained_weights(tmp_path):
    saved(tmp_path / "ckpt" / "tiny-1.ckpt")
    newest = saved(tmp_path / "ckpt" / "tiny-2.ckpt", epoch=2)
    with reads_once():
        beginning = begin(tmp_path, "--resume=auto", f"--pre_trained={tmp_path / 'absent.ckpt'}")
    assert beginning.checkpoint is beginning.continued
    assert (beginning.continued.path, beginning.continued.epoch, beginning.pretrained) == (newest, 2, None)


STORED = "lr: 0.01\nepoch_size: 12\nbatch_size: 2\nlog_interval: 7\nrun_dir: /there\nseed: 1\n"


def test_a_run_that_goes_on_says_which_keys_of_its_course_have_changed(tmp_path, caplog):
    """Neither how often it says something nor its place belongs to them."""
    path = saved(tmp_path / "ckpt" / "tiny-1.ckpt", config_text=STORED)
    begin(tmp_path, "--resume=auto", "--lr=0.001", "--epoch_size=20", "--batch_size=2", "--log_interval=3")
    assert caplog.messages == [f"resuming {path} with another configuration: epoch_size: 12 -> 20, lr: 0.01 -> 0.001"]


@pytest.mark.parametrize("text", [STORED, "", "[damaged"])
def test_a_run_that_goes_on_as_it_was_says_nothing_of_it(text, tmp_path, caplog):
    saved(tmp_path / "ckpt" / "tiny-1.ckpt", config_text=text)
    begin(tmp_path, "--resume=auto")
    assert not [message for message in caplog.messages if "another configuration" in message]


@pytest.mark.parametrize(("options", "takes"), [({}, True), ({"takes_optimizer": False}, False)])
def test_the_optimizer_goes_on_where_epochs_are_behind_a_run_and_the_suite_wants_it(options, takes, tmp_path):
    path = saved(tmp_path / "net.ckpt")
    with reads_once():
        beginning = begin(tmp_path, f"--pre_trained={path}", "--pre_trained_epoch_size=1", **options)
    assert (beginning.checkpoint.path, beginning.takes_optimizer, beginning.first_epoch) == (path, takes, 2)
    assert not begin(tmp_path, f"--pre_trained={path}", **options).takes_optimizer


def test_a_suite_may_look_for_weights_by_itself(tmp_path):
    path = saved(tmp_path / "net.ckpt")
    assert begin(tmp_path, find_pretrained=lambda config: path).pretrained.path == path
    assert begin(tmp_path, f"--pre_trained={path}", find_pretrained=lambda config: None).pretrained is None


def test_the_first_worker_reads_for_all(tmp_path):
    path = saved(tmp_path / "net.ckpt", epoch=3)
    first, second = run_workers(2, lambda workers: begin(tmp_path, f"--resume={path}", workers=workers).continued)
    assert (first.epoch, second.epoch, second.path) == (3, 3, path)
    assert (first.arrays.keys(), second.arrays) == (ARRAYS.keys(), {})
    keys = (f"--pre_trained={path}", "--pre_trained_epoch_size=1")
    first, second = run_workers(2, lambda workers: begin(tmp_path, *keys, workers=workers))
    assert (first.pretrained.path, second.pretrained) == (path, None)
    assert first.takes_optimizer
    assert second.takes_optimizer


@pytest.mark.parametrize("key", ["resume", "pre_trained"])
def test_a_file_that_is_missing_or_another_suites_is_refused(key, tmp_path):
    with pytest.raises(MissingPathError, match="does not exist"):
        begin(tmp_path, f"--{key}={tmp_path / 'absent.ckpt'}")
    other = saved(tmp_path / "other.ckpt", suite="other")
    with pytest.raises(BadValueError, match="is a checkpoint of other, wanted one of tiny"):
        begin(tmp_path, f"--{key}={other}")


def test_a_file_of_weights_only_can_be_begun_with_and_not_be_resumed(tmp_path):
    path = tmp_path / "weights.ckpt"
    write_checkpoint_file(path, ARRAYS)
    assert begin(tmp_path, f"--pre_trained={path}").pretrained.arrays.keys() == ARRAYS.keys()
    with pytest.raises(BadValueError, match="holds weights only"):
        begin(tmp_path, f"--resume={path}")
