"""The training loop: epochs, log, evaluation, checkpoints, and going on where a run stopped."""

import logging
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import mindspore as ms
import numpy as np

from utils.model_utils.errors import BadStateError, BadValueError
from utils.training.agreement import check_equal, share_parameters
from utils.training.checkpoints.checkpoint import CheckpointFolder, TrainingState, restore_parameters
from utils.training.evaluations import Evaluations
from utils.training.record.curves import CurvePicture
from utils.training.record.events import BatchSource, EpochRecord, Evaluation, LineFormats, StepRecord, TrainResult
from utils.training.record.profiling import StepProfiler
from utils.training.record.progress import (
    ProgressBar,
    format_duration,
    format_epoch_line,
    format_losses,
    format_step_line,
)
from utils.training.record.run_folder import RunFolder
from utils.training.record.timing import EpochMeter, StepTimer
from utils.training.resume import find_state, restore_loss_scale, take_over, take_position
from utils.training.step.train_step import TrainStep
from utils.training.stop_requests import StopRequests

logger = logging.getLogger(__name__)


class Trainer:
    """Trains until the last epoch, the first fault, or a signal.

    Where several workers train (`TrainStep.workers`), each has a trainer: they begin with the parameters and at the
    place of worker 0, stop after the same step, and only worker 0 writes.

    Args:
        step: makes the optimizer steps.
        source: yields the batches.
        learning_rates: float[epochs * steps per epoch], the rate of each optimizer step of the whole run.
        run: folder of the run.
        checkpoints: where checkpoints are kept.
        epochs: number of epochs.
        suite: name of the suite, stored in checkpoints; a checkpoint of another suite is not resumed.
        seed: seed of the run, stored in checkpoints.
        config_text: effective configuration, stored in checkpoints.
        class_names: name of each class index, stored in checkpoints.
        category_ids: the data set's own id of each class index, stored in checkpoints.
        resume: "" to start anew, "auto" for the newest checkpoint in `checkpoints`, or a checkpoint file.
        first_epoch: where a run that starts anew begins in the schedule and in the order of the data.
        earlier: checkpoint that such a run takes optimizer state, averages and loss scale from, where it has them; None
            to begin with the weights as they are.
        log_interval: steps between log lines and rows of metrics.
        save_every_epochs: epochs between checkpoints; the last epoch is always saved.
        save_every_steps: optimizer steps between further checkpoints; 0 for none.
        evaluate: called with the epoch, returns metrics; runs with the averaged weights where there are any.
        eval_interval: epochs between evaluations; the last epoch is always evaluated.
        eval_start_epoch: the first epoch that may be evaluated.
        best_metric: name of the metric, higher is better, by which the best checkpoint is chosen.
        lines: the suite's documented log lines.
        max_bad_steps: under dynamic loss scale, so many steps in a row that are not finite end the run; under a static
            scale the first one does.
        on_saved: called with each checkpoint when it is written, but not with the best one.
        profiler: profiles the first steps; None: nothing does.

    Raises:
        BadValueError: if there is nothing to train, or an interval is out of range.
    """

    def __init__(
        self,
        *,
        step: TrainStep,
        source: BatchSource,
        learning_rates: np.ndarray,
        run: RunFolder,
        checkpoints: CheckpointFolder,
        epochs: int,
        suite: str = "",
        seed: int = 0,
        config_text: str = "",
        class_names: Sequence[str] = (),
        category_ids: Sequence[int] = (),
        resume: str = "",
        first_epoch: int = 1,
        earlier: Path | None = None,
        log_interval: int = 50,
        save_every_epochs: int = 1,
        save_every_steps: int = 0,
        evaluate: Callable[[int], Mapping[str, float]] | None = None,
        eval_interval: int = 1,
        eval_start_epoch: int = 1,
        best_metric: str = "",
        lines: LineFormats | None = None,
        max_bad_steps: int = 20,
        on_saved: Callable[[Path], None] | None = None,
        profiler: StepProfiler | None = None,
    ) -> None:
        _check_numbers(epochs, source, log_interval, save_every_epochs, eval_interval, max_bad_steps)
        if not 1 <= first_epoch <= epochs:
            raise BadValueError(f"first_epoch={first_epoch}: wanted 1 to {epochs}, the number of epochs")
        if len(learning_rates) < epochs * source.steps_per_epoch:
            raise ValueError(
                f"{len(learning_rates)} learning rates for {epochs} epochs of {source.steps_per_epoch} steps"
            )
        self._step, self._source, self._learning_rates = step, source, learning_rates
        self._on_saved, self._profiler = on_saved, profiler
        self._run, self._checkpoints, self._epochs = run, checkpoints, epochs
        self._resume, self._lines = resume, lines
        self._first_epoch, self._earlier = first_epoch, earlier
        self._log_interval, self._save_every_epochs = log_interval, save_every_epochs
        self._save_every_steps, self._max_bad_steps = save_every_steps, max_bad_steps
        self._evaluations = Evaluations(
            evaluate,
            interval=eval_interval,
            start_epoch=eval_start_epoch,
            best_metric=best_metric,
            metrics_log=run.metrics,
        )
        self._workers = step.workers
        self._state = TrainingState(
            arrays={},
            suite=suite,
            seed=seed,
            config_text=config_text,
            class_names=list(class_names),
            category_ids=[int(each) for each in category_ids],
            steps_per_epoch=source.steps_per_epoch,
            images_per_step=source.images_per_step,
            num_workers=step.workers.count,
        )
        self._curves = CurvePicture(run.metrics.path, run.curves_path)
        self._bad_steps = 0
        self._last_path: Path | None = None
        self._losses: Mapping[str, float] = {}

    def fit(self) -> TrainResult:
        """Trains to the end.

        Returns:
            What the run came to.

        Raises:
            BadStateError: if the loss stays not finite, or a checkpoint cannot be written.
            BadValueError: if the run cannot be resumed from what is there, or `evaluate` gives no `best_metric`.
            KeyboardInterrupt, Terminated: after Ctrl-C and SIGTERM, when a checkpoint of the present step is written.
        """
        started = time.perf_counter()
        if self._workers.is_main:
            self._checkpoints.prepare()
        self._begin()
        first_step = self._state.global_step
        timer = StepTimer(self._source.images_per_step, self._epochs * self._source.steps_per_epoch)
        total = self._epochs * self._source.steps_per_epoch
        try:
            with StopRequests() as stop, ProgressBar(total, first_step) as bar:
                while self._state.epoch <= self._epochs:
                    self._run_epoch(timer, bar, stop)
                    self._next_epoch()
        finally:
            if self._profiler is not None:
                self._profiler.close()
            if self._workers.is_main:
                self._curves.draw()
        seconds, steps = time.perf_counter() - started, self._state.global_step - first_step
        logger.info("trained %d steps in %s, peak memory %.2f GB", steps, format_duration(seconds), _peak_memory_gb())
        if self._workers.count > 1:
            logger.info(
                "the %d workers end with equal weights (%s)",
                self._workers.count,
                check_equal(self._workers, self._parameters()),
            )
        best_path = self._checkpoints.best_path
        return TrainResult(
            best=self._evaluations.best,
            last=self._evaluations.last,
            seconds=seconds,
            steps=steps,
            losses=self._losses,
            best_checkpoint=best_path if best_path.is_file() else None,
            last_checkpoint=self._last_path,
        )

    def _begin(self) -> None:
        """Takes over the state of the checkpoint to resume from, if any."""
        found = find_state(self._resume, self._checkpoints, self._workers)
        if found is None:
            self._begin_anew()
        else:
            self._go_on(*found)
        share_parameters(self._workers, self._parameters())

    def _go_on(self, path: Path, state: TrainingState) -> None:
        """Goes to where a checkpoint stopped."""
        take_position(path, state, self._state)
        if self._workers.is_main:
            restore_parameters(path, state, self._parameters())
        restore_loss_scale(state, self._step)
        self._evaluations.best = Evaluation(**state.best) if state.best else None
        self._last_path = path
        self._run.metrics.cut(state.epochs_done, keep_evaluation=state.epoch_done)
        logger.info(
            "resuming at epoch %d step %d of %d from %s",
            self._state.epoch,
            self._state.step_in_epoch,
            self._state.steps_per_epoch,
            path,
        )

    def _begin_anew(self) -> None:
        """Goes to the first step of the first epoch."""
        self._step.reset_averages()
        if self._earlier is not None:
            if self._workers.is_main:
                take_over(self._earlier, self._step, self._first_epoch)
            scaler = self._step.loss_scaler
            scaler.scale, scaler.good_steps = self._workers.broadcast((scaler.scale, scaler.good_steps))
        self._state.epoch = self._first_epoch
        self._state.global_step = (self._first_epoch - 1) * self._source.steps_per_epoch
        self._run.metrics.cut(0, keep_evaluation=False)

    def _next_epoch(self) -> None:
        self._state.epoch += 1
        self._state.step_in_epoch, self._state.epoch_done = 0, False

    def _run_epoch(self, timer: StepTimer, bar: ProgressBar, stop: StopRequests) -> None:
        state = self._state
        meter = EpochMeter()
        batches = self._source.batches(state.epoch, state.step_in_epoch)
        try:
            while state.step_in_epoch < self._source.steps_per_epoch:
                self._make_step(batches, timer, meter, bar, stop)
        finally:
            if hasattr(batches, "close"):
                batches.close()
        if meter.steps:
            self._report_epoch(meter.record(state.epoch, self._epochs, state.global_step, self._source.images_per_step))
        self._finish_epoch(stop)
        if self._workers.is_main:
            self._curves.draw_if_due()

    def _make_step(
        self,
        batches: Iterator[tuple[np.ndarray, ...]],
        timer: StepTimer,
        meter: EpochMeter,
        bar: ProgressBar,
        stop: StopRequests,
    ) -> None:
        state = self._state
        timer.begin()
        batch = self._next_batch(batches, stop)
        timer.got_batch()
        learning_rate = float(self._learning_rates[state.global_step])
        self._step.set_learning_rate(learning_rate)
        output = self._step(*batch, wants_stop=stop.is_pending)
        state.step_in_epoch += 1
        state.global_step += 1
        times = timer.end(state.global_step)
        record = StepRecord(
            epoch=state.epoch,
            epochs=self._epochs,
            step=state.step_in_epoch,
            steps_per_epoch=state.steps_per_epoch,
            global_step=state.global_step,
            learning_rate=learning_rate,
            losses=output.losses,
            grad_norm=output.grad_norm,
            loss_scale=output.loss_scale,
            is_finite=output.is_finite,
            **vars(times),
        )
        meter.add(record)
        bar.update(record)
        self._report_step(record)
        if self._profiler is not None:
            self._profiler.after_step(record)
        self._check_finite(record)
        # Alone, a signal that came during this step counts too; several workers have to have agreed on it.
        self._save_or_stop(stop, output.wants_stop if self._workers.count > 1 else stop.is_pending)

    def _save_or_stop(self, stop: StopRequests, is_stopping: bool) -> None:
        state = self._state
        is_saved = self._save_every_steps > 0 and state.global_step % self._save_every_steps == 0
        if is_saved:
            self._save()
        if not is_stopping:
            return
        if not is_saved:
            self._save()
        self._workers.wait()  # where one ends, whoever started the job may end the others: not before all is written
        self._stop(stop, is_saved=True)

    def _next_batch(self, batches: Iterator[tuple[np.ndarray, ...]], stop: StopRequests) -> tuple[np.ndarray, ...]:
        try:
            return next(batches)
        except StopIteration as error:
            raise RuntimeError(
                f"the source ended at step {self._state.step_in_epoch} of "
                f"{self._source.steps_per_epoch} in epoch {self._state.epoch}"
            ) from error
        except Exception:
            # Ctrl-C reaches the loader's processes too, and they may fail before this step is asked to stop.
            if stop.is_pending:
                self._stop(stop, is_saved=False)
            raise

    def _stop(self, stop: StopRequests, is_saved: bool) -> None:
        """Ends the run; if nothing is saved yet, this worker is not in step with the others."""
        if self._state.global_step and not is_saved and self._workers.is_main:
            self._write_checkpoint()
        if self._last_path is not None:
            logger.info(
                "stopped at epoch %d step %d, saved %s; go on with --resume=auto",
                self._state.epoch,
                self._state.step_in_epoch,
                self._last_path,
            )
        raise stop.exception()

    def _report_step(self, record: StepRecord) -> None:
        is_due = record.step % self._log_interval == 0 or record.step == record.steps_per_epoch
        if not is_due and record.is_finite:
            return
        self._run.metrics.add_step(record)
        for line in self._lines.step_lines(record) if self._lines and is_due else ():
            logger.info("%s", line)
        logger.log(logging.INFO if record.is_finite else logging.WARNING, "%s", format_step_line(record))

    def _report_epoch(self, record: EpochRecord) -> None:
        self._losses = record.losses
        self._run.metrics.add_epoch(record)
        for line in self._lines.epoch_lines(record) if self._lines else ():
            logger.info("%s", line)
        logger.info("%s", format_epoch_line(record))

    def _check_finite(self, record: StepRecord) -> None:
        self._bad_steps = 0 if record.is_finite else self._bad_steps + 1
        is_dynamic = self._step.loss_scaler.dynamic
        if record.is_finite or (is_dynamic and self._bad_steps < self._max_bad_steps):
            return
        count = f" for {self._bad_steps} steps in a row" if is_dynamic else ""
        raise BadStateError(
            f"loss or gradients are not finite{count} at epoch {record.epoch} step {record.step} (global step "
            f"{record.global_step}): {format_losses(record.losses)}, gradient norm {record.grad_norm:g}, learning rate "
            f"{record.learning_rate:g}, loss scale {record.loss_scale:g}; lower the learning rate, lengthen the "
            "warm-up or clip the gradients, and check the data"
        )

    def _finish_epoch(self, stop: StopRequests) -> None:
        state = self._state
        is_last = state.epoch == self._epochs
        saves = is_last or state.epoch % self._save_every_epochs == 0
        if state.epoch_done:
            return
        is_best = False
        if self._evaluations.is_due(state.epoch, is_last):
            if saves:
                self._save()  # an evaluation may take long, and fail
            try:
                with stop.immediately():
                    is_best = self._evaluations.run(self._step, state.epoch, state.global_step)
            except BaseException:
                if stop.is_pending:
                    self._stop(stop, is_saved=saves)
                raise
        state.epoch_done = True
        if is_best:
            best = self._evaluations.best
            state.best = {"epoch": best.epoch, "global_step": best.global_step, "metrics": best.metrics}
        if is_best and self._workers.is_main:
            self._checkpoints.save_best(self._filled_state())
            self._state.arrays = {}
        if saves:
            self._save()

    def _filled_state(self) -> TrainingState:
        """Returns the state with the present parameters; the arrays are views of their memory where that can be."""
        self._state.arrays = {parameter.name: parameter.asnumpy() for parameter in self._parameters()}
        self._state.loss_scale = self._step.loss_scaler.scale
        self._state.loss_scale_good_steps = self._step.loss_scaler.good_steps
        return self._state

    def _parameters(self) -> list[ms.Parameter]:
        """Returns the parameters that a checkpoint holds."""
        return [*self._step.weight_parameters(), *self._step.extra_parameters()]

    def _save(self) -> None:
        """Writes a checkpoint; all workers come here after the same step."""
        if self._workers.count > 1:
            check_equal(self._workers, self._parameters())
        if self._workers.is_main:
            self._write_checkpoint()

    def _write_checkpoint(self) -> None:
        self._last_path = self._checkpoints.save(self._filled_state())
        self._state.arrays = {}
        if self._on_saved is not None:
            self._on_saved(self._last_path)


def _check_numbers(
    epochs: int,
    source: BatchSource,
    log_interval: int,
    save_every_epochs: int,
    eval_interval: int,
    max_bad_steps: int,
) -> None:
    if epochs < 1:
        raise BadValueError(f"epochs={epochs}: wanted 1 or more, there is nothing to train")
    if source.steps_per_epoch < 1:
        raise BadValueError(
            f"the training set has fewer images than one step takes ({source.images_per_step}), so an "
            "epoch has no step; lower batch_size or add images"
        )
    values = {
        "log_interval": log_interval,
        "save_every_epochs": save_every_epochs,
        "eval_interval": eval_interval,
        "max_bad_steps": max_bad_steps,
    }
    for name, value in values.items():
        if value < 1:
            raise BadValueError(f"{name}={value}: wanted 1 or more")


def _peak_memory_gb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 ** (3 if sys.platform == "darwin" else 2)
