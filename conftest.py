"""Prepares the process for MindSpore before any test imports it, and shares out the tests."""

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

import utils  # noqa: F401  (sets the CPU variable)
from utils.tools.small_disk import mount_fault

SHARED_DATA = Path(__file__).resolve().parent.parent / "shared" / "data"

# Continuous integration draws the same examples every time; a developer's runs go on looking for new ones.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--all`."""
    parser.addoption("--all", action="store_true", help="run what takes longest too (the marker long_run)")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks at the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what takes longest, unless `--all` is given, and says what one process runs as a whole, and when.

    A group is a file, or all tests of what a suite trains once, its toy or its job of two workers. These come first
    and files without a command last: they are many and short, so that both processes end at about the same time.
    """
    reason = pytest.mark.skip(reason="takes long: --all runs it")
    begins: dict[str, tuple[int, int]] = {}
    for place, item in enumerate(items):
        if item.get_closest_marker("long_run") and not config.getoption("--all"):
            item.add_marker(reason)
        group = _group_of(item)
        item.add_marker(pytest.mark.xdist_group(group))
        is_command = item.get_closest_marker("end_to_end") is not None
        kind = 0 if " of " in group else 1 if is_command else 2
        begins[group] = min(begins.get(group, (kind, place)), (kind, begins.get(group, (kind, place))[1]))
    items.sort(key=lambda item: begins[_group_of(item)])


def _group_of(item: pytest.Item) -> str:
    suite = item.callspec.params.get("suite") if hasattr(item, "callspec") else None
    shared = next((name for name in ("toy", "job") if suite and name in item.fixturenames), None)
    if shared:
        return f"{shared} of {suite}"
    return item.path.relative_to(item.config.rootpath).as_posix()


@pytest.fixture(autouse=True)
def clean_logging() -> Iterator[None]:
    """Takes away the handlers that a command has given the root logger in a test, with the lines that they hold."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers).difference(before):
        root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real photographs beside the checkout; a test that asks for it is skipped where there is none."""
    if not SHARED_DATA.is_dir():
        pytest.skip("../shared/data is not here")
    return SHARED_DATA


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Folder on which `small_disk` may be mounted; a test that asks for it is skipped where that needs more rights."""
    folder = tmp_path / "disk"
    if fault := mount_fault(folder):
        pytest.skip(fault)
    return folder


def pytest_configure() -> None:
    """Lets signals act here and in all that the tests start, also where the tests run in a script's background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
