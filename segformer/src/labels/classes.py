"""Names and colours of classes: Cityscapes', from cityscapesscripts' own table, and those of other data sets.

A train id counts the classes that are trained and scored, 0 to 18; an id is the number in `_labelIds.png` files, -1 to
33; 255 in a file of train ids is a pixel that belongs to none of the classes and is neither trained on nor scored.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from cityscapesscripts.helpers.labels import labels

from utils.drawing.class_colours import distinct_colors

IGNORE_LABEL = 255  # Cityscapes' own, the largest that a file of one byte a pixel holds
_SCORED = tuple(sorted((label for label in labels if 0 <= label.trainId < IGNORE_LABEL), key=lambda one: one.trainId))

CITYSCAPES_CLASS_NAMES: tuple[str, ...] = tuple(label.name for label in _SCORED)
CITYSCAPES_IDS: tuple[int, ...] = tuple(label.id for label in _SCORED)  # by train id
LARGEST_ID = max(label.id for label in labels)


def class_names(num_classes: int, names: Sequence[str] | None = None) -> tuple[str, ...]:
    """Returns a name for each class.

    Args:
        num_classes: how many classes there are.
        names: `num_classes` names that the user gave; without them 19 classes are those of Cityscapes, and others are
            numbered.
    """
    if names:
        return tuple(names)
    if num_classes == len(CITYSCAPES_CLASS_NAMES):
        return CITYSCAPES_CLASS_NAMES
    return numbered_names(num_classes)


def numbered_names(num_classes: int) -> tuple[str, ...]:
    """Returns class_0, class_1, ...: the names of classes that have none."""
    return tuple(f"class_{index}" for index in range(num_classes))


def id_table() -> np.ndarray:
    """Returns uint8[256], the Cityscapes id of each train id; 0, "unlabeled", for every value that is none."""
    table = np.zeros(256, np.uint8)
    table[: len(CITYSCAPES_IDS)] = CITYSCAPES_IDS
    return table


def train_id_table() -> np.ndarray:
    """Returns uint8[256], the train id of each Cityscapes id; 255 for every value that is not scored."""
    table = np.full(256, IGNORE_LABEL, np.uint8)
    table[list(CITYSCAPES_IDS)] = np.arange(len(CITYSCAPES_IDS))
    return table


def palette(num_classes: int = len(CITYSCAPES_CLASS_NAMES)) -> np.ndarray:
    """Returns what `class_colours` does for classes of which only the number is known."""
    return class_colours(class_names(num_classes))


def class_colours(names: Sequence[str], own: Mapping[int, tuple[int, int, int]] | None = None) -> np.ndarray:
    """Returns uint8[256, 3], the RGB colour of each class value: Cityscapes' for its classes, else distinct ones.

    Values that are no class are black.

    Args:
        names: of the classes.
        own: colours by class number that count before these, as the data set's palette has them.
    """
    table = np.zeros((256, 3), np.uint8)
    is_cityscapes = tuple(names) == CITYSCAPES_CLASS_NAMES
    table[: len(names)] = [label.color for label in _SCORED] if is_cityscapes else distinct_colors(len(names))
    if own:
        table[list(own)] = list(own.values())
    return table
