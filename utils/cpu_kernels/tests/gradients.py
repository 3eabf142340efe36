"""What a Cell gives and the gradients that it hands back, as NumPy arrays; and noise to try it with."""

import mindspore as ms
import numpy as np
from mindspore import nn


def random(*shape, scale=1.0, seed=0):
    return (scale * np.random.default_rng(seed + sum(shape)).standard_normal(shape)).astype(np.float32)


class Pulled(nn.Cell):
    """The sum of a cell's result times a constant, whose gradient is the constant pulled back; and the result."""

    def __init__(self, cell, options):
        super().__init__(auto_prefix=False)
        self.cell, self.options = cell, options

    def construct(self, upstream, *inputs):
        result = self.cell(*inputs, *self.options)
        return (result * upstream).sum(), result


class WithGradients:
    """Calls a cell: returns its result, then the gradients of the float32 inputs and of the trained parameters.

    Args:
        cell: takes the inputs, then the options.
        options: what is not an array.
    """

    def __init__(self, cell, options=()):
        self.pulled, self.parameters = Pulled(cell, options), cell.trainable_params()
        self.function = None  # compiled once for all calls

    def __call__(self, upstream, *inputs):
        """`upstream` is the result's gradient."""
        if self.function is None:
            positions = tuple(1 + i for i, value in enumerate(inputs) if value.dtype == np.float32)
            self.function = ms.value_and_grad(self.pulled, positions, self.parameters or None, has_aux=True)
        (_, result), gradients = self.function(ms.Tensor(upstream), *map(ms.Tensor, inputs))
        return [value.asnumpy() for value in (result, *_flat(gradients))]


def _flat(values):
    return [leaf for value in values for leaf in _flat(value)] if isinstance(values, tuple | list) else [values]
