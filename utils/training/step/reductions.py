"""Sums over the workers of a job, inside compiled graphs.

On a CPU the workers meet one operation after the other and do not check that it is the same one: every worker has to
make its reductions in the same order. Those of one graph have therefore to depend on each other; values that are known
at the same time are best summed as one tensor.
"""

from collections.abc import Sequence

import mindspore as ms
from mindspore import nn, ops
from mindspore.communication import GlobalComm

from utils.model_utils.workers import Workers

_BYTES = 4  # of a float32
# Primitives: their functions and the methods of tensors take longer to compile, for hundreds of tensors.
_reshape, _slice = ops.Reshape(), ops.Slice()
_flatten = ops.MultitypeFuncGraph("flatten")
_cut = ops.MultitypeFuncGraph("cut")


@_flatten.register("Tensor")
def _flatten_one(values: ms.Tensor) -> ms.Tensor:
    return _reshape(values, (-1,))


@_cut.register("Tensor", "Number", "Tensor")
def _cut_one(joined: ms.Tensor, offset: int, like: ms.Tensor) -> ms.Tensor:
    return _reshape(_slice(joined, (offset,), (like.size,)), like.shape)


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
        sizes: numbers of values of the tensors.
        fusion_mb: most megabytes of a call; a larger tensor has one by itself, and so has every one where this is 0.
    """

    def __init__(self, sizes: Sequence[int], fusion_mb: float) -> None:
        super().__init__(auto_prefix=False)
        groups = neighbours_within(sizes, fusion_mb * 1e6 / _BYTES)
        self.groups = nn.CellList([_JoinedSum(start, members) for start, members in groups])

    def construct(self, tensors: tuple[ms.Tensor, ...]) -> tuple[ms.Tensor, ...]:
        """Returns the sums, in the order of the tensors."""
        sums = ()
        last = tensors[0]
        for group in self.groups:
            parts, last = group(tensors[group.start : group.stop], last)
            sums += parts
        return sums


class _JoinedSum(nn.Cell):
    """Sums some tensors over the workers in one call. A loop over them in `construct` would be nested too deeply."""

    def __init__(self, start: int, sizes: tuple[int, ...]) -> None:
        super().__init__(auto_prefix=False)
        self.start, self.stop = start, start + len(sizes)
        self.offsets = tuple(sum(sizes[:index]) for index in range(len(sizes)))
        self.is_single = len(sizes) == 1
        self.reduce = ops.AllReduce(ops.ReduceOp.SUM, GlobalComm.WORLD_COMM_GROUP)
        self.map = ops.HyperMap()

    def construct(self, tensors: tuple[ms.Tensor, ...], last: ms.Tensor) -> tuple[tuple[ms.Tensor, ...], ms.Tensor]:
        """Returns the sums, and something to depend on for what is to come after them as they come after `last`."""
        if self.is_single:
            total = self.reduce(ops.depend(tensors[0], last))
            return (total,), total
        total = self.reduce(ops.depend(ops.concat(self.map(_flatten, tensors)), last))
        return self.map(ops.partial(_cut, total), self.offsets, tensors), total


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
