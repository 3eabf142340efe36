"""Reads JSON that others may have written: whatever is in it, the answer is a value or one kind of error."""

import functools
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from utils.model_utils.errors import SHOWN_LETTERS, short

if TYPE_CHECKING:
    from pydantic import TypeAdapter

# What a dataclass that `as_kind` reads has as __pydantic_config__.
STRICTLY = {"extra": "forbid", "allow_inf_nan": False}

Kind = TypeVar("Kind")
Json: TypeAlias = Any  # whoever takes such a value apart looks at it, or catches TypeError


class JsonTextError(ValueError):
    """Why a text is not the JSON that was wanted, as half a sentence."""


def parse_json(text: str | bytes, pairs_hook: Callable[[list[tuple[str, object]]], object] | None = None) -> Json:
    """Returns the value of a JSON text.

    Args:
        text: as str, or in UTF-8, UTF-16 or UTF-32.
        pairs_hook: makes the value of an object of its pairs; None for a dict.

    Raises:
        JsonTextError: it is no JSON or no text, nested too deeply, or has a number of more than 4300 digits.
    """
    try:
        return json.loads(text, object_pairs_hook=pairs_hook)
    except json.JSONDecodeError as error:
        raise JsonTextError(str(error)) from error
    except UnicodeDecodeError as error:
        raise JsonTextError(f"it is not UTF-8 text, {error.reason}") from error
    except RecursionError as error:
        raise JsonTextError("it is nested too deeply") from error
    except ValueError as error:  # Python's limit on the digits of a number
        raise JsonTextError("it has a number of thousands of digits") from error


def as_kind(value: object, kind: type[Kind], name: str = "") -> Kind:
    """Returns a value of JSON as a dataclass or another type with annotations, each field of its own type.

    Args:
        value: what `parse_json` returns, or a part of it.
        kind: the type.
        name: what the value is called in the sentence.

    Raises:
        JsonTextError: a field is missing, unknown or of another type; the first is named.
    """
    from pydantic import ValidationError  # at the top, it would cost the launchers, which only parse JSON, 30 ms

    try:
        adapter: TypeAdapter[Kind] = _adapter(kind)  # type: ignore[arg-type]  # a class is hashable
        return adapter.validate_python(value)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, ((name,) if name else ()) + fault["loc"])) or "it"
        shown = place if len(place) <= SHOWN_LETTERS else short(place)  # it has names of the file
        raise JsonTextError(f"{shown} is {short(fault['input'])}: {fault['msg'].lower()}") from error


@functools.cache
def _adapter(kind: type) -> "TypeAdapter":
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
