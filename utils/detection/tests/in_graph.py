"""Runs functions of tensors on NumPy arrays, compiled as a graph."""

import mindspore as ms
from mindspore import nn


class InGraph(nn.Cell):
    """Runs a function as a compiled graph on NumPy arrays."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def construct(self, *inputs):
        return self.function(*inputs)

    def run(self, *inputs):
        before = ms.get_context("mode")
        ms.set_context(mode=ms.GRAPH_MODE)
        try:
            outputs = self(*(ms.Tensor(values) for values in inputs))
        finally:
            ms.set_context(mode=before)
        return [output.asnumpy() for output in (outputs if isinstance(outputs, tuple) else (outputs,))]
