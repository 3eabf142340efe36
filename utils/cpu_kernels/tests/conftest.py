import contextlib

import mindspore as ms
import pytest

from utils.cpu_kernels.choice import stock_operators
from utils.cpu_kernels.library import kernel_library


@pytest.fixture(autouse=True)
def _graph_mode():
    ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")


@pytest.fixture(scope="session")
def kernels():
    """The library; a test that asks for it is skipped where it cannot be built."""
    library = kernel_library()
    if library is None:
        pytest.skip("no C compiler here: the kernels cannot be built")
    return library


@pytest.fixture(params=["kernel", "stock"])
def choice(request):
    """Cells made in a context that this returns run the kernels, or MindSpore's operators."""
    if request.param == "stock":
        return stock_operators
    request.getfixturevalue("kernels")
    return contextlib.nullcontext
