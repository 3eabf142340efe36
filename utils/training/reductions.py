"""Sums over the workers of a job, inside compiled graphs.

On a CPU the workers meet one operation after the other and do not check that it is the same one: every worker has to
make its reductions in the same order. Those of one graph have therefore to depend on each other; values that are known
at the same time are best summed as one tensor.
"""

import mindspore as ms
from mindspore import nn, ops
from mindspore.communication import GlobalComm

from utils.model_utils.workers import Workers


class _NoSum(nn.Cell):
    """What the sum over one worker is."""

    def construct(self, values: ms.Tensor) -> ms.Tensor:
        """Returns the values; no gradient goes through."""
        return ops.stop_gradient(values)


class _Sum(nn.Cell):
    """The sum over several workers."""

    def __init__(self) -> None:
        super().__init__(auto_prefix=False)
        self.reduce = ops.AllReduce(ops.ReduceOp.SUM, GlobalComm.WORLD_COMM_GROUP)

    def construct(self, values: ms.Tensor) -> ms.Tensor:
        """Returns the sum of a float32 tensor over all workers; no gradient goes through."""
        return ops.stop_gradient(self.reduce(ops.stop_gradient(values)))


def sum_over_workers(workers: Workers) -> nn.Cell:
    """Returns a cell that sums a float32 tensor over the workers, for normalisers of losses.

    No gradient goes through. Sum all numbers of a loss as one tensor (`ops.stack`), with one call: on a CPU several
    calls that do not depend on each other may come in another order on each worker.
    """
    return _NoSum() if workers.count == 1 else _Sum()
