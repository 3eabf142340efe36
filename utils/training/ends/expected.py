"""The metric that is expected of a command that measures a network, which makes a check of it."""

import logging
import math

from utils.model_utils.config.schema import TrainingKeys
from utils.model_utils.errors import BadValueError, MissedMetricError
from utils.training.record.records import TrainResult

logger = logging.getLogger(__name__)


def check_training(config: TrainingKeys, result: TrainResult, metric: str) -> None:
    """Compares the best evaluation of a run, of its earlier processes too, with what is expected.

    A run that a limit of time has stopped is not at its end: the process that brings it there compares.

    Args:
        config: the configuration.
        result: of the run.
        metric: name of the metric by which a checkpoint is the best.

    Raises:
        MissedMetricError: it is below what is expected.
        BadValueError: neither this process nor an earlier one has kept what an evaluation found.
    """
    if config.expected_metric is None:
        return
    evaluation = result.best or result.last
    if not result.has_ended:
        logger.info("expected_metric is checked when the run has ended")
    elif evaluation is not None:
        check_metric(config, metric, evaluation.metrics.get(metric, math.nan))
    else:
        raise BadValueError(
            f"expected_metric is {config.expected_metric:g}, and this process has evaluated nothing, since the run was "
            "at its end: give expected_metric to eval.py with its last checkpoint"
        )


def refuse_unmeasured(config: TrainingKeys) -> None:
    """Refuses an expectation of a training that evaluates nothing, before it begins.

    Raises:
        BadValueError: it does.
    """
    if config.expected_metric is not None and not config.run_eval:
        raise BadValueError(
            f"expected_metric is {config.expected_metric:g} and run_eval is false, so nothing is measured: set "
            "--run_eval=True, or leave expected_metric out"
        )


def check_metric(config: TrainingKeys, metric: str, value: float) -> None:
    """Compares what was measured with what is expected; the log says it where it is reached.

    Args:
        config: the configuration.
        metric: name of the metric.
        value: that was measured; NaN where it is not defined.

    Raises:
        MissedMetricError: it is below what is expected, or not defined.
    """
    if config.expected_metric is None:
        return
    lowest = config.expected_metric - config.expected_tolerance
    within = f" within {config.expected_tolerance:g}" if config.expected_tolerance else ""
    said = f"{metric} is {value:.4f}, expected was {config.expected_metric:g}{within}"
    if not value >= lowest:  # NaN too
        raise MissedMetricError(f"{said}: the metric is missed")
    logger.info("%s: reached", said)
