"""COCO counts at most 100 detections of a class in an image; with more objects than that no AP of 1 can be reached."""

import functools
import logging
from collections import Counter
from collections.abc import Collection

import numpy as np

from utils.words import agreed, counted

LIMIT = 100  # the largest of COCO's maxDets, which all AP are of
RECALLS = np.linspace(0.0, 1.0, 101)  # at which COCO's AP is the mean of the precision

logger = logging.getLogger(__name__)


def warn_of_limit(annotations: list[dict], image_ids: Collection[int], category_ids: Collection[int]) -> None:
    """Says once how far the limit keeps the mAP of perfect detections below 1, where it does.

    Args:
        annotations: in COCO's form, each with "iscrowd".
        image_ids: images that are evaluated.
        category_ids: categories that are evaluated.
    """
    images, categories = frozenset(image_ids), frozenset(category_ids)
    counts = Counter(
        (each["category_id"], each["image_id"])
        for each in annotations
        if not each["iscrowd"] and each["image_id"] in images and each["category_id"] in categories
    )
    crowded = {image for (_, image), count in counts.items() if count > LIMIT}
    if crowded:
        _say_once(
            f"{len(crowded)} of {counted(len(images), 'image')} {agreed(len(crowded), 'has', 'have')} more than "
            f"{LIMIT} boxes of a class, up to {max(counts.values())}: COCO's metrics count {LIMIT} detections of a "
            f"class in an image, so that perfect detections would have mAP {highest_map(counts):.3f}"
        )


def highest_map(counts: Counter[tuple[int, int]]) -> float:
    """Returns the mAP of perfect detections, for the number of boxes by (category id, image id)."""
    totals: Counter[int] = Counter()
    countable: Counter[int] = Counter()
    for (category, _), count in counts.items():
        totals[category] += count
        countable[category] += min(count, LIMIT)
    return float(np.mean([(countable[category] / total >= RECALLS).mean() for category, total in totals.items()]))


@functools.cache
def _say_once(sentence: str) -> None:
    """Logs a sentence the first time in a process, which evaluates a split after every few epochs."""
    logger.warning("%s", sentence)
