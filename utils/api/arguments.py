"""Keys given in Python as the arguments of a command, so that both are read, checked and refused alike."""

import json
import os
from collections.abc import Mapping

from utils.model_utils.errors import BadValueError, short


def arguments_of(keys: Mapping[str, object]) -> list[str]:
    """Returns e.g. ["--min_score=0.3", "--canvas_sides=[640, 640]"] for `min_score=0.3, canvas_sides=(640, 640)`.

    Args:
        keys: a value for each key: text, number, truth value, path, None, or a list of these.

    Raises:
        BadValueError: a value of another kind.
    """
    return [f"--{key}={_text(key, value)}" for key, value in keys.items()]


def _text(key: str, value: object) -> str:
    if isinstance(value, str | os.PathLike):
        text = os.fspath(value)
        is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
        return f'"{text}"' if is_quoted else text  # one pair of quotes is taken off a command line
    try:
        return json.dumps(value, default=_plain)
    except (TypeError, ValueError) as error:
        raise BadValueError(
            f"{key} is {short(value)}, a {type(value).__name__}: give text, a number, a path, a truth value, None or a "
            "list of these"
        ) from error


def _plain(value: object) -> object:
    """Returns paths as text, and NumPy's numbers and arrays as Python's, for a list of values."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} has no text")
