"""What workers of a job tell each other, as bytes: JSON and NumPy's own format, neither of which can hold code.

They talk over a port without a password, so whoever reaches it can answer in a worker's place.
"""

import io
import json
from collections.abc import Mapping

from utils.model_utils.guards.json_text import Json

_TEXT = "text"  # entry of the archive that holds the JSON
_ARRAY = "\0array"  # key of an object that stands for an array
_NUMBER_KINDS = "biuf"  # of NumPy's types


def encode(value: object) -> bytes:
    """Returns a value of JSON, with arrays of numbers anywhere in it, as the bytes of an .npz archive.

    Tuples become lists. Numbers come back bit for bit.

    Raises:
        TypeError: it has something else in it, or a mapping whose keys are no texts.
    """
    import numpy as np  # at the top, it would cost every --help 80 ms

    arrays: dict[str, np.ndarray] = {}
    _check_keys(value)

    def as_json(item: object) -> object:
        if isinstance(item, np.ndarray) and item.dtype.kind in _NUMBER_KINDS:
            name = str(len(arrays))
            arrays[name] = item
            return {_ARRAY: name}
        if isinstance(item, np.generic):
            return item.item()
        if isinstance(item, Mapping):
            return dict(item)
        raise TypeError(f"workers exchange values of JSON and arrays of numbers, got {type(item).__name__}")

    text = json.dumps(value, default=as_json).encode()
    buffer = io.BytesIO()
    np.savez(buffer, **{_TEXT: np.frombuffer(text, np.uint8)}, **arrays)
    return buffer.getvalue()


def _check_keys(value: object) -> None:
    """Refuses keys that JSON would turn into texts without a word."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            if not {*map(type, item)} <= {str}:
                raise TypeError("workers exchange values of JSON and arrays of numbers, got a key that is no text")
            item = item.values()
        elif not isinstance(item, list | tuple):
            continue
        waiting += [each for each in item if isinstance(each, list | tuple | Mapping)]


def decode(content: bytes) -> Json:
    """Returns the value that `encode` was given."""
    import numpy as np

    with np.load(io.BytesIO(content), allow_pickle=False) as file:

        def as_value(item: dict) -> object:
            return file[item[_ARRAY]] if item.keys() == {_ARRAY} else item

        return json.loads(file[_TEXT].tobytes(), object_hook=as_value)
