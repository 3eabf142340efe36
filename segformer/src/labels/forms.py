"""The forms in which label_map and palette may be given, and the texts that they are kept as; without NumPy.

A text of label_map is `VALUE: CLASS`, one of palette `RED GREEN BLUE NAME`. CLASS is the number of a class, its name,
or a word for pixels without a class, and so may NAME be. A checkpoint stores these texts, so that it needs no file.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from utils.data_sets.colour_tables import WANTED, TableRow, parse_rows, parse_table, refuse_two_names, rows_of_mapping
from utils.data_sets.known_palettes import KNOWN_PALETTES, NO_CLASS, NO_CLASS_WORDS, palette_lines
from utils.model_utils.config.base import FormRule
from utils.model_utils.config.yaml_files import parse_value
from utils.model_utils.errors import BadValueError, short, unknown_word
from utils.words import counted

from .key_files import read_key_file

ADE20K, BINARY = "ade20k", "binary"  # words of label_map
ADE20K_CLASSES = 150
BINARY_NAMES = ("background", "foreground")
MOST_SHOWN = 20  # class names in a sentence
HIGHEST_VALUE = 65535  # of a file with 16 bits
_NUMBERED = re.compile(r"\d+(\s|$)")  # a name that begins so cannot be told from the colour before it

Item = TypeVar("Item")


@dataclass(frozen=True)
class MappedValue:
    """A value of label files and the class that it stands for.

    Attributes:
        value: 0 to 65535.
        target: number of the class, its name, or None for pixels without one.
    """

    value: int
    target: int | str | None


@dataclass(frozen=True)
class NamedColour:
    """A colour of label files and the class that it stands for.

    Attributes:
        rgb: 0 to 255 each.
        name: of the class; "" where the table names none; None for pixels without one.
    """

    rgb: tuple[int, int, int]
    name: str | None


def is_no_class(name: str) -> bool:
    """Tells whether a name is one of the words for pixels without a class."""
    return name.strip().lower() in NO_CLASS_WORDS


# label_map


def label_map_texts(value: object, _folder: str) -> list[str]:
    """Returns a label_map as texts; a word that stands for a map stays one.

    Args:
        value: a mapping, a list of `VALUE: CLASS`, such texts with commas between them, or a word.

    Raises:
        BadValueError: it is none of these.
    """
    if isinstance(value, str):
        word = value.strip().lower()
        if word in (ADE20K, BINARY):
            return [word]
        if ":" not in value:
            raise BadValueError(unknown_word("label_map", word, (ADE20K, BINARY, "VALUE: CLASS")))
        value = value.split(",")
    if isinstance(value, dict):
        value = [f"{key}" if of is None and ":" in str(key) else f"{key}: {of}" for key, of in value.items()]
    if not isinstance(value, list | tuple) or not value:
        raise BadValueError(f"label_map is {short(value)}, wanted {LABEL_MAP_FORM.wanted}")
    return [word] if (word := map_word(value)) else [_text_of_value(each) for each in parse_label_map(value)]


def map_word(texts: Sequence[object]) -> str:
    """Returns the word that stands for the whole map, "" where there is none."""
    return texts[0] if len(texts) == 1 and texts[0] in (ADE20K, BINARY) else ""


def parse_label_map(texts: Iterable[object]) -> tuple[MappedValue, ...]:
    """Reads texts `VALUE: CLASS`.

    Raises:
        BadValueError: one is none, or a value stands twice.
    """
    found = [_parse_value(text) for text in texts]
    if len({type(each.target) for each in found if each.target is not None}) > 1:
        raise BadValueError("label_map has names and numbers of classes: give all classes by name, or all by number")
    twice = _repeated([each.value for each in found])
    if twice:
        raise BadValueError(f"label_map has the value {twice[0]} more than once: give each value one class")
    return tuple(found)


def expand_label_map(texts: Sequence[str], num_classes: int) -> tuple[MappedValue, ...]:
    """Returns the values of a label_map, those that a word stands for written out."""
    word = map_word(texts)
    if word == ADE20K:
        return (MappedValue(0, None), *(MappedValue(index + 1, index) for index in range(num_classes)))
    if word == BINARY:  # a file with 1 bit a pixel has 1 in place of 255
        return MappedValue(0, 0), MappedValue(1, 1), MappedValue(255, 1)
    return parse_label_map(texts)


def names_in_map(texts: Sequence[str]) -> tuple[str, ...]:
    """Returns the class names of a label_map, in its order; none where it has numbers."""
    if map_word(texts):
        return BINARY_NAMES if map_word(texts) == BINARY else ()
    return tuple(dict.fromkeys(each.target for each in parse_label_map(texts) if isinstance(each.target, str)))


def count_of_map(texts: Sequence[str]) -> int:
    """Returns how many classes a label_map speaks of."""
    if map_word(texts) == ADE20K:
        return ADE20K_CLASSES
    highest = max((each.target for each in expand_label_map(texts, 0) if isinstance(each.target, int)), default=-1)
    return max(highest + 1, len(names_in_map(texts)))


def targets_of_map(texts: Sequence[str], num_classes: int, names: Sequence[str]) -> dict[int, int | None]:
    """Returns the class index of each value of a label_map; None for pixels without a class.

    Args:
        texts: of the label_map.
        num_classes: classes are 0..num_classes-1.
        names: of the classes, as the user or the weights have them.

    Raises:
        BadValueError: it names a class that there is not.
    """
    values = expand_label_map(texts, num_classes)
    unknown = [each.target for each in values if isinstance(each.target, str) and each.target not in names]
    if unknown:
        raise BadValueError(_unknown_name("label_map", str(unknown[0]), names))
    beyond = [each for each in values if isinstance(each.target, int) and each.target >= num_classes]
    if beyond:
        raise BadValueError(
            f"label_map gives the value {beyond[0].value} class {beyond[0].target}, and the classes are numbered 0 to "
            f"{num_classes - 1}: correct label_map, or class_num"
        )
    index = {name: number for number, name in enumerate(names)}
    return {each.value: index[each.target] if isinstance(each.target, str) else each.target for each in values}


def _unknown_name(key: str, name: str, names: Sequence[str]) -> str:
    known = ", ".join(names[:MOST_SHOWN]) + (", ..." if len(names) > MOST_SHOWN else "") or "numbered"
    return (
        f"{key} names the class {short(name)}, and the classes are {known}: give it one of their names, or {NO_CLASS}"
    )


def _parse_value(text: object) -> MappedValue:
    if isinstance(text, dict) and len(text) == 1:  # YAML reads `- 0: ignore` so
        text = ": ".join(map(str, *text.items()))
    value, colon, target = (part.strip() for part in str(text).partition(":"))
    if not (value.isascii() and value.isdigit() and int(value[:9]) <= HIGHEST_VALUE and colon and target):
        raise BadValueError(
            f"label_map has {short(text)}, wanted VALUE: CLASS with a value from 0 to {HIGHEST_VALUE} and a class "
            "number, a class name or ignore, e.g. 255: 1"
        )
    if is_no_class(target):
        return MappedValue(int(value), None)
    return MappedValue(int(value), int(target) if target.isascii() and target.isdigit() else target)


def _text_of_value(item: MappedValue) -> str:
    return f"{item.value}: {NO_CLASS if item.target is None else item.target}"


# palette


def palette_texts(value: object, folder: str) -> list[str]:
    """Returns a palette as texts.

    Args:
        value: name of a known palette, path of a file, a mapping of names to colours, or a list of colours with names.
        folder: where a relative path begins.

    Raises:
        BadValueError: it is none of these, or the file holds something else.
        MissingPathError: the file cannot be read.
    """
    if isinstance(value, str):
        word = value.strip().lower()
        value = palette_lines(word) if word in KNOWN_PALETTES else _read_palette(value, folder)
    if isinstance(value, dict):
        value = rows_of_mapping(value, "palette")
    if not isinstance(value, list | tuple) or not value:
        raise BadValueError(f"palette is {short(value)}, wanted {PALETTE_FORM.wanted}")
    return [_text_of_colour(each) for each in parse_palette(value)]


def parse_palette(items: Iterable[object]) -> tuple[NamedColour, ...]:
    """Reads texts `RED GREEN BLUE NAME`, also with the name first, lists of three numbers, or rows of a table.

    Raises:
        BadValueError: one is none, or a colour stands for two classes.
    """
    rows = _rows(items)
    found = tuple(dict.fromkeys(map(_named_colour, rows)))
    nameless = [each for each in found if each.name == ""]
    if nameless and any(each.name for each in found):
        raise BadValueError(f"palette has the colour {nameless[0].rgb} without a name and others with one: name it too")
    refuse_two_names(rows, "palette")
    return found


def names_in_palette(colours: Sequence[NamedColour]) -> tuple[str, ...]:
    """Returns the names of a palette's classes, in its order; none where it has colours alone."""
    return tuple(dict.fromkeys(each.name for each in colours if each.name))


def count_of_palette(colours: Sequence[NamedColour]) -> int:
    """Returns how many classes a palette speaks of."""
    return len(names_in_palette(colours)) or sum(each.name is not None for each in colours)


def targets_of_palette(
    colours: Sequence[NamedColour], num_classes: int, names: Sequence[str]
) -> dict[tuple[int, int, int], int | None]:
    """Returns the class index of each colour of a palette: by its name, or where no colour has one, by its place.

    Raises:
        BadValueError: it names a class that there is not, or has more colours than there are classes.
    """
    named = names_in_palette(colours)
    unknown = [name for name in named if name not in names]
    if unknown:
        raise BadValueError(_unknown_name("palette", unknown[0], names))
    if named:
        index = {name: number for number, name in enumerate(names)}
        return {each.rgb: None if each.name is None else index[each.name] for each in colours}
    classes = [each.rgb for each in colours if each.name is not None]
    if len(classes) != num_classes:
        raise BadValueError(
            f"palette has {counted(len(classes), 'colour')} and class_num is {num_classes}: set class_num to "
            f"{len(classes)}, or give palette a colour for each class"
        )
    return {**{each.rgb: None for each in colours}, **{rgb: number for number, rgb in enumerate(classes)}}


def _rows(items: Iterable[object]) -> list[TableRow]:
    """Returns the rows that items stand for; texts are read together, as their first numbers may count the classes."""
    found = [_rows_of(item) for item in items]
    parsed = iter(parse_rows((item for item in found if isinstance(item, str)), "palette"))
    return [row for item in found for row in ([next(parsed)] if isinstance(item, str) else item)]


def _rows_of(item: object) -> str | list[TableRow]:
    """Returns the rows of an item, or the text that is still to be read."""
    if isinstance(item, TableRow):
        return [item]
    if isinstance(item, dict) and len(item) == 1:  # YAML reads `- road: [128, 64, 128]` so
        return rows_of_mapping(item, "palette")
    if isinstance(item, list | tuple) and all(type(each) is int for each in item[:3]):
        return rows_of_mapping({" ".join(map(str, item[3:])): list(item[:3])}, "palette")
    return " ".join(map(str, item)) if isinstance(item, list | tuple) else str(item).strip()


def _named_colour(row: TableRow) -> NamedColour:
    if not isinstance(row.key, tuple):
        raise BadValueError(f"palette has {short(f'{row.name} {row.key}')}, {WANTED}")
    if _NUMBERED.match(row.name):
        raise BadValueError(
            f"palette has the class {short(row.name)}, wanted a name that begins with no number: call it otherwise"
        )
    return NamedColour(row.key, row.stands_for)


def _text_of_colour(item: NamedColour) -> str:
    name = NO_CLASS if item.name is None else item.name
    return f"{item.rgb[0]} {item.rgb[1]} {item.rgb[2]} {name}".rstrip()


def _read_palette(name: str, folder: str) -> object:
    """Reads a file of colours and names: a line each, or YAML by its ending, or JSON; returns texts or a value."""
    path, text = read_key_file(
        "palette",
        name,
        folder,
        f" and none of {', '.join(KNOWN_PALETTES)}: give one of these, or a file with a line RED GREEN BLUE NAME for "
        "each colour",
    )
    try:
        if path.suffix.lower() in (".yaml", ".yml", ".json") or text.lstrip().startswith("{"):
            return parse_value(text)
        return [_text_of_colour(each) for each in parse_palette(parse_table(text.splitlines(), "palette"))]
    except ValueError as error:
        raise BadValueError(f"'{path}': {error}") from error


def _repeated(items: Sequence[Item]) -> list[Item]:
    return [item for item, count in Counter(items).items() if count > 1]


LABEL_MAP_FORM = FormRule(
    f"a mapping of values to class numbers, class names or {NO_CLASS}, {ADE20K} or {BINARY}",
    label_map_texts,
    ("object", "array", "string"),
)
PALETTE_FORM = FormRule(
    f"a mapping of class names to colours, a list of RED GREEN BLUE NAME, the path of a file with such lines, "
    f"or one of {', '.join(KNOWN_PALETTES)}",
    palette_texts,
    ("object", "array", "string"),
)
