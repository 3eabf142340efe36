"""Networks to export run compiled, as the commands do."""

import mindspore as ms
import pytest


@pytest.fixture(autouse=True)
def _graph_mode():
    ms.set_context(mode=ms.GRAPH_MODE)
