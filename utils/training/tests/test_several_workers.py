"""Two workers train as one with the double batch does: one job of two processes on the CPU, started by msrun."""

import os
import subprocess
import sys
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
import two_workers
from tiny_training import TinyNetwork

from utils.launch.processes.ports import free_port
from utils.model_utils.workers import ALONE
from utils.training.record.metrics_log import read_metrics
from utils.training.step.graphs import changing_statistics
from utils.training.step.reductions import neighbours_within

pytestmark = pytest.mark.end_to_end

SCRIPT = Path(two_workers.__file__)


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """Folder of the job, and what its two workers have left."""
    folder = tmp_path_factory.mktemp("job")
    programs = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PYTHONPATH": str(SCRIPT.parents[3]),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "GLOG_v": "3",
        "MS_CPU_COMM_OP_TIMEOUT": "600",
    }
    done = subprocess.run(
        [
            programs / "msrun",
            "--worker_num=2",
            "--local_worker_num=2",
            f"--master_port={free_port()}",
            "--join=True",
            f"--log_dir={folder / 'logs'}",
            str(SCRIPT),
            str(folder),
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder, [dict(np.load(folder / f"worker_{rank}.npz")) for rank in (0, 1)]


def part_of(found, name):
    return {key.removeprefix(f"{name}/"): value for key, value in found.items() if key.startswith(f"{name}/")}


def assert_close(actual, expected):
    assert actual.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(actual[name], values, rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", ["plain", "accumulated", "trained", "interrupted"])
def test_both_workers_are_bit_equal(name, job):
    """Weights, moving statistics, optimizer state and averages."""
    first, second = (part_of(found, name) for found in job[1])
    assert first.keys() == second.keys()
    assert {"norm.moving_variance", "ema.conv.weight"} <= first.keys()
    for key, values in first.items():
        np.testing.assert_array_equal(second[key], values, err_msg=key)


@pytest.mark.parametrize(("name", "options"), [("plain", two_workers.PLAIN), ("accumulated", two_workers.ACCUMULATED)])
def test_five_steps_equal_those_of_one_worker_with_the_double_batch(name, options, job):
    """With clipping, weight decay, averages and a loss scale; with and without micro steps and fusion of gradients."""
    step = two_workers.make_step(ALONE, **options)
    outputs = two_workers.five_steps(step)
    assert_close(part_of(job[1][0], name), two_workers.state_of(step))
    np.testing.assert_allclose(
        job[1][0][f"{name}.losses"], [list(output.losses.values()) for output in outputs], rtol=1e-6
    )
    np.testing.assert_allclose(job[1][0][f"{name}.norms"], [output.grad_norm for output in outputs], rtol=1e-5)


@pytest.mark.parametrize("name", ["accumulated", "trained"])
def test_a_step_that_is_not_finite_on_one_worker_changes_nothing_on_any(name, job):
    """... but the loss scale, from 8 to 4; the wish of worker 0 to stop is known to both."""
    for found in job[1]:
        assert found[f"{name}.overflow"].tolist() == [0, 0, 4, 1]


def test_moving_statistics_are_the_mean_of_the_workers_own(job):
    """The mean of a channel after a step: 0.9 * 0 + 0.1 * mean of the batch, and a mean of halves is that of all."""
    network = TinyNetwork()
    images, _ = two_workers.all_images(two_workers.IMAGES * two_workers.STEPS)
    network.set_train(False)
    assert len(changing_statistics(network)) == 2
    channel_means = network.conv(ms.Tensor(images[: two_workers.IMAGES])).asnumpy().mean((0, 2, 3))
    np.testing.assert_allclose(job[1][0]["first_mean"], 0.1 * channel_means, rtol=1e-4, atol=1e-6)


def test_frozen_statistics_are_left_alone():
    network = TinyNetwork()
    network.norm.use_batch_statistics = False
    assert changing_statistics(network) == []


def test_workers_hear_of_each_other(job):
    for found in job[1]:
        assert str(found["gathered"]) == "[{'rank': 0, 'text': ''}, {'rank': 1, 'text': 'xxxxxxx'}]"
        assert found["from"] == 0
        assert found["bits"].tobytes() == np.float32([np.nan, 1e-45]).tobytes()


def test_weights_that_differ_are_refused_and_can_be_shared(job):
    for found in job[1]:
        assert str(found["refusal"]).startswith("weights, optimizer state or averages of worker 1 differ from")
    assert str(job[1][0]["agreed"]) == str(job[1][1]["agreed"])


def test_a_signal_to_one_worker_stops_both_after_the_same_step_and_the_first_one_saves(job):
    folder, (first, second) = job
    assert first["stopped"]
    assert second["stopped"]
    names = ["tiny-1_4.ckpt", "tiny-1_4.ckpt", "tiny-2_2.ckpt"]  # before and after the evaluation, and at the end
    assert (first["saved"].tolist(), second["saved"].tolist()) == (names, [])
    assert first["best"] == second["best"] == 1
    rows = [row for row in read_metrics(folder / "run" / "metrics.jsonl") if row["kind"] == "step"]
    assert [row["global_step"] for row in rows] == list(range(1, two_workers.STOP_AFTER + 1))


def test_both_stop_cleanly_after_the_same_step_where_the_time_of_one_is_over(job):
    """Without a hang: at worker 1's first step by its clock; before the first evaluation by worker 0's."""
    for found in job[1]:
        assert found["step_timed"].tolist() == [False, 1, False]
        assert found["evaluation_timed"].tolist() == [False, 4, False]
    names = [sorted(path.name for path in job[0].glob(f"timed_{name}/*/*.ckpt")) for name in ("step", "evaluation")]
    assert names == [["tiny-1_1.ckpt"], ["tiny-1_4.ckpt"]]


def test_one_worker_goes_on_with_what_two_have_begun(job, caplog):
    """Two epochs of 30 images in steps of 8 end as they do on one worker alone; the fillers of an epoch count not."""
    folder, _ = job
    caplog.set_level("INFO")
    step = two_workers.make_step(ALONE, **two_workers.PLAIN)
    states = []
    for place in (folder / "alone", folder / "run"):
        two_workers.trainer_of(place, step, two_workers.SharedSource(ALONE)).fit()
        states.append(two_workers.state_of(step))
    assert "resuming with 1 workers instead of 2, a step has the same images" in caplog.text
    assert_close(states[1], states[0])


def test_neighbours_are_joined_up_to_a_limit():
    assert neighbours_within([3, 4, 3, 9, 1, 1], 8) == ((0, (3, 4)), (2, (3,)), (3, (9,)), (4, (1, 1)))
    assert neighbours_within([3, 4], 0) == ((0, (3,)), (1, (4,)))
