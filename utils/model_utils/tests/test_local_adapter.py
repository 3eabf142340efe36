"""What the launcher's environment says, and what is said where it is wrong."""

import pytest

from utils.model_utils.errors import BadValueError
from utils.model_utils.local_adapter import (
    get_cluster_seconds,
    get_device_id,
    get_device_num,
    get_rank_id,
    is_scheduler,
)


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch):
    for variable in ("DEVICE_ID", "MS_TOPO_TIMEOUT", "RANK_ID", "RANK_SIZE"):
        monkeypatch.delenv(variable, raising=False)


def test_without_a_launcher_there_is_one_process_on_device_zero():
    assert (get_device_id(), get_device_num(), get_rank_id()) == (0, 1, 0)
    assert get_cluster_seconds() == 600


def test_the_environment_is_read(monkeypatch):
    for variable, text in {"DEVICE_ID": "3", "RANK_ID": "5", "RANK_SIZE": " 8 "}.items():
        monkeypatch.setenv(variable, text)
    assert (get_device_id(), get_device_num(), get_rank_id()) == (3, 8, 5)


@pytest.mark.parametrize(
    ("variable", "text", "read", "wanted"),
    [
        ("DEVICE_ID", "one", get_device_id, "at least 0"),
        ("DEVICE_ID", "-1", get_device_id, "at least 0"),
        ("DEVICE_ID", "1.0", get_device_id, "at least 0"),
        ("DEVICE_ID", "²", get_device_id, "at least 0"),
        ("RANK_SIZE", "0", get_device_num, "at least 1"),
        ("MS_TOPO_TIMEOUT", "-1", get_cluster_seconds, "at least 1"),
        ("RANK_ID", "a", get_rank_id, "at least 0"),
    ],
)
def test_a_variable_that_is_no_number_is_refused(monkeypatch, variable, text, read, wanted):
    monkeypatch.setenv(variable, text)
    with pytest.raises(BadValueError) as caught:
        read()
    assert str(caught.value) == (
        f"environment variable {variable} is '{text}', wanted a whole number of {wanted}: correct or unset it"
    )


@pytest.mark.parametrize("read", [get_device_id, get_device_num, get_cluster_seconds, get_rank_id])
def test_more_digits_than_python_reads_are_refused_and_cut(monkeypatch, read):
    for variable in ("DEVICE_ID", "RANK_SIZE", "MS_TOPO_TIMEOUT", "RANK_ID"):
        monkeypatch.setenv(variable, "9" * 5000)
    with pytest.raises(
        BadValueError, match=r"^environment variable \w+ is '9{56}\.\.\., wanted a whole number of at least"
    ):
        read()


def test_a_rank_beyond_the_job_is_refused(monkeypatch):
    monkeypatch.setenv("RANK_ID", "8")
    monkeypatch.setenv("RANK_SIZE", "8")
    with pytest.raises(BadValueError, match="RANK_ID is 8 and RANK_SIZE is 8, ranks run from 0 to 7"):
        get_rank_id()


@pytest.mark.parametrize(("role", "expected"), [("MS_SCHED", True), ("MS_WORKER", False), ("", False)])
def test_msruns_scheduler_is_told_from_its_workers(monkeypatch, role, expected):
    monkeypatch.setenv("MS_ROLE", role)
    assert is_scheduler() == expected
