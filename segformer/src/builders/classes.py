"""Names, colours and numbers of the classes, and what labels say of them."""

import numpy as np

from ..config import SegformerConfig
from ..labels.classes import CITYSCAPES_CLASS_NAMES, CITYSCAPES_IDS, class_colours, class_names
from ..labels.codings import MAP_KEYS, PALETTE_KEYS, LabelCoding, coding_of, first_colours


def names_of_classes(config: SegformerConfig) -> tuple[str, ...]:
    """Returns a name for each class."""
    return class_names(config.class_num, config.class_names)


def colours_of_classes(config: SegformerConfig) -> np.ndarray:
    """Returns uint8[256, 3], the RGB colour of each class: those of palette where it is given."""
    names = names_of_classes(config)
    return class_colours(names, first_colours(config.palette, config.class_num, names) if config.palette else None)


def category_ids(names: tuple[str, ...]) -> tuple[int, ...]:
    """Returns the id of each class in files of results: Cityscapes' labelIds for its classes, else the index."""
    return CITYSCAPES_IDS if names == CITYSCAPES_CLASS_NAMES else tuple(range(len(names)))


def build_label_coding(config: SegformerConfig) -> LabelCoding | None:
    """Returns what values or colours of labels stand for; None where they are the class numbers."""
    return coding_of(
        config.label_map,
        config.palette,
        num_classes=config.class_num,
        names=names_of_classes(config),
        ignore_label=config.dataset_ignore_label,
        ignores_unknown=config.unknown_labels == "ignore",
        fix=PALETTE_KEYS if config.palette else MAP_KEYS,
    )
