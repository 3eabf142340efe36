import mindspore as ms
import pytest

from utils.cpu_kernels.library import kernel_library


@pytest.fixture(autouse=True)
def _graph_mode():
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.fixture(scope="session")
def kernels():
    """The library; a test that asks for it is skipped where it cannot be built."""
    library = kernel_library()
    if library is None:
        pytest.skip("no C compiler here: the kernels cannot be built")
    return library
