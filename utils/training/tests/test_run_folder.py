import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from utils.model_utils.errors import BadStateError, MissingPathError
from utils.model_utils.files import STORED_MARK
from utils.training.record.run_folder import RunFolder

REPOSITORY = Path(__file__).resolve().parents[3]
HOLD_LOCK = """
import sys, time
from pathlib import Path
from utils.training.record.run_folder import RunFolder
run = RunFolder(Path(sys.argv[1]))
run.begin("")
print("locked", flush=True)
time.sleep(60)
"""


def with_run(path, checkpoint="checkpoints/net-1_4.ckpt"):
    """A folder with the traces of a run."""
    with RunFolder(path) as run:
        run.begin("")
        run.metrics.append({"kind": "step", "global_step": 1})
        (path / checkpoint).parent.mkdir(exist_ok=True)
        (path / checkpoint).write_bytes(b"x")
    return path


def test_a_new_folder_is_made_when_the_run_begins_with_nothing_else_in_it(tmp_path):
    with RunFolder(tmp_path / "a" / "b", checkpoints="./ckpt") as run:
        assert list(tmp_path.iterdir()) == []
        assert run.checkpoints_path == tmp_path / "a" / "b" / "ckpt"
        run.begin("epochs: 3\n")
        assert sorted(path.name for path in run.path.iterdir()) == [".run.lock", "config.yaml"]
        assert run.config_path.read_text() == "epochs: 3\n"
        assert not run.holds_run()


def test_a_run_that_does_not_begin_leaves_the_earlier_one_as_it_is(tmp_path):
    with_run(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with RunFolder(tmp_path, overwrite=True):
        pass
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_config_that_somebody_has_written_is_not_replaced(tmp_path):
    own = tmp_path / "config.yaml"
    own.write_text("lr: 0.1  # mine\n")
    with pytest.raises(BadStateError, match=r"config.yaml' was not left by a training, .*: rename it, or choose anoth"):
        RunFolder(tmp_path)
    assert own.read_text() == "lr: 0.1  # mine\n"
    own.write_text(f"{STORED_MARK} (Config)\nlr: 0.1\n")
    with RunFolder(tmp_path) as run:
        run.begin("lr: 0.2\n")
    assert own.read_text() == "lr: 0.2\n"


def test_a_folder_with_a_run_is_refused_with_the_three_ways_out(tmp_path):
    with pytest.raises(
        BadStateError,
        match=r"already holds a run; continue it with --resume=auto, choose another --run_dir, or discard it, "
        r"checkpoints included, with --overwrite=True$",
    ):
        RunFolder(with_run(tmp_path))
    with RunFolder(tmp_path, resume=True) as run:  # the refusal has let go of the lock
        assert run.holds_run()


@pytest.mark.parametrize("checkpoints", ["checkpoints", "."])
def test_overwriting_removes_the_run_but_not_what_else_lies_there(checkpoints, tmp_path):
    with_run(tmp_path, f"{checkpoints}/net-1_4.ckpt")
    (tmp_path / "notes.txt").write_text("mine")
    with RunFolder(tmp_path, overwrite=True, checkpoints=checkpoints) as run:
        run.begin("")
        assert not run.holds_run()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_weights_that_lie_among_the_checkpoints_are_no_part_of_the_run(tmp_path):
    """A pretrained file in the run folder makes no run of it, and is not removed with one."""
    (tmp_path / "pretrained.ckpt").write_text("mine")
    own = {"checkpoints": ".", "names": ("net-{epoch}_{step}.ckpt", "net_best.ckpt")}
    with RunFolder(tmp_path, **own) as run:
        assert not run.holds_run()
    with_run(tmp_path, "net-1_4.ckpt")
    for name in ("net-12_40.ckpt", "net_best.ckpt"):
        (tmp_path / name).write_bytes(b"x")
    with RunFolder(tmp_path, **own, overwrite=True) as run:
        run.begin("")
        assert not run.holds_run()
    assert [path.name for path in tmp_path.glob("*.ckpt")] == ["pretrained.ckpt"]


def test_what_the_new_run_begins_with_is_not_removed(tmp_path):
    best = with_run(tmp_path / "run") / "checkpoints" / "net-1_4.ckpt"
    sentence = f"pre_trained '{best}' is a checkpoint of the run .*; copy it to another folder first, or choose"
    with pytest.raises(BadStateError, match=sentence):
        RunFolder(tmp_path / "run", overwrite=True, needed=str(best))
    RunFolder(tmp_path / "run", resume=True, overwrite=True, needed=str(best)).close()  # removes nothing
    best.rename(tmp_path / "copy.ckpt")  # as the sentence says
    with RunFolder(tmp_path / "run", overwrite=True, needed=str(tmp_path / "copy.ckpt")) as run:
        run.begin("")
        assert not run.holds_run()
    assert (tmp_path / "copy.ckpt").read_bytes() == b"x"


def test_checkpoints_elsewhere_in_the_folder_are_not_the_runs(tmp_path):
    (tmp_path / "pretrained.ckpt").write_text("mine")
    with RunFolder(tmp_path) as run:
        assert not run.holds_run()
    with_run(tmp_path)
    with RunFolder(tmp_path, overwrite=True) as run:
        run.begin("")
    assert (tmp_path / "pretrained.ckpt").read_text() == "mine"


def test_an_empty_run_folder_may_be_taken(tmp_path):
    for _ in range(2):
        with RunFolder(tmp_path) as run:
            run.begin("")


def test_of_two_that_begin_at_the_same_time_one_is_refused(tmp_path):
    with RunFolder(tmp_path) as first, RunFolder(tmp_path) as second:
        first.begin("a: 1")
        with pytest.raises(BadStateError, match="another process is training in"):
            second.begin("a: 2")
        assert first.config_path.read_text() == "a: 1"


def test_a_second_process_is_refused_and_a_killed_one_is_no_obstacle(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    try:
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(BadStateError, match=f"another process is training in '{tmp_path}'"):
            RunFolder(tmp_path)
    finally:
        process.kill()
        process.wait()
    RunFolder(tmp_path).close()


@pytest.mark.parametrize("inside", ["", "below"])
def test_a_file_in_the_way_is_named(inside, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MissingPathError, match="file' is a file; choose another --run_dir"):
        RunFolder(tmp_path / "file" / inside)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc here")
def test_a_place_where_nothing_can_be_made_is_a_sentence():
    with pytest.raises(BadStateError, match=r"run folder '/proc/run' cannot be made \(.*\); choose another --run_dir"):
        RunFolder(Path("/proc/run"))


def test_an_unwritable_folder_is_a_sentence(tmp_path, monkeypatch):
    RunFolder(tmp_path).close()
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the tests may run as root, who may write anywhere
    with pytest.raises(BadStateError, match="is not writable; choose another --run_dir or change its permissions"):
        RunFolder(tmp_path)


def test_what_a_killed_run_has_left_half_written_is_removed(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = tmp_path / f".metrics.jsonl.{ended.pid}.tmp"
    left.write_bytes(b"half")
    with RunFolder(tmp_path) as run:
        run.begin("")
        assert not left.exists()


def test_a_configuration_that_cannot_be_written_is_a_sentence(tmp_path, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with RunFolder(tmp_path) as run:
        monkeypatch.setattr(os, "replace", full)
        with pytest.raises(
            BadStateError, match=r"config.yaml' cannot be written \(No space left on device, .* MB are free\)"
        ):
            run.begin("a: 1")


def test_odd_names_work(tmp_path):
    with RunFolder(tmp_path / "-läuft 'gut' \"hier\"") as run:
        run.begin("")
        run.metrics.append({"kind": "step", "global_step": 1})
        assert run.holds_run()
