"""The training loop: epochs, log, evaluation, checkpoints, and going on where a run stopped."""

import logging
import resource
import sys
import time
from collections.abc import Iterator

import numpy as np

from utils.model_utils.errors import BadStateError
from utils.sharding import BatchSource
from utils.training.agreement import any_of, check_equal, share_parameters
from utils.training.beginning import ANEW, Beginning
from utils.training.checkpoints.checkpoint import Checkpoint, TrainingState
from utils.training.checkpoints.loading import restore_parameters
from utils.training.ends.time_limit import NO_LIMIT
from utils.training.evaluations import NO_EVALUATION, EvaluationPlan, Evaluations
from utils.training.plan import RunIdentity, RunOutput, TrainingPlan
from utils.training.record.lines import format_duration, format_losses
from utils.training.record.loggers.protocol import ResumePoint
from utils.training.record.progress_bar import ProgressBar
from utils.training.record.records import EvaluationRecord, StepRecord, TrainResult
from utils.training.record.timing import EpochMeter, StepTimer
from utils.training.reporting import RunReport
from utils.training.resume import restore_loss_scale, take_over, take_position
from utils.training.saving import RunSaver
from utils.training.step.train_step import TrainStep
from utils.training.stop_requests import StopRequests
from utils.words import counted

logger = logging.getLogger(__name__)


class Trainer:
    """Trains until the last epoch, the first fault, or a signal; or until it is out of patience or of time.

    Where several workers train (`TrainStep.workers`), each has a trainer: they begin with the parameters and at the
    place of worker 0, stop after the same step, and only worker 0 writes.

    Args:
        step: makes the optimizer steps.
        source: yields the batches.
        plan: how long it trains, and how often it says and saves something.
        output: where it leaves what it makes.
        identity: what its checkpoints store of it.
        evaluation: what it evaluates, with the averaged weights where there are any.
        beginning: what it begins with.

    Raises:
        BadValueError: if there is nothing to train.
    """

    def __init__(
        self,
        step: TrainStep,
        source: BatchSource,
        *,
        plan: TrainingPlan,
        output: RunOutput,
        identity: RunIdentity,
        evaluation: EvaluationPlan = NO_EVALUATION,
        beginning: Beginning = ANEW,
    ) -> None:
        plan.check(source, beginning.first_epoch)
        self._step, self._source, self._plan, self._output = step, source, plan, output
        self._evaluation, self._beginning = evaluation, beginning
        self._evaluations = Evaluations(evaluation, output.folder.log)
        self._report = RunReport(output, plan.log_interval)
        self._workers = step.workers
        self._state = TrainingState(
            arrays={},
            **vars(identity),
            steps_per_epoch=source.steps_per_epoch,
            images_per_step=source.images_per_step,
            num_workers=step.workers.count,
        )
        self._saver = RunSaver(self._state, step, output)
        self._timer = StepTimer(source.images_per_step, plan.epochs * source.steps_per_epoch)
        self._stop_requests = StopRequests()
        self._bad_steps = 0
        self._is_out_of_time = False

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
        self._begin()
        first_step = self._state.global_step
        self._train()
        seconds, steps = time.perf_counter() - started, self._state.global_step - first_step
        trained = counted(steps, "step")
        logger.info("trained %s in %s, peak memory %.2f GB", trained, format_duration(seconds), _peak_memory_gb())
        if self._workers.count > 1:
            weights = check_equal(self._workers, self._step.parameters())
            logger.info("the %d workers end with equal weights (%s)", self._workers.count, weights)
        best_path = self._output.checkpoints.best_path
        return TrainResult(
            best=self._evaluations.best,
            last=self._evaluations.last,
            steps=steps,
            best_checkpoint=best_path if best_path.is_file() else None,
            last_checkpoint=self._saver.last_path,
            has_ended=not self._is_out_of_time,
        )

    def _begin(self) -> None:
        """Takes over what the run begins with, and lets go of the file's content."""
        beginning, self._beginning = self._beginning, ANEW
        if beginning.continued is None:
            self._begin_anew(beginning)
        else:
            self._go_on(beginning.continued)
        share_parameters(self._workers, self._step.parameters())

    def _go_on(self, found: Checkpoint) -> None:
        """Goes to where a checkpoint stopped."""
        take_position(found, self._state)
        if self._workers.is_main:
            restore_parameters(found, self._step.parameters())
        self._take_folder()
        restore_loss_scale(found, self._step)
        self._evaluations.best = EvaluationRecord(**found.best) if found.best else None
        self._evaluations.without_better = found.evaluations_without_better
        self._saver.last_path = found.path
        scale = self._state.global_step / found.global_step if found.global_step else 1.0
        self._output.folder.log.begin(ResumePoint(found.epochs_done, found.global_step, scale, found.epoch_done))
        logger.info(
            "resuming at epoch %d step %d of %d from %s",
            self._state.epoch,
            self._state.step_in_epoch,
            self._state.steps_per_epoch,
            found.path,
        )

    def _begin_anew(self, beginning: Beginning) -> None:
        """Goes to the first step of the first epoch."""
        self._step.reset_averages()
        if beginning.takes_optimizer:
            if self._workers.is_main and beginning.pretrained is not None:
                take_over(beginning.pretrained, self._step, beginning.first_epoch, self._state)
            scaler = self._step.loss_scaler
            scaler.scale, scaler.good_steps = self._workers.broadcast((scaler.scale, scaler.good_steps))
        self._take_folder()
        self._state.epoch = beginning.first_epoch
        self._state.global_step = (beginning.first_epoch - 1) * self._source.steps_per_epoch
        self._output.folder.log.begin(None)

    def _take_folder(self) -> None:
        """Makes the folder of the run, now that all that the run needs is there."""
        if self._workers.is_main:
            self._output.folder.begin(self._state.config_text)
            self._output.checkpoints.prepare()

    def _train(self) -> None:
        """Runs the epochs that are left."""
        total = self._plan.epochs * self._source.steps_per_epoch
        try:
            with self._stop_requests, ProgressBar(total, self._state.global_step) as bar:
                if self._is_at_an_end():
                    return
                while self._state.epoch <= self._plan.epochs:
                    self._run_epoch(bar)
                    if self._is_out_of_time or self._evaluations.is_out_of_patience:
                        break
                    self._state.epoch += 1
                    self._state.step_in_epoch, self._state.epoch_done = 0, False
        finally:
            if self._output.profiler is not None:
                self._output.profiler.close()
            if self._workers.is_main:
                self._report.end()

    def _is_at_an_end(self) -> bool:
        """Whether a run that goes on has nothing left to do; the log says why."""
        state = self._state
        if state.epoch_done and self._evaluations.is_out_of_patience:
            reason = f"{self._evaluations.format_patience()}: raise --patience to go on"
        elif state.epoch > self._plan.epochs or (state.epoch_done and state.epoch == self._plan.epochs):
            reason = "all epochs are done: raise --epoch_size to go on"
        else:
            return False
        logger.info("the run has ended at epoch %d of %d, %s", state.epoch, self._plan.epochs, reason)
        return True

    def _run_epoch(self, bar: ProgressBar) -> None:
        state = self._state
        meter = EpochMeter()
        batches = self._source.batches(state.epoch, state.step_in_epoch)
        try:
            while state.step_in_epoch < self._source.steps_per_epoch and not self._is_out_of_time:
                self._make_step(batches, meter, bar)
        finally:
            if hasattr(batches, "close"):
                batches.close()
        if self._is_out_of_time:
            return
        if meter.steps:
            images = self._source.images_per_step
            self._report.add_epoch(meter.record(state.epoch, self._plan.epochs, state.global_step, images))
        self._finish_epoch()
        if self._workers.is_main:
            self._report.curves.draw_if_due()

    def _make_step(self, batches: Iterator[tuple[np.ndarray, ...]], meter: EpochMeter, bar: ProgressBar) -> None:
        state, stop, timer = self._state, self._stop_requests, self._timer
        timer.begin()
        batch = self._next_batch(batches)
        timer.got_batch()
        if self._output.pictures is not None:
            place = state.epoch, state.step_in_epoch
            self._output.pictures.add_first_batch(batch, *place, is_new_run=state.global_step == 0)
        learning_rate = float(self._plan.learning_rates[state.global_step])
        self._step.optimizer.set_learning_rate(learning_rate)
        output = self._step(*batch, wants_stop=stop.is_pending or self._plan.time_limit.is_reached())
        state.step_in_epoch += 1
        state.global_step += 1
        times = timer.end(state.global_step)
        record = StepRecord(
            epoch=state.epoch,
            epochs=self._plan.epochs,
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
        bar.show_step(record)
        self._report.add_step(record)
        self._check_finite(record)
        # Alone, a signal that came during this step counts too; several workers have to have agreed on it.
        is_alone = self._workers.count == 1
        if stop.is_pending or self._plan.time_limit.is_reached() if is_alone else output.wants_stop:
            if any_of(self._workers, stop.is_pending):
                self._saver.save()
                self._workers.wait()  # where one ends, the job's starter may end the others: not before all is written
                self._stop(is_saved=True)
            if state.step_in_epoch < state.steps_per_epoch:  # else the end of the epoch looks at the time
                self._run_out_of_time(is_saved=False)

    def _next_batch(self, batches: Iterator[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
        try:
            return next(batches)
        except StopIteration as error:
            raise RuntimeError(
                f"the source ended at step {self._state.step_in_epoch} of {self._source.steps_per_epoch} in epoch "
                f"{self._state.epoch}"
            ) from error
        except Exception:
            # Ctrl-C reaches the loader's processes too, and they may fail before this step is asked to stop.
            if self._stop_requests.is_pending:
                self._stop(is_saved=False)
            raise

    def _stop(self, is_saved: bool) -> None:
        """Ends the run; if nothing is saved yet, this worker is not in step with the others."""
        if self._state.global_step and not is_saved:
            self._saver.write()
        if self._saver.last_path is not None:
            logger.info(
                "stopped at epoch %d step %d, saved %s; the same command goes on with --resume=auto",
                self._state.epoch,
                self._state.step_in_epoch,
                self._saver.last_path,
            )
        raise self._stop_requests.exception()

    def _run_out_of_time(self, is_saved: bool) -> None:
        """Stops the run where it stands, with a checkpoint, and says how to go on; all workers come here."""
        self._is_out_of_time = True
        if not is_saved:
            self._saver.save()
        logger.info(
            "the limit max_hours %g is reached: stopped at epoch %d step %d, saved %s; the same command goes on with "
            "--resume=auto",
            self._plan.time_limit.hours,
            self._state.epoch,
            self._state.step_in_epoch,
            self._saver.last_path,
        )

    def _has_time_for(self, seconds: float) -> bool:
        """Whether something that takes so long would end before the limit; worker 0's clock counts, all have to ask."""
        limit = self._plan.time_limit
        return limit is NO_LIMIT or not self._workers.broadcast(limit.is_reached(seconds))

    def _check_finite(self, record: StepRecord) -> None:
        self._bad_steps = 0 if record.is_finite else self._bad_steps + 1
        is_dynamic = self._step.loss_scaler.dynamic
        if record.is_finite or (is_dynamic and self._bad_steps < self._plan.max_bad_steps):
            return
        count = f" for {self._bad_steps} steps in a row" if is_dynamic else ""
        raise BadStateError(
            f"loss or gradients are not finite{count} at epoch {record.epoch} step {record.step} (global step "
            f"{record.global_step}): {format_losses(record.losses)}, gradient norm {record.grad_norm:g}, learning rate "
            f"{record.learning_rate:g}, loss scale {record.loss_scale:g}; lower the learning rate, lengthen the "
            "warm-up or clip the gradients, and check the data"
        )

    def _finish_epoch(self) -> None:
        state, saves = self._state, self._plan.saves(self._state.epoch)
        if state.epoch_done:
            return
        is_last, is_best = state.epoch == self._plan.epochs, False
        if self._evaluation.is_due(state.epoch, is_last):
            if saves:
                self._saver.save()  # an evaluation may take long, and fail
            else:
                self._saver.check()
            if not self._has_time_for(self._evaluations.last.seconds if self._evaluations.last else 0.0):
                self._run_out_of_time(is_saved=saves)
                return
            is_best = self._evaluate(is_saved=saves)
        state.epoch_done = True
        state.evaluations_without_better = self._evaluations.without_better
        if is_best and self._evaluations.best is not None:
            self._saver.write_best(self._evaluations.best)
        is_over = self._evaluations.is_out_of_patience
        if saves or is_over:
            self._saver.save()
        if is_last:
            return
        if is_over:
            reason = self._evaluations.format_patience()
            logger.info("the run ends at epoch %d of %d, %s", state.epoch, self._plan.epochs, reason)
        elif not self._has_time_for(0.0):
            self._run_out_of_time(is_saved=saves)

    def _evaluate(self, is_saved: bool) -> bool:
        """Evaluates and returns whether this is the best so far; a signal breaks it off."""
        try:
            with self._stop_requests.immediately():
                return self._evaluations.run(self._step, self._state.epoch, self._state.global_step)
        except BaseException:
            if self._stop_requests.is_pending:
                self._stop(is_saved=is_saved)
            raise


def _peak_memory_gb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 ** (3 if sys.platform == "darwin" else 2)
