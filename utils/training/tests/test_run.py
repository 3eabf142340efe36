"""The beginning of a run leaves log and configuration in its folder and holds it."""

import logging
from pathlib import Path

import pytest

from utils.model_utils.config import load_config
from utils.model_utils.config_schema import TrainingKeys
from utils.model_utils.device_adapter import DeviceInfo
from utils.model_utils.errors import BadStateError
from utils.training.run import open_run


@pytest.fixture(autouse=True)
def _device(monkeypatch):
    """MindSpore takes a device once in a process."""
    monkeypatch.setattr("utils.training.run.set_up_device", lambda *_, **__: DeviceInfo("CPU", 0, 0, 1))


def configure(folder: Path, *arguments: str) -> TrainingKeys:
    (folder / "default.yaml").write_text("optimizer: adamw\n")
    return load_config(
        TrainingKeys, [f"--run_dir={folder / 'a run'}", *arguments], suite_dir=folder, default_file="default.yaml",
        program="train.py", description="",
    )


def test_log_and_configuration_are_in_the_folder(tmp_path):
    with open_run(configure(tmp_path, "--momentum=0.8", "--lr=0.25")) as (run, device):
        logging.getLogger("a suite").info("trains")
        assert device.target == "CPU"
        assert run.checkpoints_path == tmp_path / "a run" / "ckpt"
    assert "lr: 0.25" in run.config_path.read_text()
    log = run.log_path.read_text()
    assert "momentum has no effect with optimizer adamw" in log
    assert "a suite: trains" in log


def test_a_suite_may_name_the_folder_of_the_checkpoints(tmp_path):
    with open_run(configure(tmp_path), checkpoints="./ckpt_0") as (run, _):
        assert run.checkpoints_path == tmp_path / "a run" / "ckpt_0"


def test_a_second_run_is_refused_until_the_first_has_ended_even_in_an_error(tmp_path):
    config = configure(tmp_path)
    with pytest.raises(ZeroDivisionError), open_run(config):
        with pytest.raises(BadStateError, match="another process is training"), open_run(config):
            pass
        raise ZeroDivisionError
    with open_run(config):
        pass
