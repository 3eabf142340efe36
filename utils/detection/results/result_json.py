"""What an evaluation leaves as JSON: everything found, and the metrics."""

import json
import math
from pathlib import Path

from utils.detection.results.coco_metrics import UNDEFINED, CocoResult
from utils.detection.results.pictures.operating_point import THRESHOLD_METRIC
from utils.model_utils.files import RESULT_NAME, write_file
from utils.training.record.records import ByClass

PREDICTIONS_FILE = "predictions.json"


def metrics_of(result: CocoResult) -> dict[str, float]:
    """Returns the numbers that the training loop logs, plots, stores and chooses the best checkpoint by.

    F1 is the best one, 0 where no detection is right; its threshold, the score that it begins with, is NaN then.
    """
    point = result.operating_point
    return {
        "mAP": float(result.stats[0]),
        "AP50": float(result.stats[1]),
        "AP75": float(result.stats[2]),
        "F1": point.f1 if point else 0.0,
        THRESHOLD_METRIC: point.min_score if point else math.nan,
    }


def metrics_by_class(result: CocoResult) -> ByClass:
    """Returns AP and AP50 of each class by its name; None where there is no box of it to find."""
    return {
        "AP": {row.name: row.average_precision for row in result.per_class},
        "AP50": {row.name: row.average_precision_50 for row in result.per_class},
    }


def write_predictions(detections: list[dict], folder: Path) -> Path:
    """Writes everything found to `predictions.json` in COCO result format and returns its path."""
    path = folder / PREDICTIONS_FILE
    write_file(path, json.dumps(detections).encode())
    return path


def write_result(result: CocoResult, folder: Path, **counts: int) -> Path:
    """Writes the numbers of a run, COCO's twelve, the counts and AP by class to result.json and returns its path.

    What is not defined, because there is no box to find, is -1 everywhere, as COCO prints it.

    Args:
        result: the COCO metrics.
        folder: takes the file.
        counts: more to tell, by name.
    """
    content = {
        **{name: None if math.isnan(value) else value for name, value in metrics_of(result).items()},
        **dict(zip(result.names, (float(value) for value in result.stats), strict=True)),
        "num_images": result.num_images,
        "num_detections": result.num_detections,
        **counts,
        "per_class": {
            row.name: UNDEFINED if row.average_precision is None else row.average_precision for row in result.per_class
        },
    }
    path = folder / RESULT_NAME
    write_file(path, json.dumps(content, indent=2).encode())
    return path
