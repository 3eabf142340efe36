"""Writes the checkpoints of a run."""

from pathlib import Path

import numpy as np

from utils.model_utils.errors import BadStateError
from utils.model_utils.guards.finite import describe_not_finite
from utils.training.agreement import check_equal
from utils.training.checkpoints.checkpoint import BestEvaluation, TrainingState
from utils.training.plan import RunOutput
from utils.training.record.records import EvaluationRecord
from utils.training.step.train_step import TrainStep


class RunSaver:
    """Writes where a run stands, with all parameters; only worker 0 does.

    Args:
        state: where the run stands; without arrays but for the time of writing.
        step: has the parameters.
        output: where checkpoints go.

    Attributes:
        last_path: the newest checkpoint, that which the run goes on from included; None before the first.
    """

    def __init__(self, state: TrainingState, step: TrainStep, output: RunOutput) -> None:
        self._state, self._step, self._output = state, step, output
        self.last_path: Path | None = None

    def save(self) -> None:
        """Writes a checkpoint; all workers come here after the same step.

        Raises:
            BadStateError: it cannot be written, or the workers' parameters differ or are not finite.
        """
        self.check()
        self._write()

    def check(self) -> None:
        """Refuses parameters that nothing can be made of; all workers come here after the same step.

        Loss and gradients can be finite where parameters are not: an update by a high learning rate overflows, and
        moving statistics of batch normalisation follow activations that a ReLU has made finite again. It takes 20 ms
        for the largest network.

        Raises:
            BadStateError: the workers' parameters differ or are not finite.
        """
        if self._step.workers.count > 1:
            check_equal(self._step.workers, self._step.parameters())
        self._refuse_not_finite()

    def write(self) -> None:
        """Writes a checkpoint of worker 0, whatever the others do.

        Raises:
            BadStateError: it cannot be written, or parameters are not finite.
        """
        self._refuse_not_finite()
        self._write()

    def _write(self) -> None:
        if not self._step.workers.is_main:
            return
        self._fill()
        self.last_path = self._output.checkpoints.save(self._state)
        self._state.arrays = {}
        if self._output.on_saved is not None:
            self._output.on_saved(self.last_path)

    def write_best(self, best: EvaluationRecord) -> None:
        """Takes note of the best evaluation and writes its checkpoint."""
        self._state.best = BestEvaluation(epoch=best.epoch, global_step=best.global_step, metrics=dict(best.metrics))
        if not self._step.workers.is_main:
            return
        self._fill()
        self._output.checkpoints.save_best(self._state)
        self._state.arrays = {}

    def _refuse_not_finite(self) -> None:
        found = describe_not_finite(self._arrays())
        if found:
            newest = f"the newest checkpoint is '{self.last_path}'" if self.last_path else "there is no checkpoint yet"
            raise BadStateError(
                f"the parameters are not finite (NaN or infinite) after epoch {self._state.epoch} step "
                f"{self._state.step_in_epoch}: {found}; they are not saved, {newest}: lower the learning rate, "
                "lengthen the warm-up or clip the gradients, then start again or go on with --resume=auto"
            )

    def _arrays(self) -> dict[str, np.ndarray]:
        """Returns the present parameters; the arrays are views of their memory where that can be."""
        return {parameter.name: parameter.asnumpy() for parameter in self._step.parameters()}

    def _fill(self) -> None:
        """Puts the present parameters into the state."""
        self._state.arrays = self._arrays()
        self._state.loss_scale = self._step.loss_scaler.scale
        self._state.loss_scale_good_steps = self._step.loss_scaler.good_steps
