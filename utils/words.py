"""Counts and lists in sentences: "1 class", "2 classes", "0, 1 and 255"."""

import re
from collections.abc import Iterable, Sequence

# Nouns of this project's sentences whose plural is not the word with an s.
PLURALS = {
    "box": "boxes",
    "canvas": "canvases",
    "category": "categories",
    "class": "classes",
    "copy": "copies",
    "entry": "entries",
    "index": "indices",
    "process": "processes",
}

# "[one|several]" in words: what names of files, which may have any letters, hardly ever are.
_WORDINGS = re.compile(r"\[([a-zA-Z':, ]+)\|([a-zA-Z':, ]+)\]")


def counted(count: int, noun: str) -> str:
    """Returns a count with its noun: "1 class", "12,000 images"; of a noun of several words the last is inflected."""
    return f"{count:,} {plural(noun) if count != 1 else noun}"


def none_of(count: int, noun: str) -> str:
    """Returns "none of the 5 labels", of one "not even the only label"."""
    return f"none of the {counted(count, noun)}" if count != 1 else f"not even the only {noun}"


def plural(noun: str) -> str:
    """Returns the plural of a noun of which the last word is inflected: "training image" gives "training images"."""
    before, space, last = noun.rpartition(" ")
    return before + space + PLURALS.get(last, f"{last}s")


def listed(items: Iterable[object]) -> str:
    """Returns items as a sentence has them: "0", "0 and 255", "0, 1 and 255"."""
    *before, last = map(str, items)
    return f"{', '.join(before)} and {last}" if before else last


def first_of(items: Sequence[str], most: int, between: str = ", ") -> str:
    """Returns the first items and how many more there are: "a, b and 3 more", or "a; b; and 3 more"."""
    beyond = len(items) - most
    more = f"{between.strip(', ')} and {beyond} more" if beyond > 0 else ""
    return between.join(items[:most]) + more


def worded(count: int, text: str) -> str:
    """Returns a text with the wording for one or for several: "[class has|classes have] no box" has both."""
    return _WORDINGS.sub(r"\1" if count == 1 else r"\2", text)


def agreed(count: int, one: str, several: str) -> str:
    """Returns the verb that agrees with a count: `agreed(count, "is", "are")`."""
    return one if count == 1 else several


def share(part: float, whole: float) -> str:
    """Returns e.g. "31 %"; near nothing and near all with one digit more, never 0 for something or 100 for less."""
    percent = 100 * part / whole if whole else 0.0
    if 0 < percent < 0.05:
        return "below 0.1 %"
    if 99.95 < percent < 100:
        return "above 99.9 %"
    is_plain = 9.95 <= percent < 99.5 or percent in (0, 100)
    return f"{percent:.0f} %" if is_plain else f"{percent:.1f} %"
