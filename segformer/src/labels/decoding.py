"""Label files as numbers or as colours, with what to do where one has the other; without classes."""

from pathlib import Path

import numpy as np

from utils.data_sets.label_files import SAVE_AS_PNG, decode_label
from utils.model_utils.errors import BadValueError


def label_values(data: bytes, path: Path) -> np.ndarray:
    """Returns the value of each pixel: levels of grey, or indexes of a palette.

    Returns:
        uint8[H, W] or uint16[H, W].

    Raises:
        BadValueError: the file is damaged, of another kind, or has colours.
    """
    label = decode_label(data, path).simplified()
    if label.is_coloured:
        raise BadValueError(
            f"label '{path}' has colours, wanted one value a pixel: say with palette what its colours stand for"
        )
    return label.values


def label_colours(data: bytes, path: Path) -> np.ndarray:
    """Returns the colour of each pixel, uint8[H, W, 3] RGB; what is transparent keeps its colour.

    Raises:
        BadValueError: the file is damaged, or has more than 8 bits a channel.
    """
    label = decode_label(data, path)
    if label.bits == 16:
        raise BadValueError(f"label '{path}' has values of 16 bits, wanted 8 bits: {SAVE_AS_PNG}")
    return label.colours()
