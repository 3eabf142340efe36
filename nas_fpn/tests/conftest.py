"""The tiny data set."""

from pathlib import Path

import pytest

from utils.detection.tests.tiny_coco import write_coco


@pytest.fixture()
def tiny_coco(tmp_path: Path) -> Path:
    """Root of the data set."""
    return write_coco(tmp_path / "coco data")
