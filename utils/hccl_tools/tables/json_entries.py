"""Values of a JSON document that know their path, so that a wrong one is named where it stands."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from utils.hccl_tools.tables.addresses import normal_address
from utils.installation import shown_file
from utils.model_utils.errors import SHOWN_LETTERS, BadValueError

HOW_TO_FIX = f"correct the file or make it anew with {shown_file('utils/hccl_tools/hccl_tools.py')}"

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class JsonEntry:
    """One value of a document.

    Attributes:
        value: as json.loads gives it.
        source: name of the file.
        path: how the value is reached, e.g. "server_list[1].device[0].rank_id"; "" for the whole document.
    """

    value: object
    source: str
    path: str = ""

    @property
    def place(self) -> str:
        """File and path, e.g. "table.json: server_list[1]"."""
        return f"{self.source}: {self.path or 'the document'}"

    def error(self, wanted: str) -> BadValueError:
        """Returns the error that says what stands here and what was wanted."""
        return BadValueError(f"{self.place} is {_shown(self.value)}, wanted {wanted}; {HOW_TO_FIX}")

    def key_names(self) -> list[str]:
        """Returns the keys of an object.

        Raises:
            BadValueError: it is no object.
        """
        if not isinstance(self.value, dict):
            raise self.error("an object, {...}")
        return list(self.value)

    def child(self, key: str) -> "JsonEntry":
        """Returns what stands under a key.

        Raises:
            BadValueError: it is missing, or this is no object.
        """
        is_plain = _PLAIN_KEY.fullmatch(key) and len(key) <= SHOWN_LETTERS
        step = key if is_plain else shown_as_json(key)  # whatever it holds, the sentence stays one line
        path = f"{self.path}.{step}" if self.path else step
        if key not in self.key_names():
            raise BadValueError(f"{self.source}: {path} is missing; {HOW_TO_FIX}")
        assert isinstance(self.value, dict), "key_names() refuses what is none"
        return JsonEntry(self.value[key], self.source, path)

    def items(self) -> "list[JsonEntry]":
        """Returns the items of a list.

        Raises:
            BadValueError: it is no list, or empty.
        """
        if not isinstance(self.value, list) or not self.value:
            raise self.error("a list with at least one item")
        return [JsonEntry(item, self.source, f"{self.path}[{index}]") for index, item in enumerate(self.value)]

    def text(self) -> str:
        """Returns a string that is not empty.

        Raises:
            BadValueError: it is none.
        """
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.error("a string that is not empty")
        return self.value

    def number(self, lowest: int, highest: int) -> int:
        """Returns a whole number; the tables hold them as strings, without leading zeros.

        Raises:
            BadValueError: it is none, or out of range.
        """
        text = self.value
        is_number = isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= len(str(highest))
        number = int(str(text)) if is_number else lowest - 1
        if not lowest <= number <= highest or text != str(number):
            raise self.error(f'a whole number from {lowest} to {highest} as a string, like "{lowest}"')
        return number

    def count(self, found: int, of_what: str) -> None:
        """Checks a count.

        Raises:
            BadValueError: it is not the number found, e.g. of items in a list.
        """
        if self.value != str(found):
            raise self.error(f'"{found}", the number of {of_what}')

    def address(self) -> str:
        """Returns an IP address as it stands here.

        Raises:
            BadValueError: it is none.
        """
        if normal_address(self.text()) is None:
            raise self.error("an IPv4 or IPv6 address")
        return self.text()


def check_leaves(document: JsonEntry) -> None:
    """Checks that every leaf is a string, as all templates want.

    Raises:
        BadValueError: one is not; the first in the file's order is named.
    """
    waiting = [document]
    while waiting:  # no recursion: a file may be nested deeper than Python's stack
        entry = waiting.pop()
        if isinstance(entry.value, dict | list):
            waiting += reversed(list(_children(entry)))
        elif not isinstance(entry.value, str):
            raise entry.error(f'a string, like "{shown_as_json(entry.value)}"')


def _children(entry: JsonEntry) -> Iterator[JsonEntry]:
    if isinstance(entry.value, dict):
        yield from (entry.child(key) for key in entry.key_names())
    elif entry.value:
        yield from entry.items()


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        kind = "object" if isinstance(value, dict) else "list"
        return f"{'an' if kind == 'object' else 'a'} {kind}" if value else f"an empty {kind}"
    return shown_as_json(value)


def shown_as_json(value: object) -> str:
    """Returns a value as JSON has it, cut as `short` cuts."""
    text = json.dumps(value[:SHOWN_LETTERS] if isinstance(value, str) else value)
    return text if len(text) <= SHOWN_LETTERS else f"{text[: SHOWN_LETTERS - 3]}..."
