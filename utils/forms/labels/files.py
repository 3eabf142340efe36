"""Label pictures of a data set, as numbers of one byte or as colours."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from utils.data_sets.label_files import LARGEST_BYTE, LabelPixels, decode_label
from utils.model_utils.errors import BadValueError, MissingPathError


def read_label(path: Path, name: str) -> LabelPixels:
    """Reads a label; colours whose channels are all alike are levels, and a file of black and white has 0 and 255.

    Args:
        path: of the file.
        name: what error sentences call it.

    Raises:
        MissingPathError: it cannot be read.
        BadValueError: see `decode_label`; or it has values above 255.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MissingPathError(f"label '{name}' cannot be read ({error.strerror}); check its permissions") from error
    label = decode_label(data, name).simplified()
    if label.values.max(initial=0) > LARGEST_BYTE:
        raise BadValueError(
            f"label '{name}' has values up to {label.values.max()}, wanted whole numbers up to {LARGEST_BYTE}: number "
            "the classes from 0 on"
        )
    # A program that writes masks of 0 and 255 may save some with 1 bit and others with 8.
    values = label.values * LARGEST_BYTE if label.bits == 1 else label.values
    return replace(label, values=values.astype(np.uint8), bits=8)
