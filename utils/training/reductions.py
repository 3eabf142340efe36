"""Sums over the workers of a job, inside compiled graphs.

On a CPU the workers meet one operation after the other and do not check that it is the same one: every worker has to
make its reductions in the same order. Those of one graph have therefore to depend on each other; values that are known
at the same time are best summed as one tensor.
"""

import math
from collections.abc import Sequence

import mindspore as ms
from mindspore import nn, ops
from mindspore.communication import GlobalComm

from utils.model_utils.workers import Workers

_BYTES = 4   # of a float32


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


class FusedSum(nn.Cell):
    """Sums many float32 tensors over the workers, neighbours joined into few large calls, one after the other.

    A call costs a fixed time beside that of its bytes, and a network has hundreds of small parameters.

    Args:
        shapes: of the tensors.
        fusion_mb: most megabytes of a call; a larger tensor has one by itself, and so has every one where this is 0.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]], fusion_mb: float) -> None:
        super().__init__(auto_prefix=False)
        self.shapes = tuple(tuple(shape) for shape in shapes)
        self.groups = neighbours_within([math.prod(shape) for shape in self.shapes], fusion_mb * 1e6 / _BYTES)
        self.reduce = ops.AllReduce(ops.ReduceOp.SUM, GlobalComm.WORLD_COMM_GROUP)

    def construct(self, tensors: tuple[ms.Tensor, ...]) -> tuple[ms.Tensor, ...]:
        """Returns the sums, in the order of the tensors."""
        sums = ()
        last = tensors[0]
        for start, sizes in self.groups:
            parts = ()
            for index in range(len(sizes)):
                parts += (tensors[start + index].reshape(-1),)
            joined = ops.concat(parts) if len(sizes) > 1 else parts[0]
            last = self.reduce(ops.depend(joined, last))
            parts = ops.split(last, sizes) if len(sizes) > 1 else (last,)
            for index in range(len(sizes)):
                sums += (parts[index].reshape(self.shapes[start + index]),)
        return sums


def neighbours_within(sizes: Sequence[int], limit: float) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Cuts a sequence into groups of neighbours whose sizes add up to at most `limit`, or that are alone.

    Returns:
        For each group, the index of its first member, and the sizes of all.
    """
    groups: list[tuple[int, tuple[int, ...]]] = []
    for index, size in enumerate(sizes):
        if groups and sum(groups[-1][1]) + size <= limit:
            groups[-1] = (groups[-1][0], (*groups[-1][1], size))
        else:
            groups.append((index, (size,)))
    return tuple(groups)
