"""Prepares the process for MindSpore before any test imports it, and shares what several rooms' tests need."""

import os
import signal
from pathlib import Path

import hypothesis
import pytest

import utils  # noqa: F401  (sets the CPU variable)

SHARED_DATA = Path(__file__).resolve().parent.parent / "shared" / "data"

# Continuous integration draws the same examples every time; a developer's runs go on looking for new ones.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves out what takes longest, mostly like another suite's test, unless TEST_EVERYTHING is set."""
    if os.environ.get("TEST_EVERYTHING"):
        return
    reason = pytest.mark.skip(reason="takes long: TEST_EVERYTHING=1 runs it")
    for item in items:
        if item.get_closest_marker("long_run"):
            item.add_marker(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real photographs beside the checkout; a test that asks for it is skipped where there is none."""
    if not SHARED_DATA.is_dir():
        pytest.skip("../shared/data is not here")
    return SHARED_DATA


def pytest_configure() -> None:
    """Lets signals act here and in all that the tests start, also where the tests run in a script's background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
