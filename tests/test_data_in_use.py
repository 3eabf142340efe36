"""Two runs on one folder: what one of them trains on stays as it is while the other asks for something else."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from tests.suites import LIMIT, for_detectors, rows_of
from utils.detection.tests.edited_coco import change
from utils.detection.tests.tiny_coco import write_coco
from utils.tests.processes import wait_for
from utils.training.checkpoints.checkpoint import load_checkpoint

EPOCHS, STEPS = 3, 3
TRAINING = (
    "--batch_size=2",
    f"--epoch_size={EPOCHS}",
    "--log_interval=1",
    "--keep_empty_images=True",
    "--norm_statistics=frozen",
)


def arguments_of(suite, root, run):
    tiny = suite.tiny
    options = (*tiny.TINY_NETWORK, *getattr(tiny, "TINY_TRAINING", ()), *TRAINING)
    return [*options, f"--coco_root={root}", f"--run_dir={run}"]


def open_other(suite, root, *arguments):
    """Opens the training split as another process would that trains."""
    config = suite.load(f"--coco_root={root}", *arguments)
    return suite.part("build").open_configured_split(config, True).records


def losses(run):
    return [(row["epoch"], row["step"], row["losses"]) for row in rows_of(run, "step")]


@pytest.mark.end_to_end
@pytest.mark.long_run
@for_detectors
def test_a_run_is_bit_equal_while_others_make_their_own_sets_in_its_folder(suite, tmp_path):
    """One has the classes in another order, so that red would be trained as blue; one has fewer images."""
    undisturbed, shared = tmp_path / "undisturbed", tmp_path / "shared"
    for root in (undisturbed, shared):
        write_coco(root / "data")
    suite.succeed("train.py", *arguments_of(suite, undisturbed / "data", undisturbed / "run"), cwd=tmp_path)
    command = [sys.executable, suite.path / "train.py", *arguments_of(suite, shared / "data", shared / "run")]
    with open(tmp_path / "output", "w") as output:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=output, stderr=output, env={**os.environ})
        try:
            metrics = shared / "run/metrics.jsonl"
            wait_for(lambda: metrics.is_file() and metrics.read_text() or process.poll() is not None, LIMIT)
            process.send_signal(signal.SIGSTOP)
            first = next((shared / "data").glob("*_MINDRECORD"))
            assert len(rows_of(shared / "run", "step")) < STEPS  # it opens its files again, for the second epoch
            exchanged = open_other(suite, shared / "data", "--coco_classes=[red, blue]")
            change(shared / "data", lambda content: content["images"].pop(0))
            fewer = open_other(suite, shared / "data")
            process.send_signal(signal.SIGCONT)
            assert process.wait(LIMIT) == 0, (tmp_path / "output").read_text()
        finally:
            process.kill()
    assert [records.files[0].parent for records in (exchanged, fewer)] == [
        first / records.fingerprint[:8] for records in (exchanged, fewer)
    ]
    assert (exchanged.class_names, exchanged.num_images, fewer.num_images) == (("red", "blue"), 6, 5)
    assert len(losses(shared / "run")) == EPOCHS * STEPS
    assert losses(shared / "run") == losses(undisturbed / "run")
    one, other = (load_checkpoint(last_checkpoint(suite, root / "run")).arrays for root in (shared, undisturbed))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


def last_checkpoint(suite, run):
    return run / suite.checkpoint.format(epoch=EPOCHS, step=STEPS)


@for_detectors
def test_the_key_makes_a_set_anew_and_is_stored_nowhere(suite, tmp_path):
    from utils.model_utils.config.loading import dump_config

    data = write_coco(tmp_path / "data")
    first = open_other(suite, data)
    build, fingerprint, folder = first.build, first.fingerprint, first.files[0].parent
    del first
    again = open_other(suite, data, "--remake_mindrecord=True")
    assert (again.build != build, again.fingerprint, again.files[0].parent) == (True, fingerprint, folder)
    assert open_other(suite, data).build == again.build
    assert "remake_mindrecord:" not in dump_config(suite.load("--remake_mindrecord=True"))
