"""The tiny data set and a checkpoint of a tiny detector."""

from pathlib import Path

import pytest

from utils.detection.tests.tiny_coco import write_coco


@pytest.fixture()
def tiny_coco(tmp_path: Path) -> Path:
    """Root of the data set."""
    return write_coco(tmp_path / "coco data")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint of a tiny detector with random weights, in a folder with a space in its name."""
    from nas_fpn.tests.tiny_detector import write_checkpoint  # MindSpore takes seconds to import

    return write_checkpoint(tmp_path_factory.mktemp("check point") / "tiny.ckpt")
