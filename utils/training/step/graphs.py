"""The compiled graphs of a training step: forward, backward, scaling, clipping, update and averaging of the weights.

They draw nothing by themselves: whatever they sample with comes in as an input from the data source.
"""

from collections.abc import Iterable, Iterator

import mindspore as ms
from mindspore import nn, ops

from utils.cpu_kernels.updates import average_kernel
from utils.training.checkpoints.checkpoint_file import EMA_PREFIX
from utils.training.step.optimizer import AdamW, Sgd, library_for

_STATISTICS = ("moving_mean", "moving_variance")  # attributes of the batch normalisation cells
_CLIP_EPSILON = 1e-6  # as in torch.nn.utils.clip_grad_norm_

_l2_loss = ops.L2Loss()
_half_square = ops.MultitypeFuncGraph("half_square")
_choose = ops.MultitypeFuncGraph("choose")
_average = ops.MultitypeFuncGraph("average")
_average_in_place = ops.MultitypeFuncGraph("average_in_place")
_accumulate = ops.MultitypeFuncGraph("accumulate")


@_half_square.register("Tensor")
def _half_square_of_one(gradient: ms.Tensor) -> ms.Tensor:
    return _l2_loss(gradient)


@_choose.register("Tensor", "Tensor", "Tensor")
def _choose_one(is_bad: ms.Tensor, target: ms.Parameter, fallback: ms.Tensor) -> ms.Tensor:
    return ops.assign(target, ops.select(ops.broadcast_to(is_bad, target.shape), fallback, target))


@_average.register("Tensor", "Tensor", "Tensor")
def _average_one(decay: ms.Tensor, average: ms.Parameter, value: ms.Tensor) -> ms.Tensor:
    return ops.assign(average, average * decay + value * (1.0 - decay))


@_average_in_place.register("Function", "Tensor", "Tensor", "Tensor")
def _average_one_in_place(kernel: ops.Custom, decay: ms.Tensor, average: ms.Parameter, value: ms.Tensor) -> ms.Tensor:
    return kernel(average, value, decay)


@_accumulate.register("Tensor", "Tensor", "Tensor")
def _accumulate_one(is_first: ms.Tensor, total: ms.Parameter, gradient: ms.Tensor) -> ms.Tensor:
    return ops.assign(total, ops.masked_fill(total, is_first, 0.0) + gradient)


class LossCell(nn.Cell):
    """A network with its loss, which returns the scalars that `loss_names` names, the total first."""

    loss_names: tuple[str, ...]


class UpdateGraph(nn.Cell):
    """What the graphs share: the network, its gradients, the update and the care for moving statistics."""

    def __init__(
        self,
        network_with_loss: LossCell,
        optimizer: Sgd | AdamW,
        clip_norm: float,
        ema_decay: float,
        protects_statistics: bool,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.network = network_with_loss
        self.optimizer = optimizer
        self.weights = ms.ParameterTuple(list(network_with_loss.get_parameters()))
        self.averages = self.weights.clone(EMA_PREFIX) if ema_decay > 0 else ()
        self.statistics = ms.ParameterTuple(_statistics(_cells_of(network_with_loss)) if protects_statistics else [])
        self.kept_statistics = self.statistics.clone("kept")
        self.has_statistics = len(self.statistics) > 0
        self.clip_norm, self.ema_decay = clip_norm, ema_decay
        library = library_for(self.weights)
        self.kernel = average_kernel(library) if library else None
        self.map = ops.HyperMap()
        self.gradient_of = ms.value_and_grad(self.scaled_loss, None, optimizer.parameters, has_aux=True)

    def scaled_loss(self, scale: ms.Tensor, *inputs: ms.Tensor) -> tuple[ms.Tensor, ms.Tensor]:
        """Returns the total loss * scale, and all losses as float32[num losses]."""
        losses = self.network(*inputs)
        return losses[0] * scale, ops.stack(losses)

    def norm(self, gradients: tuple[ms.Tensor, ...]) -> ms.Tensor:
        """Returns the global norm; it is finite exactly when every gradient is (and its square does not overflow).

        One pass over the gradients serves the norm and the test; `ms.amp.all_finite` would cost another, four times as
        long on a CPU.
        """
        return ops.sqrt(2.0 * ops.addn(self.map(_half_square, gradients)))

    def update(
        self, gradients: tuple[ms.Tensor, ...], factor: ms.Tensor, norm: ms.Tensor, is_finite: ms.Tensor
    ) -> None:
        """Applies the optimizer to gradients * factor, whose norm is `norm` before clipping, and moves the averages."""
        if self.clip_norm > 0:
            factor = factor * ops.minimum(self.clip_norm / (norm + _CLIP_EPSILON), 1.0)
        self.optimizer(gradients, factor, is_finite)
        if self.ema_decay > 0:
            decay = ops.select(is_finite, ops.full_like(norm, self.ema_decay), 1.0)
            if self.kernel is not None:
                self.map(ops.partial(_average_in_place, self.kernel, decay), self.averages, self.weights)
            else:
                self.map(ops.partial(_average, decay), self.averages, self.weights)

    def keep_statistics(self, is_first: ms.Tensor) -> None:
        """Remembers the moving statistics of batch normalisation before a step's first forward pass."""
        if self.has_statistics:
            self.map(ops.partial(_choose, is_first), self.kept_statistics, self.statistics)

    def restore_statistics(self, is_bad: ms.Tensor) -> None:
        """Takes back what the forward pass did to the moving statistics, where `is_bad` is true."""
        if self.has_statistics:
            self.map(ops.partial(_choose, is_bad), self.statistics, self.kept_statistics)


def changing_statistics(network: nn.Cell) -> list[ms.Parameter]:
    """Returns the moving statistics of batch normalisation that training changes: not those that are frozen."""
    return _statistics(cell for cell in _cells_of(network) if getattr(cell, "use_batch_statistics", None) is not False)


def _cells_of(network: nn.Cell) -> Iterator[nn.Cell]:
    return (cell for _, cell in network.cells_and_names())


def _statistics(cells: Iterable[nn.Cell]) -> list[ms.Parameter]:
    return [
        getattr(cell, name)
        for cell in cells
        for name in _STATISTICS
        if isinstance(getattr(cell, name, None), ms.Parameter)
    ]


class WholeStep(nn.Cell):
    """Forward, backward and update. Returns float32[num losses + 2]: losses, gradient norm, 1 if finite."""

    def __init__(self, graph: UpdateGraph) -> None:
        super().__init__(auto_prefix=False)
        self.graph = graph

    def construct(self, scale: ms.Tensor, *inputs: ms.Tensor) -> ms.Tensor:
        """Makes a step with the loss times `scale`."""
        self.graph.keep_statistics(ops.full_like(scale, 1).astype(ms.bool_))
        (total, losses), gradients = self.graph.gradient_of(scale, *inputs)
        norm = self.graph.norm(gradients) / scale
        is_finite = ops.logical_and(ops.isfinite(norm), ops.isfinite(total))
        self.graph.restore_statistics(ops.logical_not(is_finite))
        self.graph.update(gradients, 1.0 / scale, norm, is_finite)
        return ops.concat((losses, norm.reshape(1), is_finite.astype(ms.float32).reshape(1)))


class MicroStep(nn.Cell):
    """Forward and backward, gradients added to buffers. Returns float32[num losses + 1]: losses, 1 if finite.

    Where that is 0 the buffers are spoilt; the next step's first micro batch overwrites them.
    """

    def __init__(self, graph: UpdateGraph, buffers: ms.ParameterTuple) -> None:
        super().__init__(auto_prefix=False)
        self.graph, self.buffers = graph, buffers
        self.map = ops.HyperMap()

    def construct(self, is_first: ms.Tensor, scale: ms.Tensor, *inputs: ms.Tensor) -> ms.Tensor:
        """Makes a micro step; the first one of a step, bool, begins the buffers anew."""
        self.graph.keep_statistics(is_first)
        (total, losses), gradients = self.graph.gradient_of(scale, *inputs)
        is_finite = ops.logical_and(ops.isfinite(self.graph.norm(gradients)), ops.isfinite(total))
        self.graph.restore_statistics(ops.logical_not(is_finite))
        self.map(ops.partial(_accumulate, is_first), self.buffers, gradients)
        return ops.concat((losses, is_finite.astype(ms.float32).reshape(1)))


class BufferUpdate(nn.Cell):
    """Applies the mean of the accumulated gradients. Returns float32[2]: gradient norm, 1 if finite."""

    def __init__(self, graph: UpdateGraph, buffers: ms.ParameterTuple, count: int) -> None:
        super().__init__(auto_prefix=False)
        self.graph, self.buffers, self.count = graph, buffers, count

    def construct(self, scale: ms.Tensor) -> ms.Tensor:
        """Makes the update; `scale` is that of the micro steps' losses."""
        factor = 1.0 / (scale * self.count)
        norm = self.graph.norm(self.buffers) * factor
        is_finite = ops.isfinite(norm)
        self.graph.restore_statistics(ops.logical_not(is_finite))
        self.graph.update(self.buffers, factor, norm, is_finite)
        return ops.stack((norm, is_finite.astype(ms.float32)))
