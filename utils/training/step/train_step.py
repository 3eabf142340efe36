"""One training step: its compiled graphs and what the host does between them."""

import inspect
import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import mindspore as ms
import numpy as np
from mindspore import nn

from utils.model_utils.errors import BadValueError
from utils.model_utils.workers import ALONE, Workers
from utils.training.step.graphs import BufferUpdate, LossCell, MicroStep, UpdateGraph, WholeStep
from utils.training.step.optimizer import AdamW, Sgd
from utils.training.step.precision import LossScaler
from utils.training.step.shared_graphs import SharedBufferUpdate, SharedStep, SharedSums

FUSION_MB = 32.0  # one call for a small network, eight for the largest; measured in utils/launch/README.md
logger = logging.getLogger(__name__)

_Result: TypeAlias = tuple[list[float], float, float, float]  # losses, wishes to stop, gradient norm, 1 if finite


@dataclass(frozen=True)
class StepOutput:
    """What one optimizer step tells the host.

    Attributes:
        losses: loss name to value, the total first, summed over the workers; means over the micro steps when gradients
            are accumulated.
        is_finite: whether loss and gradients were finite; if not, the step changed nothing.
        grad_norm: global norm of the gradients before clipping.
        loss_scale: the loss scale that the step was made with.
        wants_stop: whether one of the workers wants to stop after this step.
    """

    losses: dict[str, float]
    is_finite: bool
    grad_norm: float
    loss_scale: float
    wants_stop: bool = False


class TrainStep:
    """Makes optimizer steps. A step whose loss or gradients are not finite changes nothing but the loss scale.

    Where several workers make it together, the gradients and losses of all are summed, so that the loss of each has to
    be its part of the whole batch's, divided by normalisers that are summed over the workers
    (`reductions.sum_over_workers`). All make the same update, or none, and keep bit-equal weights; batch normalisation
    has the statistics of each worker's images, and the means of the moving ones.

    Under a static loss scale, where such a step has to end the run, it may also have changed the moving statistics of
    batch normalisation: to protect these takes a fifth of the compilation of a detector.

    Args:
        network_with_loss: called with the inputs of one (micro) batch, returns a tuple of float32 scalars (total, part,
            ...) that the attribute `loss_names` names. Make it with `auto_prefix=False`, so that the parameters keep
            the network's names.
        optimizer: from `build_optimizer`.
        columns: names of the arrays of a batch, in its order; each is given to the network's argument of that name.
            None: a batch has the order of the network's arguments.
        loss_scaler: loss scale, static or dynamic; None for 1.
        clip_norm: largest global norm of the gradients; 0 for no clipping.
        accumulate_steps: each call's inputs are cut into so many micro batches along their first axis; the step uses
            the mean of their gradients. A loss that divides by a count of its batch (positives, valid pixels) divides
            by each micro batch's.
        ema_decay: decay of an exponential moving average of all parameters, statistics of batch normalisation included;
            0 for none. The average starts at the initial weights.
        workers: the workers that make the step together.
        gradient_fusion_mb: megabytes of gradients that they sum at a time; 0: those of each parameter by itself.

    Raises:
        BadValueError: if a number is out of range.
        ValueError: if the columns are not the network's arguments.
    """

    def __init__(
        self,
        network_with_loss: LossCell,
        optimizer: Sgd | AdamW,
        *,
        columns: Sequence[str] | None = None,
        loss_scaler: LossScaler | None = None,
        clip_norm: float = 0.0,
        accumulate_steps: int = 1,
        ema_decay: float = 0.0,
        workers: Workers = ALONE,
        gradient_fusion_mb: float = FUSION_MB,
    ) -> None:
        if clip_norm < 0 or accumulate_steps < 1 or not 0 <= ema_decay < 1:
            raise BadValueError(
                f"clip_norm={clip_norm}, accumulate_steps={accumulate_steps}, ema_decay={ema_decay}: wanted clip_norm "
                ">= 0, accumulate_steps >= 1 and 0 <= ema_decay < 1"
            )
        self.network = network_with_loss
        self.loss_names: tuple[str, ...] = tuple(network_with_loss.loss_names)
        self._order = None if columns is None else argument_order(network_with_loss, columns)
        self.optimizer = optimizer
        self.loss_scaler = loss_scaler or LossScaler()
        self.accumulate_steps = accumulate_steps
        self.ema_decay = float(ema_decay)
        self.workers = workers
        graph = UpdateGraph(network_with_loss, optimizer, float(clip_norm), self.ema_decay, self.loss_scaler.dynamic)
        self._graph = graph
        if ms.get_context("mode") != ms.GRAPH_MODE:
            # Not compiled with `ms.jit` instead: a graph made so does not see what the host writes into its parameters
            # later.
            logger.warning("PyNative mode: steps run uncompiled; call set_context(mode=mindspore.GRAPH_MODE) first")
        self._make_graphs(graph, gradient_fusion_mb)

    def _make_graphs(self, graph: UpdateGraph, fusion_mb: float) -> None:
        """Chooses the way a step is made; one worker's graphs know nothing of others."""
        is_alone, is_whole = self.workers.count == 1, self.accumulate_steps == 1
        # What the workers sum beside the gradients: losses, their wishes to stop, and bad micro steps.
        report_size = len(self.loss_names) + (1 if is_whole else 2)
        sums = None if is_alone else SharedSums(graph, self.workers.count, report_size, fusion_mb)
        if is_whole:
            self._run = self._whole if is_alone else self._shared
            self._step = WholeStep(graph) if sums is None else SharedStep(graph, sums)
            return
        self._run = self._accumulated if is_alone else self._shared_accumulated
        buffers = graph.optimizer.parameters.clone("accumulated", init="zeros")
        self._micro_step = MicroStep(graph, buffers)
        self._update = (
            BufferUpdate(graph, buffers, self.accumulate_steps)
            if sums is None
            else SharedBufferUpdate(graph, sums, buffers, self.accumulate_steps)
        )

    def __call__(self, *inputs: np.ndarray, wants_stop: bool = False) -> StepOutput:
        """Makes one optimizer step and waits for it.

        Args:
            inputs: the arrays of a batch; first axis: its images.
            wants_stop: whether this worker wants to stop after the step.

        Raises:
            BadValueError: if a batch cannot be cut into `accumulate_steps` equal parts.
        """
        if not self.network.training:
            self.network.set_train(True)
        if self._order is not None:
            inputs = tuple(inputs[place] for place in self._order)
        scale = self.loss_scaler.scale
        losses, stops, grad_norm, is_finite = self._run(ms.Tensor(np.float32(scale)), inputs, float(wants_stop))
        self.loss_scaler.update(bool(is_finite))
        named = dict(zip(self.loss_names, losses, strict=True))
        return StepOutput(
            losses=named, is_finite=bool(is_finite), grad_norm=grad_norm, loss_scale=scale, wants_stop=stops > 0
        )

    def as_graph(self) -> nn.Cell:
        """Returns the compiled step of one worker that does not accumulate: the loss scale float32[], then a batch."""
        return self._step

    def parameters(self) -> list[ms.Parameter]:
        """Returns what a checkpoint holds: all of the network, the optimizer's state, the averages (prefix "ema.")."""
        return [*self._graph.weights, *self.optimizer.state_parameters(), *self._graph.averages]

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

    def _whole(self, scale: ms.Tensor, inputs: Sequence[np.ndarray], wants_stop: float) -> _Result:
        *losses, norm, is_finite = self._step(scale, *_tensors(inputs)).asnumpy().tolist()
        return losses, wants_stop, norm, is_finite

    def _shared(self, scale: ms.Tensor, inputs: Sequence[np.ndarray], wants_stop: float) -> _Result:
        stop = ms.Tensor(np.float32(wants_stop))
        *losses, stops, norm, is_finite = self._step(stop, scale, *_tensors(inputs)).asnumpy().tolist()
        return losses, stops, norm, is_finite

    def _accumulated(self, scale: ms.Tensor, inputs: Sequence[np.ndarray], wants_stop: float) -> _Result:
        losses = np.zeros(len(self.loss_names))
        for output in self._micro_steps(scale, inputs):
            losses += output[:-1] / self.accumulate_steps
            if not output[-1]:
                return output[:-1].tolist(), wants_stop, math.nan, 0.0
        norm, is_finite = self._update(scale).asnumpy().tolist()
        return losses.tolist(), wants_stop, norm, is_finite

    def _shared_accumulated(self, scale: ms.Tensor, inputs: Sequence[np.ndarray], wants_stop: float) -> _Result:
        # After a bad micro step the others have to follow: the workers meet in each of them.
        outputs = np.stack(list(self._micro_steps(scale, inputs)))
        report = np.array([*outputs[:, :-1].mean(0), wants_stop, np.sum(outputs[:, -1] == 0)], np.float32)
        *losses, stops, _, norm, is_finite = self._update(ms.Tensor(report), scale).asnumpy().tolist()
        return losses, stops, norm, is_finite

    def _micro_steps(self, scale: ms.Tensor, inputs: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        """Yields what `MicroStep` returns for each micro batch."""
        count = self.accumulate_steps
        uneven = [values.shape for values in inputs if values.ndim == 0 or len(values) % count]
        if uneven:
            raise BadValueError(
                f"a batch with an array of shape {uneven[0]} cannot be cut into accumulate_steps={count} equal parts; "
                "choose a batch size that it divides"
            )
        for index, parts in enumerate(zip(*(np.split(values, count) for values in inputs), strict=True)):
            is_first = ms.Tensor(np.bool_(index == 0))
            yield self._micro_step(is_first, scale, *_tensors(parts)).asnumpy()


def _tensors(arrays: Sequence[np.ndarray]) -> list[ms.Tensor]:
    return [ms.Tensor(array) for array in arrays]


def argument_order(network: nn.Cell, columns: Sequence[str]) -> tuple[int, ...]:
    """Returns for each argument of a network which of the columns is given to it.

    Raises:
        ValueError: an argument that has no default has no column, or a column no argument.
    """
    arguments = inspect.signature(network.construct).parameters
    needed = [name for name, argument in arguments.items() if argument.default is inspect.Parameter.empty]
    given = [name for name in arguments if name in columns]
    # What comes after a gap could not be given by its place, as graphs take it.
    if len(given) != len(columns) or not set(needed) <= set(given) or given != list(arguments)[: len(given)]:
        raise ValueError(
            f"a batch has {', '.join(columns)} and {type(network).__name__} takes {', '.join(arguments)}: give both "
            "the same names"
        )
    return tuple(columns.index(name) for name in given)
