"""Writes the checkpoints of a run."""

from pathlib import Path

from utils.training.agreement import check_equal
from utils.training.checkpoints.checkpoint import TrainingState
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
            BadStateError: it cannot be written, or the workers' parameters differ.
        """
        if self._step.workers.count > 1:
            check_equal(self._step.workers, self._step.parameters())
        self.write()

    def write(self) -> None:
        """Writes a checkpoint of worker 0, whatever the others do."""
        if not self._step.workers.is_main:
            return
        self._fill()
        self.last_path = self._output.checkpoints.save(self._state)
        self._state.arrays = {}
        if self._output.on_saved is not None:
            self._output.on_saved(self.last_path)

    def write_best(self, best: EvaluationRecord) -> None:
        """Takes note of the best evaluation and writes its checkpoint."""
        self._state.best = {"epoch": best.epoch, "global_step": best.global_step, "metrics": best.metrics}
        if not self._step.workers.is_main:
            return
        self._fill()
        self._output.checkpoints.save_best(self._state)
        self._state.arrays = {}

    def _fill(self) -> None:
        """Puts the present parameters into the state; the arrays are views of their memory where that can be."""
        self._state.arrays = {parameter.name: parameter.asnumpy() for parameter in self._step.parameters()}
        self._state.loss_scale = self._step.loss_scaler.scale
        self._state.loss_scale_good_steps = self._step.loss_scaler.good_steps
