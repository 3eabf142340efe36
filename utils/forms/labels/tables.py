"""Tables of the classes of label pictures: a name with a value or a colour on each line."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from utils.data_sets.known_palettes import NO_CLASS_WORDS
from utils.forms.readers.texts import read_json_object, read_lines
from utils.forms.source_files import SourceFiles
from utils.model_utils.errors import BadValueError, short
from utils.model_utils.guards.json_text import JsonTextError

# In the order in which they are looked for.
COLOUR_TABLES = ("labelmap.txt", "class_dict.csv", "label_colors.txt", "colors.txt", "colours.txt", "_classes.csv")
NAME_LISTS = ("class_names.txt", "classes.txt", "labels.txt", "names.txt")
ADE_TABLE = "objectinfo150.txt"
LABELME_NO_CLASS = "__ignore__"  # its -1
NO_CLASS_NAMES = (*NO_CLASS_WORDS, LABELME_NO_CLASS)  # what stands for no class by its name
BACKGROUND_NAMES = ("background", "_background_", "__background__", "bg")
_TRIPLE = re.compile(r"(?<![\d.])(\d{1,3})[\s,;]+(\d{1,3})[\s,;]+(\d{1,3})(?![\d.])")
_HEX = re.compile(r"#([0-9a-fA-F]{6})\b")
_NUMBER = re.compile(r"^\s*(\d{1,3})[\s,;:=]+(.+)$|^(.+?)[\s,;:=]+(\d{1,3})\s*$")
_AROUND = " \t,;:=\"'"


@dataclass(frozen=True)
class ClassTable:
    """Names with values or colours, in the order of the file; a name may stand there more than once.

    Attributes:
        names: of each line.
        values: of each line; empty where there are colours.
        colours: RGB of each line; empty where there are values.
        source: the file.
    """

    names: tuple[str, ...]
    values: tuple[int, ...]
    colours: tuple[tuple[int, int, int], ...]
    source: str


def read_table(path: Path, source: str) -> ClassTable:
    """Reads a table: lines such as `car 0 0 142`, `0,0,142,car`, `car:0,0,142::`, `car #00008e`, `7 car`, or JSON.

    Args:
        path: of the file.
        source: what sentences call it.

    Raises:
        BadValueError: no line names a class, or some have colours and others values.
    """
    rows = _json_rows(path) if path.suffix.lower() == ".json" else _text_rows(path)
    colours = [(name, key) for name, key in rows if isinstance(key, tuple)]
    values = [(name, key) for name, key in rows if isinstance(key, int)]
    if colours and not values:
        return ClassTable(tuple(name for name, _ in colours), (), tuple(key for _, key in colours), source)
    if values and not colours:
        return ClassTable(tuple(name for name, _ in values), tuple(key for _, key in values), (), source)
    found = "lines with colours and lines with values" if rows else "no such line"
    raise BadValueError(
        f"table '{path}' has {found}; wanted on each line a name and its colour, as in 'car 0 0 142', or its value, as "
        "in 'car 7'"
    )


def find_table(files: SourceFiles) -> ClassTable | None:
    """Returns the table that lies in the source, None where there is none."""
    named = {PurePosixPath(name).name.lower(): name for name in reversed(files.names)}
    found = next((named[name] for name in COLOUR_TABLES if name in named), None)
    return read_table(files.path(found), found) if found else None


def find_names(files: SourceFiles) -> tuple[tuple[str, ...], str]:
    """Returns the list of class names that lies in the source, and its file; nothing where there is none."""
    named = {PurePosixPath(name).name.lower(): name for name in reversed(files.names)}
    if ADE_TABLE in named:
        rows = [line.split("\t") for line in read_lines(files.path(named[ADE_TABLE]))]
        return tuple(row[-1].split(",")[0].strip() for row in rows if row[0].isdigit()), named[ADE_TABLE]
    found = next((named[name] for name in NAME_LISTS if name in named), None)
    if found is None:
        return (), ""
    names = [name for name in read_lines(files.path(found)) if name != LABELME_NO_CLASS]
    return tuple(names), found


def _json_rows(path: Path) -> list[tuple[str, int | tuple[int, int, int]]]:
    try:
        content = read_json_object(path)
    except JsonTextError as error:
        raise BadValueError(f"table '{path}' cannot be read: {error}; repair the file") from error
    rows: list[tuple[str, int | tuple[int, int, int]]] = []
    for name, key in content.items():
        numbers = key if isinstance(key, list) else [key]
        if len(numbers) not in (1, 3) or not all(type(each) is int and 0 <= each <= 255 for each in numbers):
            raise BadValueError(
                f"table '{path}' gives {short(name)} {short(key)}, wanted a value or [red, green, blue]"
            )
        rows.append((name, numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1], numbers[2])))
    return rows


def _text_rows(path: Path) -> list[tuple[str, int | tuple[int, int, int]]]:
    return [row for line in read_lines(path) if (row := _row(line))]


def _row(line: str) -> tuple[str, int | tuple[int, int, int]] | None:
    """Returns name and key of a line; None for a comment, a heading, or a line without a key."""
    hexadecimal, triple = _HEX.search(line), _TRIPLE.search(line)
    if hexadecimal:
        digits = hexadecimal[1]
        key = (int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16))
        return _named(line[: hexadecimal.start()] + line[hexadecimal.end() :], key)
    if line.startswith("#"):
        return None
    if triple and all(int(each) <= 255 for each in triple.groups()):
        red, green, blue = map(int, triple.groups())
        before, after = line[: triple.start()], line[triple.end() :]
        return _named(before if before.strip(_AROUND) else after, (red, green, blue))
    number = _NUMBER.match(line)
    if number is None:
        return None
    value, name = (number[1], number[2]) if number[1] else (number[4], number[3])
    return _named(name, int(value)) if int(value) <= 255 else None


def _named(text: str, key: int | tuple[int, int, int]) -> tuple[str, int | tuple[int, int, int]] | None:
    name = text.strip(_AROUND)
    return (name, key) if name else None
