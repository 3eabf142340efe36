"""The beginning of a run leaves log and configuration in its folder and holds it."""

import logging
from pathlib import Path

import pytest

from utils.model_utils.config.loading import load_config
from utils.model_utils.config.schema import ModelArtsKeys, TrainingKeys
from utils.model_utils.device_adapter import DeviceInfo
from utils.model_utils.errors import BadStateError
from utils.model_utils.workers import ALONE
from utils.training.run import open_run


@pytest.fixture(autouse=True)
def _device(monkeypatch):
    """MindSpore takes a device once in a process."""
    monkeypatch.setattr("utils.training.run.set_up_device", lambda *_, **__: DeviceInfo("CPU", 0, 0, 1))


class JobKeys(ModelArtsKeys, TrainingKeys):
    """A training that can be a job on ModelArts."""


def configure(folder: Path, *arguments: str, schema=TrainingKeys, run_dir="a run") -> TrainingKeys:
    (folder / "default.yaml").write_text("optimizer: adamw\n")
    given = [f"--run_dir={folder / run_dir}"] if run_dir else []
    return load_config(
        schema, [*given, *arguments], suite_dir=folder, default_file="default.yaml", program="train.py", description=""
    )


def test_log_and_configuration_are_in_the_folder(tmp_path):
    with open_run(configure(tmp_path, "--momentum=0.8", "--lr=0.25")) as run:
        logging.getLogger("a suite").info("trains")
        assert not (tmp_path / "a run").exists()
        run.folder.begin("lr: 0.25")
        assert run.device.target == "CPU"
        assert run.workers == ALONE
        assert run.folder.checkpoints_path == tmp_path / "a run" / "ckpt"
    assert "lr: 0.25" in run.folder.config_path.read_text()
    log = run.folder.log_path.read_text()
    assert "momentum has no effect with optimizer adamw" in log
    assert "a suite: trains" in log


def test_a_suite_may_name_the_folder_of_the_checkpoints(tmp_path):
    with open_run(configure(tmp_path), checkpoints="./ckpt_0") as run:
        assert run.folder.checkpoints_path == tmp_path / "a run" / "ckpt_0"


def test_overwriting_removes_neither_other_weights_nor_those_that_the_run_begins_with(tmp_path):
    folder = tmp_path / "a run" / "ckpt"
    folder.mkdir(parents=True)
    for name in ("net-1_4.ckpt", "net_best.ckpt", "pretrained.ckpt"):
        (folder / name).write_bytes(b"weights")
    names = ("net-{epoch}_{step}.ckpt", "net_best.ckpt")
    with pytest.raises(BadStateError, match="already holds a run"), open_run(configure(tmp_path), names=names):
        pass
    begun = configure(tmp_path, "--overwrite=True", f"--pre_trained={folder / 'net_best.ckpt'}")
    with pytest.raises(BadStateError, match="which --overwrite=True removes; copy it"), open_run(begun, names=names):
        pass
    assert len(list(folder.iterdir())) == 3
    with open_run(configure(tmp_path, "--overwrite=True"), names=names) as run:
        run.folder.begin("")
        assert [path.name for path in folder.iterdir()] == ["pretrained.ckpt"]


def test_only_the_first_worker_writes(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RANK_SIZE", "2")
    monkeypatch.setenv("RANK_ID", "1")
    with open_run(configure(tmp_path, "--run_distribute=True")) as run:
        run.folder.begin("")
        run.folder.metrics.append({"kind": "step"})
        run.folder.metrics.cut(0, keep_evaluation=False)
        logging.getLogger("a suite").info("trains")
    assert not (tmp_path / "a run").exists()
    assert capsys.readouterr().err == "[rank 1] trains\n"


def test_a_job_brings_its_data_in_and_its_results_out(tmp_path):
    """Both places are paths of the machine here; the storage has tests of its own."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a.txt").write_text("data")
    config = configure(
        tmp_path,
        "--enable_modelarts=True",
        f"--data_url={tmp_path / 'there'}",
        f"--data_path={tmp_path / 'data'}",
        f"--train_url={tmp_path / 'results'}",
        f"--output_path={tmp_path / 'output'}",
        schema=JobKeys,
        run_dir="",
    )
    with open_run(config) as run:
        run.folder.begin("")
        run.on_saved(run.folder.checkpoints_path / "a.ckpt")
    assert (tmp_path / "data" / "a.txt").read_text() == "data"
    assert (tmp_path / "results" / "config.yaml").is_file()


def test_a_second_run_is_refused_until_the_first_has_ended_even_in_an_error(tmp_path):
    config = configure(tmp_path)
    with pytest.raises(ZeroDivisionError), open_run(config) as run:
        run.folder.begin("")
        with pytest.raises(BadStateError, match="another process is training"), open_run(config):
            pass
        raise ZeroDivisionError
    with open_run(config):
        pass


def test_what_fails_before_the_run_begins_leaves_nothing(tmp_path):
    config = configure(tmp_path)
    with pytest.raises(ZeroDivisionError), open_run(config):
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["default.yaml"]


def test_a_configuration_that_an_older_run_has_left_does_not_permit_to_remove_it(tmp_path):
    """It held `overwrite: true`, where the run was started so."""
    with open_run(configure(tmp_path)) as run:
        run.folder.begin(f"overwrite: true\nrun_dir: {run.folder.path}\n")
        run.folder.metrics.append({"kind": "step", "global_step": 1})
    again = configure(tmp_path, f"--config_path={run.folder.config_path}", run_dir="")
    assert again.overwrite
    with pytest.raises(BadStateError, match="already holds a run"), open_run(again):
        pass
    assert run.folder.holds_run()
    typed = configure(tmp_path, f"--config_path={run.folder.config_path}", "--overwrite=True", run_dir="")
    with open_run(typed) as run:
        run.folder.begin("")
        assert not run.folder.holds_run()
