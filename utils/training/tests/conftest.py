"""Tests of the engine run compiled, as training does; the folder's helper module can be imported by its name."""

import sys
from pathlib import Path

import mindspore as ms
import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _graph_mode():
    ms.set_context(mode=ms.GRAPH_MODE)
