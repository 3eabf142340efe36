"""Updates in place as C kernels: of a parameter by SGD or AdamW, and of the average of one.

They are primitives only: `utils.training.step` has the Cells and MindSpore's own operators for the same.
"""

import functools
from collections.abc import Sequence
from pathlib import Path

from mindspore import ops
from mindspore.ops import signature

from utils.cpu_kernels.choice import make_kernel


def _in_place_kernel(library: Path, name: str, changed: Sequence[str], read: Sequence[str]) -> ops.Custom:
    """Returns a function of the library that changes its first inputs in place; its result, float32[1], says nothing.

    Args:
        library: from `library.kernel_library`.
        name: of the C function.
        changed: names of the parameters that it changes.
        read: names of the inputs that it reads, after them.
    """
    kernel = make_kernel(library, name, lambda *shapes: [1])
    kernel.add_prim_attr("side_effect_mem", True)
    kinds = ((changed, signature.sig_rw.RW_WRITE), (read, signature.sig_rw.RW_READ))
    kernel.set_signatures(tuple(signature.make_sig(key, rw) for names, rw in kinds for key in names))
    return kernel


@functools.cache
def sgd_kernel(library: Path) -> ops.Custom:
    """Returns the update of (parameter, moment) by (gradient, settings[4], (rate's scale, decay)[2]).

    The settings are the gradient's factor, 1 if the update is to be made and 0 if not, learning rate and momentum.
    """
    return _in_place_kernel(library, "sgd_update", ("parameter", "moment"), ("gradient", "settings", "own_settings"))


@functools.cache
def adamw_kernel(library: Path) -> ops.Custom:
    """Returns the update of (parameter, first, second) by (gradient, settings[7], (rate's scale, decay)[2]).

    The settings are the gradient's factor, 1 if the update is to be made and 0 if not, learning rate, step size,
    epsilon and both betas.
    """
    return _in_place_kernel(
        library, "adamw_update", ("parameter", "first", "second"), ("gradient", "settings", "own_settings")
    )


@functools.cache
def average_kernel(library: Path) -> ops.Custom:
    """Returns the update of an average, average * decay + value * (1 - decay), by (value, decay[])."""
    return _in_place_kernel(library, "average_update", ("average",), ("value", "decay"))
