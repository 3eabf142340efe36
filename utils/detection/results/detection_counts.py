"""How many detections there are: what can be said of images without annotations, and of false alarms."""

from collections.abc import Sequence

import numpy as np

from utils.detection.results.coco_metrics import UNDEFINED, CocoResult, format_per_class_table
from utils.words import counted

# of the rows; where a score begins to be believed differs from model to model
SCORES = (0.1, 0.3, 0.5, 0.7, 0.9)


def format_tables(result: CocoResult, detections: Sequence[dict]) -> str:
    """Returns the table of the classes; where AP is not defined, that of the detections below it."""
    table = format_per_class_table(result)
    if result.stats[0] != UNDEFINED:
        return table
    counts = format_detection_counts(detections, result.num_images)
    return f"{table}\n\nno boxes to find, so AP is not defined (-1); what was found:\n{counts}"


def format_detection_counts(detections: Sequence[dict], num_images: int) -> str:
    """Returns how many detections and images with a detection there are from some scores on, as aligned columns.

    Args:
        detections: COCO's result format.
        num_images: images that were looked at.
    """
    scores = np.array([each["score"] for each in detections], np.float64)
    image_ids = np.array([each["image_id"] for each in detections], np.int64)
    with_one = f"of {counted(num_images, 'image')} with one"
    lines = [f"{'score':<8}  {'detections':>10}  {'for each image':>14}  {with_one:>24}"]
    for name, least in [("all", -np.inf), *((f">= {score}", score) for score in SCORES)]:
        is_found = scores >= least
        count, images = int(is_found.sum()), len(np.unique(image_ids[is_found]))
        lines.append(f"{name:<8}  {count:>10}  {count / max(num_images, 1):>14.3f}  {images:>24}")
    return "\n".join(lines)
