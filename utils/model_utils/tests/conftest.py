"""A suite's folder for the tests of the loader."""

import pytest


@pytest.fixture
def suite(tmp_path, monkeypatch):
    """A suite's folder with a YAML file, and another working directory."""
    folder, caller = tmp_path / "suite", tmp_path / "caller"
    folder.mkdir()
    caller.mkdir()
    monkeypatch.chdir(caller)
    (folder / "default.yaml").write_text("epoch_size: 5\nlr: 1e-3\n")
    return folder
