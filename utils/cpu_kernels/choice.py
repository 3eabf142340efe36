"""Which implementation an operator takes: its C kernel on a CPU, MindSpore's own operators everywhere else.

The choice is made when a Cell is constructed, here and nowhere else. Results agree to about 1e-6 relative and
parameters have the same names, so that a checkpoint does not know which choice was made. Kernels compute float32
of a shape that is known when a graph is compiled; other input takes MindSpore's operators.

Each operator has a file of its own: the kernel as a primitive with its gradient, made once per process, and the Cell
that takes it or MindSpore's operators. The C source beside it is kernels/NAME.c.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import mindspore as ms
from mindspore import Tensor, ops

from utils.cpu_kernels.library import kernel_library

Shape = tuple[int, ...]
Shapes = Sequence[int] | Sequence[Sequence[int]]  # of one output, or of several
Kernel = TypeVar("Kernel")

_stock_only = False


@contextmanager
def stock_operators() -> Iterator[None]:
    """Lets every Cell constructed in a `with` block take MindSpore's own operators, as export needs."""
    global _stock_only
    before, _stock_only = _stock_only, True
    try:
        yield
    finally:
        _stock_only = before


def chosen_library() -> Path | None:
    """Returns the library of kernels if Cells constructed now are to use it."""
    if _stock_only or ms.get_context("device_target") != "CPU":
        return None
    return kernel_library()


def chosen_kernel(make: Callable[..., Kernel], *options: object) -> Kernel | None:
    """Returns `make(library, *options)` if Cells constructed now are to use kernels, None for MindSpore's operators."""
    library = chosen_library()
    return make(library, *options) if library else None


def fits_kernel(x: Tensor) -> bool:
    """Returns whether a kernel can take the input: float32, of a shape known when the graph is compiled."""
    return x.dtype == ms.float32 and not ops.functional.is_sequence_value_unknown(x.shape)


def make_kernel(
    library: Path,
    name: str,
    out_shapes: Callable[..., Shapes],
    num_outputs: int = 1,
    bprop: Callable | None = None,
    *,
    out_type: ms.Type = ms.float32,
    case: str = "",
) -> ops.Custom:
    """Returns a function of the library as a primitive.

    Without a graph, MindSpore takes primitives of equal function and attributes for the same one and asks one
    of them for all shapes; so where `out_shapes` uses more than the inputs' shapes, `case` has to say what.

    Args:
        library: from `library.kernel_library`.
        name: of the C function.
        out_shapes: gives the shapes of the outputs for the shapes of the inputs.
        num_outputs: 1 for one Tensor, more for a tuple of them.
        bprop: gradients of the inputs, from inputs, output and the output's gradient, as `ops.Custom` wants it.
        out_type: dtype of the outputs.
        case: what tells this primitive from others of the same function.
    """
    types = out_type if num_outputs == 1 else (out_type,) * num_outputs
    kernel = ops.Custom(f"{library}:{name}", out_shapes, types, "aot", bprop)
    kernel.add_prim_attr("case", case)
    return kernel
