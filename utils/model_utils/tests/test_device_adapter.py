"""Choice and set-up of the device, with MindSpore's answers replaced where this machine has no accelerator."""

import logging
import os
import subprocess
import sys

import pytest
from mindspore import communication

from utils.model_utils import device_adapter
from utils.model_utils.device_adapter import (
    DeviceInfo,
    card_numbers,
    choose_device,
    clamp_loaders,
    resolve_amp_level,
    set_up_device,
)
from utils.model_utils.errors import BadStateError, BadValueError
from utils.model_utils.workers import ALONE, Workers


@pytest.fixture
def machine(monkeypatch):
    """Returns a function that says which accelerators MindSpore reports, and the calls that it then gets."""
    import mindspore as ms

    calls = []

    def say(**counts):
        monkeypatch.setattr(ms.hal, "is_available", lambda name: counts.get(name, 0) > 0)
        monkeypatch.setattr(ms.hal, "device_count", lambda name: counts[name])
        for name in ("set_device", "set_context", "set_seed"):
            monkeypatch.setattr(ms, name, lambda *given, _name=name, **named: calls.append((_name, given, named)))
        return calls

    for variable in ("DEVICE_ID", "RANK_ID", "RANK_SIZE", "MS_ROLE"):
        monkeypatch.delenv(variable, raising=False)
    return say


def test_auto_takes_an_accelerator_if_there_is_one(machine):
    machine()
    assert choose_device("auto") == "CPU"
    machine(GPU=1)
    assert choose_device("AUTO") == "GPU"
    machine(GPU=1, Ascend=8)
    assert choose_device("auto") == "Ascend"
    assert choose_device("cpu") == "CPU"


def test_a_device_that_is_not_there_is_refused(machine):
    machine()
    with pytest.raises(
        BadStateError, match=r"device_target is Ascend, but MindSpore finds no Ascend .*--device_target=CPU"
    ):
        choose_device("ascend")
    with pytest.raises(BadStateError, match="device_target is GPU, but MindSpore finds no GPU"):
        set_up_device("GPU")
    with pytest.raises(ValueError, match="device target 'TPU', wanted one of Ascend, GPU, CPU, auto"):
        choose_device("TPU")


def test_cards_that_mindspore_cannot_use_are_told(machine, monkeypatch, tmp_path, caplog):
    for name in ("davinci0", "davinci10", "davinci_manager", "nvidiactl"):
        (tmp_path / name).touch()
    assert card_numbers("Ascend", tmp_path) == [0, 10]
    assert card_numbers("GPU", tmp_path) == []
    monkeypatch.setattr(device_adapter, "card_numbers", lambda name: card_numbers(name, tmp_path))
    device_adapter._warn_of_unused_cards.cache_clear()
    sentence = "MindSpore cannot use any of the 2 Ascend cards of this machine: source set_env.sh of CANN, "
    machine()
    assert [choose_device(name) for name in ("auto", "auto", "cpu")] == ["CPU"] * 3
    (record,) = caplog.records  # once
    assert record.getMessage().startswith(sentence)
    assert record.getMessage().endswith("; until then the CPU is used (--device_target=CPU says that it is meant)")
    with pytest.raises(BadStateError, match=f"device_target is Ascend, but {sentence}.*, or set --device_target=CPU"):
        choose_device("Ascend")
    with pytest.raises(BadStateError, match="device_target is GPU, but MindSpore finds no GPU"):
        choose_device("GPU")
    caplog.clear()
    device_adapter._warn_of_unused_cards.cache_clear()
    machine(Ascend=2)
    assert choose_device("auto") == "Ascend"
    assert not caplog.records


def test_device_id_of_the_environment_counts_and_the_key_wins(machine, monkeypatch):
    calls = machine(Ascend=8)
    monkeypatch.setenv("DEVICE_ID", "5")
    monkeypatch.setenv("RANK_ID", "1")
    monkeypatch.setenv("RANK_SIZE", "2")
    assert set_up_device("Ascend") == DeviceInfo("Ascend", 5, rank=1, rank_size=2)
    assert set_up_device("Ascend", 2, seed=4).device_id == 2
    assert [call[:2] for call in calls if call[0] == "set_device"] == [
        ("set_device", ("Ascend", 5)), ("set_device", ("Ascend", 2)),
    ]  # fmt: skip
    assert ("set_seed", (4,), {}) in calls


def test_a_device_number_beyond_the_machine_is_refused(machine, monkeypatch):
    machine(Ascend=8)
    with pytest.raises(
        BadStateError, match=r"device 8 was asked for \(--device_id\), but this machine has 8 Ascend devices"
    ):
        set_up_device("Ascend", 8)
    monkeypatch.setenv("DEVICE_ID", "9")
    with pytest.raises(
        BadStateError, match=r"device 9 was asked for \(DEVICE_ID in the environment\).*numbered 0 to 7"
    ):
        set_up_device("Ascend")
    monkeypatch.setenv("DEVICE_ID", "one")
    with pytest.raises(BadValueError, match="DEVICE_ID is 'one', wanted a whole number"):
        set_up_device("Ascend")


def test_a_device_that_mindspore_refuses_is_a_sentence(machine, monkeypatch):
    import mindspore as ms

    def refuse(*_arguments):
        raise RuntimeError("\nThe 'mindspore.set_device' can not be modified.\n more")

    machine(GPU=1)
    monkeypatch.setattr(ms, "set_device", refuse)
    with pytest.raises(BadStateError, match=r"cannot use GPU 0 \(The 'mindspore.set_device' can not be modified.\)"):
        set_up_device("GPU")


def test_the_workers_of_a_job_are_those_that_have_met(machine, monkeypatch):
    machine(GPU=2)
    monkeypatch.setenv("RANK_SIZE", "2")
    monkeypatch.setenv("MS_ROLE", "MS_WORKER")
    for name, value in (("init", None), ("get_rank", 1), ("get_group_size", 2)):
        monkeypatch.setattr(communication, name, lambda _value=value: _value)
    assert set_up_device("GPU").workers == ALONE
    assert set_up_device("GPU", is_distributed=True).workers == Workers(1, 2)


@pytest.mark.parametrize(("size", "role"), [("1", "MS_WORKER"), ("2", "")])
def test_a_process_outside_of_a_job_of_several_works_alone(size, role, machine, monkeypatch, caplog):
    caplog.set_level("INFO")
    machine(GPU=2)
    monkeypatch.setenv("RANK_SIZE", size)
    monkeypatch.setenv("MS_ROLE", role)
    assert set_up_device("GPU", is_distributed=True).workers == ALONE
    assert "run_distribute is set and this process has been started alone" in caplog.text


def test_workers_that_do_not_find_each_other_are_a_sentence(machine, monkeypatch):
    def fail():
        raise RuntimeError("Failed to initialize distributed job cluster\nmore")

    machine(GPU=2)
    monkeypatch.setenv("RANK_SIZE", "2")
    monkeypatch.setenv("MS_ROLE", "MS_WORKER")
    monkeypatch.setattr(communication, "init", fail)
    with pytest.raises(
        BadStateError, match=r"the 2 processes of the job have not found each other \('Failed to init.* within 600 s"
    ):
        set_up_device("GPU", is_distributed=True)


def test_set_up_on_the_cpu_of_this_machine_computes_in_graph_mode():
    """In a process of its own: device and mode hold for a whole process."""
    code = (
        "from utils.model_utils.device_adapter import set_up_device\n"
        "info = set_up_device('cpu', seed=3)\n"
        "import mindspore as ms\n"
        "draw = ms.ops.standard_normal((2,)).asnumpy()\n"
        "ms.set_seed(3)\n"
        "print(info, ms.get_context('mode') == ms.GRAPH_MODE, (ms.ops.standard_normal((2,)).asnumpy() == draw).all())\n"
    )
    environment = {key: value for key, value in os.environ.items() if key not in ("RANK_ID", "RANK_SIZE", "GLOG_v")}
    environment["DEVICE_ID"] = "3"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120, check=True
    )
    assert done.stdout.strip() == "DeviceInfo(target='CPU', device_id=3, rank=0, rank_size=1) True True"
    assert done.stderr == ""


def test_auto_precision_is_float16_on_ascend_only():
    assert [resolve_amp_level("auto", target) for target in ("Ascend", "GPU", "CPU")] == ["O2", "O0", "O0"]
    assert resolve_amp_level("O3", "CPU") == "O3"


def test_bfloat16_is_for_ascend():
    assert resolve_amp_level("bf16", "Ascend") == "bf16"
    for target in ("GPU", "CPU"):
        with pytest.raises(BadValueError, match=f"amp_level is bf16 and the device {target}, .* train on Ascend"):
            resolve_amp_level("bf16", target)


def test_workers_are_clamped_to_the_cores_and_said_once(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    device_adapter._log_clamped.cache_clear()
    monkeypatch.setattr(device_adapter, "available_cores", lambda: 4)
    assert [clamp_loaders(requested) for requested in (1, 4, 5, 5, 0)] == [1, 4, 4, 4, 1]
    assert [record.message for record in caplog.records] == [
        "4 workers, not 5: this process may use 4 cores",
        "1 worker, not 0: this process may use 4 cores",
    ]


def test_cores_are_those_of_this_process(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 3}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert device_adapter.available_cores() == 2
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert device_adapter.available_cores() == 1
