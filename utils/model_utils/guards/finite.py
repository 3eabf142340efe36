"""Finds values that are not finite: a network that has such weights still gives boxes and classes, wrong ones.

NaN passes silently: MindSpore's ReLU makes 0 of it, and a label map of NaNs is class 0 everywhere.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from utils.model_utils.errors import MAX_EXAMPLES, BadValueError
from utils.words import counted, first_of


def describe_not_finite(arrays: Mapping[str, np.ndarray]) -> str:
    """Returns which arrays have values that no network can have, and how many, as part of a sentence; "" if none has.

    It reads every value once: 10 ms for 60 million of float32.

    Args:
        arrays: name to values; whole numbers are passed over.
    """
    finite = {name: _are_finite(array) for name, array in arrays.items() if array.dtype.kind == "f"}
    bad = {name: values.size - np.count_nonzero(values) for name, values in finite.items() if not values.all()}
    if not bad:
        return ""
    shown = first_of([f"{name}, {count} of {finite[name].size}" for name, count in bad.items()], MAX_EXAMPLES, "; ")
    total = sum(array.size for array in arrays.values())
    places = f"{len(bad)} of {counted(len(arrays), 'parameter')} ({shown})"
    return f"{sum(bad.values())} of {counted(total, 'value')}, in {places}"


def _are_finite(array: np.ndarray) -> np.ndarray:
    """Returns for each value whether it is finite in a network, which has float32: 1e300 would be infinite there."""
    if array.dtype.itemsize <= np.dtype(np.float32).itemsize:
        return np.isfinite(array)
    with np.errstate(over="ignore"):
        return np.isfinite(array.astype(np.float32))


def refuse_not_finite(path: Path, arrays: Mapping[str, np.ndarray], fix: str) -> None:
    """Refuses what a training that failed has left in a file.

    Args:
        path: the file.
        arrays: what is to be used of it.
        fix: what to do, as the end of the sentence.

    Raises:
        BadValueError: there are values that are not finite.
    """
    found = describe_not_finite(arrays)
    if found:
        raise BadValueError(
            f"'{path}' holds values that are not finite (NaN, infinite or too large for float32): {found}; the "
            f"training that made it diverged or the file is damaged: {fix}"
        )
