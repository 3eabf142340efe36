"""How much each class counts in the loss, from how many pixels of the training labels it has."""

import logging
from collections.abc import Sequence

import numpy as np

from utils.image_files import evenly_spread
from utils.words import counted

from .files import SET_KEYS, ImagePair, check_values, read_classes

logger = logging.getLogger(__name__)

SAMPLE = 256  # labels: shares of classes settle with some hundred, and Cityscapes' 2,975 would take a minute to decode


def count_pixels(pairs: Sequence[ImagePair], num_classes: int, ignore_label: int, sample: int = SAMPLE) -> np.ndarray:
    """Counts the pixels of each class in at most `sample` labels, evenly spread over the split.

    Returns:
        int64[num_classes].

    Raises:
        MissingPathError: a label cannot be read.
        BadValueError: a label has values that are no classes.
    """
    counts = np.zeros(256, np.int64)
    for pair in evenly_spread(pairs, sample):
        counts += check_values(read_classes(pair.label, pair.coding), pair.label, num_classes, ignore_label, SET_KEYS)
    return counts[:num_classes]


def balanced_weights(counts: np.ndarray, power: float) -> tuple[float, ...]:
    """Returns the weight of each class: its share of the pixels to the power of minus `power`, on average 1 a pixel.

    A class without pixels gets the weight 1, as none of its pixels is learned from.

    Args:
        counts: int[C], pixels of each class.
        power: 0 weighs all pixels alike, 1 all classes; 0.5 is between.
    """
    has_pixels = counts > 0
    shares = counts[has_pixels] / max(counts.sum(), 1)
    weights = np.ones(len(counts))
    weights[has_pixels] = shares**-power
    weights[has_pixels] /= (weights[has_pixels] * shares).sum() if has_pixels.any() else 1.0
    return tuple(float(weight) for weight in weights)


def weigh_classes(
    pairs: Sequence[ImagePair], names: Sequence[str], ignore_label: int, power: float
) -> tuple[float, ...]:
    """Returns `balanced_weights` of a training split, and says them; arguments and errors as `count_pixels`."""
    weights = balanced_weights(count_pixels(pairs, len(names), ignore_label), power)
    said = ", ".join(f"{name} {weight:.2f}" for name, weight in zip(names, weights, strict=True))
    logger.info("weights in the loss by the pixels of %s: %s", counted(min(len(pairs), SAMPLE), "label"), said)
    return weights
