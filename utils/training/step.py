"""One training step as one compiled graph: forward, backward, scaling, clipping, update and averaging of the weights.

The graph draws nothing by itself: whatever it samples with comes in as an input from the data source.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import mindspore as ms
import numpy as np
from mindspore import nn, ops

from utils.cpu_kernels.custom import average_kernel
from utils.cpu_kernels.operators import chosen_library
from utils.model_utils.errors import BadValueError
from utils.training.optimizer import AdamW, Sgd
from utils.training.optimizer import set_learning_rate as set_optimizer_learning_rate
from utils.training.precision import LossScaler

EMA_PREFIX = "ema"
_STATISTICS = ("moving_mean", "moving_variance")   # attributes of the batch normalisation cells
logger = logging.getLogger(__name__)

_CLIP_EPSILON = 1e-6   # as in torch.nn.utils.clip_grad_norm_

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
def _average_one_in_place(
    kernel: ops.Custom, decay: ms.Tensor, average: ms.Parameter, value: ms.Tensor,
) -> ms.Tensor:
    return kernel(average, value, decay)


@_accumulate.register("Tensor", "Tensor", "Tensor")
def _accumulate_one(is_first: ms.Tensor, total: ms.Parameter, gradient: ms.Tensor) -> ms.Tensor:
    return ops.assign(total, ops.masked_fill(total, is_first, 0.0) + gradient)


@dataclass(frozen=True)
class StepOutput:
    """What one optimizer step tells the host.

    Attributes:
        losses: loss name to value, the total first; means over the micro steps when gradients are accumulated.
        is_finite: whether loss and gradients were finite; if not, the step changed nothing.
        grad_norm: global norm of the gradients before clipping.
        loss_scale: the loss scale that the step was made with.
    """

    losses: dict[str, float]
    is_finite: bool
    grad_norm: float
    loss_scale: float


class _Graph(nn.Cell):
    """What the graphs share: the network, its gradients, the update and the care for moving statistics."""

    def __init__(
        self, network_with_loss: nn.Cell, optimizer: Sgd | AdamW, clip_norm: float, ema_decay: float,
        protects_statistics: bool,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.network = network_with_loss
        self.optimizer = optimizer
        self.weights = ms.ParameterTuple(list(network_with_loss.get_parameters()))
        self.averages = self.weights.clone(EMA_PREFIX) if ema_decay > 0 else ()
        self.statistics = ms.ParameterTuple(
            [getattr(cell, name) for _, cell in network_with_loss.cells_and_names() for name in _STATISTICS
             if protects_statistics and isinstance(getattr(cell, name, None), ms.Parameter)])
        self.kept_statistics = self.statistics.clone("kept")
        self.has_statistics = len(self.statistics) > 0
        self.clip_norm, self.ema_decay = clip_norm, ema_decay
        library = chosen_library() if all(item.dtype == ms.float32 for item in self.weights) else None
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
        self, gradients: tuple[ms.Tensor, ...], factor: ms.Tensor, norm: ms.Tensor, is_finite: ms.Tensor,
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


class _WholeStep(nn.Cell):
    """Forward, backward and update. Returns float32[num losses + 2]: losses, gradient norm, 1 if finite."""

    def __init__(self, graph: _Graph) -> None:
        super().__init__(auto_prefix=False)
        self.graph = graph

    def construct(self, scale: ms.Tensor, *inputs: ms.Tensor) -> ms.Tensor:
        self.graph.keep_statistics(ops.full_like(scale, 1).astype(ms.bool_))
        (total, losses), gradients = self.graph.gradient_of(scale, *inputs)
        norm = self.graph.norm(gradients) / scale
        is_finite = ops.logical_and(ops.isfinite(norm), ops.isfinite(total))
        self.graph.restore_statistics(ops.logical_not(is_finite))
        self.graph.update(gradients, 1.0 / scale, norm, is_finite)
        return ops.concat((losses, norm.reshape(1), is_finite.astype(ms.float32).reshape(1)))


class _MicroStep(nn.Cell):
    """Forward and backward, gradients added to buffers. Returns float32[num losses + 1]: losses, 1 if finite.

    Where that is 0 the buffers are spoilt; the next step's first micro batch overwrites them.
    """

    def __init__(self, graph: _Graph, buffers: ms.ParameterTuple) -> None:
        super().__init__(auto_prefix=False)
        self.graph, self.buffers = graph, buffers
        self.map = ops.HyperMap()

    def construct(self, is_first: ms.Tensor, scale: ms.Tensor, *inputs: ms.Tensor) -> ms.Tensor:
        self.graph.keep_statistics(is_first)
        (total, losses), gradients = self.graph.gradient_of(scale, *inputs)
        is_finite = ops.logical_and(ops.isfinite(self.graph.norm(gradients)), ops.isfinite(total))
        self.graph.restore_statistics(ops.logical_not(is_finite))
        self.map(ops.partial(_accumulate, is_first), self.buffers, gradients)
        return ops.concat((losses, is_finite.astype(ms.float32).reshape(1)))


class _BufferUpdate(nn.Cell):
    """Applies the mean of the accumulated gradients. Returns float32[2]: gradient norm, 1 if finite."""

    def __init__(self, graph: _Graph, buffers: ms.ParameterTuple, count: int) -> None:
        super().__init__(auto_prefix=False)
        self.graph, self.buffers, self.count = graph, buffers, count

    def construct(self, scale: ms.Tensor) -> ms.Tensor:
        factor = 1.0 / (scale * self.count)
        norm = self.graph.norm(self.buffers) * factor
        is_finite = ops.isfinite(norm)
        self.graph.restore_statistics(ops.logical_not(is_finite))
        self.graph.update(self.buffers, factor, norm, is_finite)
        return ops.stack((norm, is_finite.astype(ms.float32)))


class TrainStep:
    """Makes optimizer steps. A step whose loss or gradients are not finite changes nothing but the loss scale.

    Under a static loss scale, where such a step has to end the run, it may also have changed the moving statistics of
    batch normalisation: to protect these takes a fifth of the compilation of a detector.

    Args:
        network_with_loss: called with the inputs of one (micro) batch, returns a tuple of float32 scalars (total, part,
            ...) that the attribute `loss_names` names. Make it with `auto_prefix=False`, so that the parameters keep
            the network's names.
        optimizer: from `build_optimizer`.
        loss_scaler: loss scale, static or dynamic; None for 1.
        clip_norm: largest global norm of the gradients; 0 for no clipping.
        accumulate_steps: each call's inputs are cut into so many micro batches along their first axis; the step uses
            the mean of their gradients. A loss that divides by a count of its batch (positives, valid pixels) divides
            by each micro batch's.
        ema_decay: decay of an exponential moving average of all parameters, statistics of batch normalisation included;
            0 for none. The average starts at the initial weights.

    Raises:
        BadValueError: if a number is out of range.
    """

    def __init__(
        self,
        network_with_loss: nn.Cell,
        optimizer: Sgd | AdamW,
        *,
        loss_scaler: LossScaler | None = None,
        clip_norm: float = 0.0,
        accumulate_steps: int = 1,
        ema_decay: float = 0.0,
    ) -> None:
        if clip_norm < 0 or accumulate_steps < 1 or not 0 <= ema_decay < 1:
            raise BadValueError(f"clip_norm={clip_norm}, accumulate_steps={accumulate_steps}, ema_decay={ema_decay}: "
                                "wanted clip_norm >= 0, accumulate_steps >= 1 and 0 <= ema_decay < 1")
        self.network = network_with_loss
        self.loss_names: tuple[str, ...] = tuple(network_with_loss.loss_names)
        self.optimizer = optimizer
        self.loss_scaler = loss_scaler or LossScaler()
        self.accumulate_steps = accumulate_steps
        self.ema_decay = float(ema_decay)
        graph = _Graph(
            network_with_loss, optimizer, float(clip_norm), self.ema_decay, self.loss_scaler.dynamic)
        self._graph = graph
        if ms.get_context("mode") != ms.GRAPH_MODE:
            # Not compiled with `ms.jit` instead: a graph made so does not see what the host writes into its parameters
            # later.
            logger.warning("PyNative mode: steps run uncompiled; call set_context(mode=mindspore.GRAPH_MODE) first")
        if accumulate_steps == 1:
            self._whole_step = _WholeStep(graph)
        else:
            buffers = optimizer.parameters.clone("accumulated", init="zeros")
            self._micro_step = _MicroStep(graph, buffers)
            self._buffer_update = _BufferUpdate(graph, buffers, accumulate_steps)

    def __call__(self, *inputs: np.ndarray) -> StepOutput:
        """Makes one optimizer step and waits for it.

        Args:
            inputs: what the network with loss takes; first axis: the images of the batch.

        Raises:
            BadValueError: if a batch cannot be cut into `accumulate_steps` equal parts.
        """
        if not self.network.training:
            self.network.set_train(True)
        scale = self.loss_scaler.scale
        run = self._whole if self.accumulate_steps == 1 else self._accumulated
        losses, grad_norm, is_finite = run(ms.Tensor(np.float32(scale)), inputs)
        self.loss_scaler.update(is_finite)
        named = dict(zip(self.loss_names, losses, strict=True))
        return StepOutput(losses=named, is_finite=is_finite, grad_norm=grad_norm, loss_scale=scale)

    def set_learning_rate(self, value: float) -> None:
        """Sets the learning rate of the next step."""
        set_optimizer_learning_rate(self.optimizer, value)

    def weight_parameters(self) -> list[ms.Parameter]:
        """Returns the network's parameters, moving statistics included."""
        return list(self._graph.weights)

    def extra_parameters(self) -> list[ms.Parameter]:
        """Returns what else a checkpoint must hold: the optimizer's state and the averaged weights (prefix "ema.")."""
        return [*self.optimizer.state_parameters(), *self._graph.averages]

    def reset_averages(self) -> None:
        """Lets the averaged weights start from the present weights; call it after loading pretrained weights."""
        for average, weight in zip(self._graph.averages, self._graph.weights, strict=bool(self._graph.averages)):
            average.set_data(ms.Tensor(weight.asnumpy().copy()))

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Puts the averaged weights into the network for the length of a `with` block; without EMA it does nothing."""
        self._swap_averages()
        try:
            yield
        finally:
            self._swap_averages()

    def _swap_averages(self) -> None:
        for average, weight in zip(self._graph.averages, self._graph.weights, strict=bool(self._graph.averages)):
            kept = weight.asnumpy().copy()
            weight.set_data(ms.Tensor(average.asnumpy().copy()))
            average.set_data(ms.Tensor(kept))

    def _whole(self, scale: ms.Tensor, inputs: Sequence[np.ndarray]) -> tuple[list[float], float, bool]:
        output = self._whole_step(scale, *(ms.Tensor(values) for values in inputs)).asnumpy()
        return output[:-2].tolist(), float(output[-2]), bool(output[-1])

    def _accumulated(self, scale: ms.Tensor, inputs: Sequence[np.ndarray]) -> tuple[list[float], float, bool]:
        count = self.accumulate_steps
        uneven = [values.shape for values in inputs if values.ndim == 0 or len(values) % count]
        if uneven:
            raise BadValueError(f"a batch with an array of shape {uneven[0]} cannot be cut into accumulate_steps="
                                f"{count} equal parts; choose a batch size that it divides")
        losses = np.zeros(len(self.loss_names))
        for index, parts in enumerate(zip(*(np.split(values, count) for values in inputs), strict=True)):
            is_first = ms.Tensor(np.bool_(index == 0))
            output = self._micro_step(is_first, scale, *(ms.Tensor(values) for values in parts)).asnumpy()
            losses += output[:-1] / count
            if not output[-1]:
                return output[:-1].tolist(), math.nan, False
        norm, is_finite = self._buffer_update(scale).asnumpy().tolist()
        return losses.tolist(), norm, bool(is_finite)
