"""The graphs of a training step that several workers make together: what each has found is summed before the update.

So all of them see the same gradients and losses, and decide alike whether they are finite and what to update.
"""

import mindspore as ms
from mindspore import nn, ops

from utils.training.step.graphs import UpdateGraph, changing_statistics
from utils.training.step.reductions import FusedSum

_set_mean = ops.MultitypeFuncGraph("set_mean")
_value = ops.MultitypeFuncGraph("value")


@_value.register("Tensor")
def _value_of_one(statistic: ms.Parameter) -> ms.Tensor:
    return statistic * 1.0


@_set_mean.register("Tensor", "Tensor", "Tensor")
def _set_one_mean(count: ms.Tensor, statistic: ms.Parameter, total: ms.Tensor) -> ms.Tensor:
    return ops.assign(statistic, total / count)


class SharedSums(nn.Cell):
    """Sums a report and the gradients over the workers, and gives each the mean of their moving statistics.

    Args:
        graph: of this worker.
        num_workers: number of workers.
        report_size: length of the report.
        fusion_mb: see `FusedSum`.
    """

    def __init__(self, graph: UpdateGraph, num_workers: int, report_size: int, fusion_mb: float) -> None:
        super().__init__(auto_prefix=False)
        self.num_workers = ms.Tensor(num_workers, ms.float32)
        self.statistics = ms.ParameterTuple(changing_statistics(graph.network))
        # The report goes first: it depends on whatever is summed within the forward pass. Then the gradients follow in
        # the order in which the backward pass finds them.
        self.sums = FusedSum(
            [report_size, *(item.size for item in (*self.statistics, *reversed(graph.optimizer.parameters)))], fusion_mb
        )
        self.num_statistics = len(self.statistics)
        self.map = ops.HyperMap()

    def construct(self, report: ms.Tensor, gradients: tuple[ms.Tensor, ...]) -> tuple[ms.Tensor, tuple[ms.Tensor, ...]]:
        """Returns the sums of the report, float32[R], and of the gradients."""
        statistics = self.map(_value, self.statistics)  # as the forward pass has left them
        sums = self.sums((report, *statistics, *gradients[::-1]))
        if self.num_statistics > 0:
            self.map(ops.partial(_set_mean, self.num_workers), self.statistics, sums[1 : 1 + self.num_statistics])
        return sums[0], sums[1 + self.num_statistics :][::-1]


class SharedStep(nn.Cell):
    """Forward, backward, sums over the workers and update.

    Returns float32[num losses + 3]: losses of the whole batch, how many workers want to stop, gradient norm, 1 if
    finite.
    """

    def __init__(self, graph: UpdateGraph, sums: SharedSums) -> None:
        super().__init__(auto_prefix=False)
        self.graph, self.sums = graph, sums

    def construct(self, wants_stop: ms.Tensor, scale: ms.Tensor, *inputs: ms.Tensor) -> ms.Tensor:
        """Makes a step with the loss times `scale`; `wants_stop` is 1 or 0."""
        self.graph.keep_statistics(ops.full_like(scale, 1).astype(ms.bool_))
        (_, losses), gradients = self.graph.gradient_of(scale, *inputs)
        report, gradients = self.sums(ops.concat((losses, wants_stop.reshape(1))), gradients)
        norm = self.graph.norm(gradients) / scale
        is_finite = ops.logical_and(ops.isfinite(norm), ops.isfinite(report[0] * scale))
        self.graph.restore_statistics(ops.logical_not(is_finite))
        self.graph.update(gradients, 1.0 / scale, norm, is_finite)
        return ops.concat((report, norm.reshape(1), is_finite.astype(ms.float32).reshape(1)))


class SharedBufferUpdate(nn.Cell):
    """Sums the accumulated gradients over the workers and applies the mean of the micro steps.

    Returns float32[R + 2]: the sums of the reports, gradient norm, 1 if finite.
    """

    def __init__(self, graph: UpdateGraph, sums: SharedSums, buffers: ms.ParameterTuple, count: int) -> None:
        super().__init__(auto_prefix=False)
        self.graph, self.sums, self.buffers, self.count = graph, sums, buffers, count

    def construct(self, report: ms.Tensor, scale: ms.Tensor) -> ms.Tensor:
        """`report`: float32[R], what to sum; the last number says how many micro steps were not finite."""
        report, gradients = self.sums(report, self.buffers)
        factor = 1.0 / (scale * self.count)
        norm = self.graph.norm(gradients) * factor
        is_finite = ops.logical_and(ops.isfinite(norm), report[-1] == 0)
        self.graph.restore_statistics(ops.logical_not(is_finite))
        self.graph.update(gradients, factor, norm, is_finite)
        return ops.concat((report, norm.reshape(1), is_finite.astype(ms.float32).reshape(1)))
