"""The plain lines of a run, which one can grep.

They look like this; each comes from one function here.

    epoch 2/12 step 50/916 loss 0.8 (class 0.5 box 0.3) lr 0.005 grad 3.2 data 2 ms step 431 ms 9.2 img/s eta 1:02:03
    epoch 2/12 done in 6:40 loss 0.7981 (class 0.4911 box 0.3070) data 2 ms step 434 ms 9.1 img/s
    evaluation epoch 2: AP 0.4512 AP50 0.8123 in 12.3 s (best AP 0.4512 at epoch 2)
"""

import math
from collections.abc import Mapping

from utils.training.record.records import EpochRecord, EvaluationRecord, StepRecord


def format_duration(seconds: float) -> str:
    """Formats seconds as 0:09, 6:40, 1:02:03 or 2d 1:02:03."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    day_part = f"{days}d " if days else ""
    return f"{day_part}{hour}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def format_losses(losses: Mapping[str, float]) -> str:
    """Formats losses with the total outside and its parts inside brackets, e.g. `loss 0.81 (class 0.50 box 0.31)`."""
    (total_name, total), *parts = losses.items()
    inner = " ".join(f"{name} {value:.4f}" for name, value in parts)
    return f"{total_name} {total:.4f}" + (f" ({inner})" if inner else "")


def format_step_line(record: StepRecord) -> str:
    """Formats the line of one step."""
    skipped = "" if record.is_finite else f" skipped: not finite at loss scale {record.loss_scale:g}"
    return (
        f"epoch {record.epoch}/{record.epochs} step {record.step}/{record.steps_per_epoch} "
        f"{format_losses(record.losses)} lr {record.learning_rate:.6g} grad {record.grad_norm:.3g} data "
        f"{record.data_ms:.0f} ms step {record.step_ms:.0f} ms {record.images_per_second:.1f} img/s eta "
        f"{format_duration(record.seconds_left)}{skipped}"
    )


def format_epoch_line(record: EpochRecord) -> str:
    """Formats the line at the end of an epoch."""
    losses = f" {format_losses(record.losses)}" if record.losses else ""
    return (
        f"epoch {record.epoch}/{record.epochs} done in {format_duration(record.seconds)}{losses} data "
        f"{record.data_ms:.0f} ms step {record.step_ms:.0f} ms {record.images_per_second:.1f} img/s"
    )


def format_evaluation_line(evaluation: EvaluationRecord, best: EvaluationRecord | None, best_metric: str) -> str:
    """Formats the line of an evaluation; `best` is the best one so far by `best_metric`.

    A metric that is not defined is left out, such as the score of the best F1 where nothing right was found; where none
    is, that is said.
    """
    values = " ".join(f"{name} {value:.4f}" for name, value in evaluation.metrics.items() if not math.isnan(value))
    values = values or "no metric is defined, as the evaluation has nothing to find,"
    line = f"evaluation epoch {evaluation.epoch}: {values} in {evaluation.seconds:.1f} s"
    if best is None or not best_metric:
        return line
    return f"{line} (best {best_metric} {best.metrics[best_metric]:.4f} at epoch {best.epoch})"
