"""When a run evaluates, and what came out."""

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from utils.model_utils.errors import BadValueError
from utils.training.record.lines import format_evaluation_line
from utils.training.record.loggers.run_log import RunLog
from utils.training.record.records import Evaluated, EvaluationRecord
from utils.training.step.train_step import TrainStep
from utils.words import counted

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluationPlan:
    """What a run evaluates, and when.

    Attributes:
        evaluate: called with the epoch, returns metrics, or these and what it found of each class; None where the run
            does not evaluate. Every worker calls it, and what worker 0 returns counts.
        interval: epochs between evaluations; the last epoch is always evaluated.
        start_epoch: the first epoch that may be evaluated.
        best_metric: name of the metric, higher is better, by which the best evaluation is chosen; of equal ones the
            later, which has learned more; "" for none.
        patience: evaluations in a row without a better `best_metric` that end the run; None: nothing but its last
            epoch does.

    Raises:
        BadValueError: the interval is out of range.
    """

    evaluate: Callable[[int], Mapping[str, float] | Evaluated] | None = None
    interval: int = 1
    start_epoch: int = 1
    best_metric: str = ""
    patience: int | None = None

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise BadValueError(f"eval_interval={self.interval}: wanted 1 or more")

    def is_due(self, epoch: int, is_last: bool) -> bool:
        """Whether an epoch is to be evaluated."""
        since_start = epoch - self.start_epoch
        return self.evaluate is not None and (is_last or (since_start >= 0 and since_start % self.interval == 0))


NO_EVALUATION = EvaluationPlan()

# Below half of the best a run has lost what it had learned: evaluations of one epoch to the next differ by less. Under
# the floor the numbers are those of a network that has not learned yet, and chance halves them.
COLLAPSED_SHARE, LEARNED = 0.5, 0.05


class Evaluations:
    """The evaluations of a run.

    Args:
        plan: what is evaluated.
        log: takes each evaluation.

    Attributes:
        best: the best evaluation of the run, earlier processes included; None before the first.
        last: the last evaluation of this process; None before the first.
        without_better: evaluations since `best_metric` last rose, earlier processes included.
    """

    def __init__(self, plan: EvaluationPlan, log: RunLog) -> None:
        self._plan, self._log = plan, log
        self.without_better = 0
        self.best: EvaluationRecord | None = None
        self.last: EvaluationRecord | None = None
        self._has_warned = False

    @property
    def is_out_of_patience(self) -> bool:
        """Whether the metric has not risen for so long that the run ends."""
        return self._plan.patience is not None and self.without_better >= self._plan.patience

    def format_patience(self) -> str:
        """Returns why a run that is out of patience ends."""
        assert self._plan.patience is not None, "without patience a run is never out of it"
        best = self.best and f"; the best is {self.best.metrics[self._plan.best_metric]:.4f} at epoch {self.best.epoch}"
        return f"no better {self._plan.best_metric} in {counted(self.without_better, 'evaluation')}{best or ''}"

    def run(self, step: TrainStep, epoch: int, global_step: int) -> bool:
        """Evaluates the averaged weights, where there are any, and returns whether this is the best so far.

        Raises:
            BadValueError: the metrics lack `best_metric`.
        """
        assert self._plan.evaluate is not None, "a run that evaluates nothing is never asked to"
        started, best_metric = time.perf_counter(), self._plan.best_metric
        with step.averaged_weights():
            step.network.set_train(False)
            found = self._plan.evaluate(epoch)
            own = found if isinstance(found, Evaluated) else Evaluated(found)
            values, per_class = step.workers.broadcast((dict(own.metrics), dict(own.per_class)))
        metrics = {name: float(value) for name, value in values.items()}
        evaluation = EvaluationRecord(epoch, global_step, metrics, time.perf_counter() - started, per_class)
        if best_metric and best_metric not in metrics:
            raise BadValueError(f"best_metric '{best_metric}' is not among the metrics: {', '.join(metrics)}")
        is_best = bool(best_metric) and _is_better(metrics[best_metric], self.best, best_metric)
        has_risen = is_best and (self.best is None or metrics[best_metric] > self.best.metrics[best_metric])
        self.without_better = 0 if has_risen else self.without_better + 1
        if is_best:
            self.best = evaluation
        self.last = evaluation
        self._log.add(evaluation)
        logger.info("%s", format_evaluation_line(evaluation, self.best, best_metric))
        if best_metric:
            self._warn_of_collapse(metrics[best_metric])
        return is_best

    def _warn_of_collapse(self, value: float) -> None:
        """Says once in a run, and how to mend it, that the metric has fallen far below its best."""
        if self._has_warned or self.best is None:
            return
        name, best = self._plan.best_metric, self.best.metrics[self._plan.best_metric]
        if best >= LEARNED and value < best * COLLAPSED_SHARE:
            self._has_warned = True
            logger.warning(
                "%s fell to %.4f, less than half of the best, %.4f at epoch %d: the learning rate is probably too high "
                "for this data; if the next evaluations stay low, train again with a lower --lr, a quarter of it for a "
                "start (the best checkpoint is kept)",
                name,
                value,
                best,
                self.best.epoch,
            )


def _is_better(value: float, best: EvaluationRecord | None, name: str) -> bool:
    return not math.isnan(value) and (best is None or value >= best.metrics[name])
