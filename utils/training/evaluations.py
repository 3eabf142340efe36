"""When a run evaluates, and what came out."""

import logging
import math
import time
from collections.abc import Callable, Mapping

from utils.model_utils.errors import BadValueError
from utils.training.record.events import Evaluation
from utils.training.record.metrics_log import MetricsLog
from utils.training.record.progress import format_evaluation_line
from utils.training.step.train_step import TrainStep

logger = logging.getLogger(__name__)


class Evaluations:
    """The evaluations of a run.

    Args:
        evaluate: called with the epoch, returns metrics; None where the run does not evaluate. Every worker calls it,
            and what worker 0 returns counts.
        interval: epochs between evaluations; the last epoch is always evaluated.
        start_epoch: the first epoch that may be evaluated.
        best_metric: name of the metric, higher is better, by which the best evaluation is chosen; "" for none.
        metrics_log: takes each evaluation.

    Attributes:
        best: the best evaluation of the run, earlier processes included; None before the first.
        last: the last evaluation of this process; None before the first.
    """

    def __init__(
        self,
        evaluate: Callable[[int], Mapping[str, float]] | None,
        *,
        interval: int,
        start_epoch: int,
        best_metric: str,
        metrics_log: MetricsLog,
    ) -> None:
        self._evaluate, self._best_metric, self._metrics_log = evaluate, best_metric, metrics_log
        self._interval, self._start_epoch = interval, start_epoch
        self.best: Evaluation | None = None
        self.last: Evaluation | None = None

    def is_due(self, epoch: int, is_last: bool) -> bool:
        """Whether an epoch is to be evaluated."""
        since_start = epoch - self._start_epoch
        return self._evaluate is not None and (is_last or (since_start >= 0 and since_start % self._interval == 0))

    def run(self, step: TrainStep, epoch: int, global_step: int) -> bool:
        """Evaluates the averaged weights, where there are any, and returns whether this is the best so far.

        Raises:
            BadValueError: the metrics lack `best_metric`.
        """
        started = time.perf_counter()
        with step.averaged_weights():
            step.network.set_train(False)
            metrics = {name: float(value) for name, value in step.workers.broadcast(self._evaluate(epoch)).items()}
        evaluation = Evaluation(epoch, global_step, metrics, time.perf_counter() - started)
        if self._best_metric and self._best_metric not in metrics:
            raise BadValueError(f"best_metric '{self._best_metric}' is not among the metrics: {', '.join(metrics)}")
        is_best = bool(self._best_metric) and _is_better(metrics[self._best_metric], self.best, self._best_metric)
        if is_best:
            self.best = evaluation
        self.last = evaluation
        self._metrics_log.add_evaluation(evaluation)
        logger.info("%s", format_evaluation_line(evaluation, self.best, self._best_metric))
        return is_best


def _is_better(value: float, best: Evaluation | None, name: str) -> bool:
    return not math.isnan(value) and (best is None or value > best.metrics[name])
