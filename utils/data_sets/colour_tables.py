"""Tables of the classes of label pictures: a name with a colour or a value on each line; without NumPy.

`data convert` reads the tables that lie in a data set, SegFormer those of its key `palette`; both read them here, so
that a file means the same to both.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import TypeAlias

from utils.data_sets.known_palettes import NO_CLASS_WORDS
from utils.model_utils.errors import BadValueError, short

Colour: TypeAlias = tuple[int, int, int]
HIGHEST = 255
WANTED = "wanted RED GREEN BLUE NAME or the name first, e.g. 128 64 128 road"
_SEPARATOR = re.compile(r"([\s,;:=]+)")
_AROUND = " \t,;:=\"'"
_HEX = re.compile(r"(?<![^\s,;:=])#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})(?![^\s,;:=])")
_PLAIN_HEX = re.compile(r"#?([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")
_BRACKETS = re.compile(r"[\[(]\s*(\d+[\s,;]+\d+[\s,;]+\d+)\s*[\])]")
_DELIMITERS = (",", ";", "\t")
# Words of a heading, as in id,name,r,g,b.
_NAME_COLUMNS = ("name", "class", "label", "class_name", "classname", "label_name", "category")
_COLOUR_COLUMNS = (("r", "red"), ("g", "green"), ("b", "blue"))


@dataclass(frozen=True)
class TableRow:
    """A line of a table.

    Attributes:
        name: of the class; "" where the line has a colour alone.
        key: colour, RGB from 0 to 255, or value of the class.
    """

    name: str
    key: Colour | int

    @property
    def stands_for(self) -> str | None:
        """The name; None where it is a word for no class."""
        return None if self.name.lower() in NO_CLASS_WORDS else self.name


def parse_table(lines: Iterable[str], what: str) -> list[TableRow]:
    """Reads lines such as `car 0 0 142`, `0,0,142,car`, `car:0,0,142::`, `car #00008e`, `3 car 0 0 142` or `7 car`.

    A number in front of all lines, or of colour and name, is one that counts the classes and says nothing. A heading
    such as `id,name,r,g,b` says which columns count. Comments, `# ...`, are passed over.

    Args:
        lines: of the file.
        what: what sentences call it, e.g. "table 'a.txt'".

    Raises:
        BadValueError: a line is no such thing, or it cannot be told which of its numbers are the colour.
    """
    rows = [line for each in lines if (line := each.strip()) and (not line.startswith("#") or _HEX.match(line))]
    if rows and not re.search(r"\d", _HEX.sub("0", rows[0])):
        heading, *rows = rows
        columns = _columns(heading)
        if columns is not None:
            return [_row_of_columns(row, columns, what) for row in rows]
    return parse_rows(rows, what)


def parse_rows(lines: Iterable[str], what: str) -> list[TableRow]:
    """Reads a row of each line, as `parse_table` does, of which none is a heading or a comment."""
    cut = [_Cut.of(line) for line in lines]
    counts = _counted_names(cut)
    is_index_first = _is_index_first([each for each in cut if each.has_four], what)
    return [_row(each, counts, is_index_first, what) for each in cut]


def rows_of_mapping(content: Mapping, what: str) -> list[TableRow]:
    """Returns the rows of a mapping of names to a value, `[red, green, blue]`, `"#rrggbb"`, or a list of colours.

    Raises:
        BadValueError: a name has something else.
    """
    rows = []
    for name, given in content.items():
        is_list = isinstance(given, list | tuple) and bool(given) and not _is_number(given[0])
        colours = given if is_list else [given]
        rows += [TableRow(" ".join(str(name).split()), _key(each, name, what)) for each in colours]
    return rows


def refuse_two_names(rows: Iterable[TableRow], what: str) -> None:
    """Refuses a colour, or a value, that has two names; two words for no class are one.

    Raises:
        BadValueError: there is one.
    """
    named: dict[Colour | int, TableRow] = {}
    for row in rows:
        first = named.setdefault(row.key, row)
        if first.stands_for != row.stands_for:
            kind = "colour" if isinstance(row.key, tuple) else "value"
            names = f"{short(first.name)} and {short(row.name)}"
            raise BadValueError(f"{what} has the {kind} {row.key} for {names}: give each {kind} one class")


@dataclass(frozen=True)
class _Cut:
    """A line in words.

    Attributes:
        line: as it stands in the file.
        words: those between separators.
        between: the separators, one fewer.
        lead: how many words at the beginning are numbers.
        trail: how many at the end are; 0 where all are.
    """

    line: str
    words: tuple[str, ...]
    between: tuple[str, ...]
    lead: int
    trail: int

    @classmethod
    def of(cls, line: str) -> "_Cut":
        cut = cls._plain(line, _BRACKETS.sub(r" \1 ", line))
        if max(cut.lead, cut.trail) < 3 and _HEX.search(line):  # a name may be like a colour too
            return cls._plain(line, _HEX.sub(_decimal, line, count=1))
        return cut

    @classmethod
    def _plain(cls, line: str, text: str) -> "_Cut":
        parts = _SEPARATOR.split(text.strip(_AROUND))
        words = tuple(parts[::2])
        lead = sum(1 for _ in takewhile(_is_digits, words))
        trail = 0 if lead == len(words) else sum(1 for _ in takewhile(_is_digits, reversed(words)))
        return cls(line, words, tuple(parts[1::2]), lead, trail)

    def name(self, start: int, end: int) -> str:
        """Returns the words from one to before another, with what stands between them."""
        parts = [part for pair in zip(self.words, (*self.between, ""), strict=True) for part in pair]
        return " ".join("".join(parts[2 * start : 2 * end - 1]).strip(_AROUND).split())

    def number(self, at: int) -> int:
        return int(self.words[at][:9])

    def is_spaced(self, at: int) -> bool:
        """Whether nothing but spaces stands before a word: then it may go on the one before."""
        return self.between[at - 1].isspace() and "\t" not in self.between[at - 1]

    @property
    def has_four(self) -> bool:
        """Whether four numbers stand before a name: a colour and a number that counts the classes."""
        return self.lead == 4 and len(self.words) > 4 and self.trail < 3

    @property
    def may_be_counted(self) -> bool:
        """Whether a number and a name stand before a colour, with spaces alone between them: `3 car 0 0 142`."""
        return self.lead == 1 and self.trail >= 3 and self.is_spaced(1) and self.is_spaced(len(self.words) - 3)


def _row(cut: _Cut, are_counted: bool, is_index_first: bool, what: str) -> TableRow:
    end = len(cut.words)
    if cut.lead == end == 3 or (cut.lead == 3 and cut.trail < 3):
        return _colour_row(cut, 0, cut.name(3, end), what)
    if cut.has_four:
        return _colour_row(cut, int(is_index_first), cut.name(4, end), what)
    if cut.lead <= 1 and cut.trail >= 3 and _goes_on(cut, end - 3):
        is_index = cut.lead == 1 and (are_counted if cut.may_be_counted else not cut.is_spaced(1))
        return _colour_row(cut, end - 3, cut.name(int(is_index), end - 3), what)
    if cut.lead == 1 and end > 1 and (not cut.trail or _goes_on(cut, end)):
        return _value_row(cut, 0, cut.name(1, end), what)
    if cut.trail and _goes_on(cut, end - 1) and (cut.lead == 0 or (cut.lead == 1 and cut.is_spaced(1))):
        return _value_row(cut, end - 1, cut.name(0, end - 1), what)
    raise BadValueError(f"{what} has {short(cut.line)}, {WANTED}")


def _goes_on(cut: _Cut, end: int) -> bool:
    """Whether the numbers at the end of a name are its own: `class 1 255 0 0` has them, `class,1,255,0,0` does not."""
    return all(cut.is_spaced(at) for at in range(len(cut.words) - cut.trail, end))


def _colour_row(cut: _Cut, start: int, name: str, what: str) -> TableRow:
    red, green, blue = (cut.number(at) for at in range(start, start + 3))
    if max(red, green, blue) > HIGHEST:
        raise BadValueError(f"{what} has {short(cut.line)}, wanted three numbers from 0 to {HIGHEST} and a name")
    return TableRow(name, (red, green, blue))


def _value_row(cut: _Cut, at: int, name: str, what: str) -> TableRow:
    if cut.number(at) > HIGHEST or not name:
        raise BadValueError(f"{what} has {short(cut.line)}, wanted a value from 0 to {HIGHEST} and a name")
    return TableRow(name, cut.number(at))


def _counted_names(cut: Sequence[_Cut]) -> bool:
    """Whether numbers in front of all names count the classes; else they belong to the names: `2 wheels 0 0 142`."""
    return all(each.may_be_counted for each in cut) and _increases([each.number(0) for each in cut])


def _is_index_first(cut: Sequence[_Cut], what: str) -> bool:
    """Whether of four numbers the first one counts the classes, and not the last.

    Raises:
        BadValueError: neither does.
    """
    columns = [[each.number(at) for each in cut] for at in (0, 3)]
    for is_count in (_is_count, _increases):
        for column in columns:
            if is_count(column):
                return column is columns[0]
    raise BadValueError(
        f"{what} has four numbers before a name, as in {short(cut[0].line)}, and neither the first nor the last ones "
        "count the classes: give three, the colour, or a first line id,name,r,g,b"
    )


def _is_count(numbers: Sequence[int]) -> bool:
    return not numbers or (numbers[0] in (0, 1) and all(after == before + 1 for before, after in pairwise(numbers)))


def _increases(numbers: Sequence[int]) -> bool:
    return all(before < after for before, after in pairwise(numbers))


@dataclass(frozen=True)
class _Columns:
    """Where name and colour stand in the rows of a file with a heading."""

    delimiter: str
    name: int
    colour: Colour


def _columns(heading: str) -> _Columns | None:
    """Returns the columns of a heading; None where it does not name them all."""
    delimiter = max(_DELIMITERS, key=heading.count)
    words = [word.strip(_AROUND).lower() for word in heading.split(delimiter)]

    def find(known: Sequence[str]) -> int | None:
        return next((words.index(word) for word in known if word in words), None)

    name, (red, green, blue) = find(_NAME_COLUMNS), map(find, _COLOUR_COLUMNS)
    if name is None or red is None or green is None or blue is None:
        return None
    return _Columns(delimiter, name, (red, green, blue))


def _row_of_columns(line: str, columns: _Columns, what: str) -> TableRow:
    fields = [field.strip(_AROUND) for field in next(csv.reader([line], delimiter=columns.delimiter), [])]
    wanted = (columns.name, *columns.colour)
    if len(fields) <= max(wanted) or not all(_is_digits(fields[at]) for at in columns.colour):
        raise BadValueError(f"{what} has {short(line)}, wanted the columns of its first line, with whole numbers")
    red, green, blue = (int(fields[at][:9]) for at in columns.colour)
    if max(red, green, blue) > HIGHEST:
        raise BadValueError(f"{what} has {short(line)}, wanted three numbers from 0 to {HIGHEST} and a name")
    return TableRow(" ".join(fields[columns.name].split()), (red, green, blue))


def _key(given: object, name: object, what: str) -> Colour | int:
    numbers: list = list(given) if isinstance(given, list | tuple) else [given]
    if isinstance(given, str) and (found := _PLAIN_HEX.fullmatch(given.strip())):
        numbers = [int(part, 16) for part in found.groups()]
    elif isinstance(given, str):
        numbers = [int(word[:9]) if _is_digits(word) else word for word in given.replace(",", " ").split()]
    if len(numbers) not in (1, 3) or not all(_is_number(each) and 0 <= each <= HIGHEST for each in numbers):
        raise BadValueError(
            f"{what} gives {short(name)} {short(given)}, wanted [red, green, blue] from 0 to {HIGHEST}, or a value"
        )
    return (numbers[0], numbers[1], numbers[2]) if len(numbers) == 3 else numbers[0]


def _is_number(value: object) -> bool:
    return type(value) is int


def _is_digits(word: str) -> bool:
    return word.isascii() and word.isdigit()


def _decimal(found: re.Match) -> str:
    return " ".join(str(int(part, 16)) for part in found.groups())
