"""The suites' small samples, each made once in a process and only where a test asks for it."""

import functools
from pathlib import Path

import pytest

from tests.suites import SUITES, Suite
from tests.toys import Toy


@pytest.fixture(scope="session")
def _toys(tmp_path_factory):
    by_name = {suite.name: suite for suite in SUITES}
    return functools.cache(lambda name: Toy(by_name[name], tmp_path_factory.mktemp(f"a toy of {name}")))


@pytest.fixture()
def toy(suite: Suite, _toys) -> Toy:
    """The trained toy of a suite."""
    return _toys(suite.name)


@pytest.fixture(scope="session")
def _checkpoints(tmp_path_factory):
    by_name = {suite.name: suite for suite in SUITES}
    folder = tmp_path_factory.mktemp("check points")
    return functools.cache(lambda name: by_name[name].tiny.write_checkpoint(folder / f"{name}.ckpt"))


@pytest.fixture()
def checkpoint(suite: Suite, _checkpoints) -> Path:
    """A checkpoint of the tiny network of a suite with random weights, which no test changes."""
    return _checkpoints(suite.name)
