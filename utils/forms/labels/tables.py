"""Tables of the classes of label pictures: a name with a value or a colour on each line."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from utils.data_sets.colour_tables import parse_table, refuse_two_names, rows_of_mapping
from utils.data_sets.known_palettes import NO_CLASS_WORDS
from utils.forms.class_lists import LABELME_NO_CLASS, find_name_list
from utils.forms.readers.texts import read_json_object, read_lines
from utils.forms.source_files import SourceFiles
from utils.model_utils.errors import BadValueError
from utils.model_utils.guards.json_text import Json, JsonTextError

# In the order in which they are looked for.
COLOUR_TABLES = ("labelmap.txt", "class_dict.csv", "label_colors.txt", "colors.txt", "colours.txt", "_classes.csv")
OWN_LIST = "class_names.txt"  # of labelme2voc, and of what data convert writes
ADE_TABLE = "objectinfo150.txt"
NO_CLASS_NAMES = (*NO_CLASS_WORDS, LABELME_NO_CLASS)  # what stands for no class by its name


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
    """Reads a table: lines such as `car 0 0 142` or `7 car`, see `parse_table`, or JSON, whatever its ending.

    Args:
        path: of the file.
        source: what sentences call it.

    Raises:
        BadValueError: no line names a class, one cannot be read, some have colours and others values, or a colour or a
            value has two names.
    """
    what = f"table '{path}'"
    lines = read_lines(path)
    is_json = path.suffix.lower() == ".json" or (bool(lines) and lines[0].startswith("{"))
    rows = rows_of_mapping(_json(path), what) if is_json else parse_table(lines, what)
    names = tuple(row.name for row in rows)
    colours = tuple(row.key for row in rows if isinstance(row.key, tuple))
    values = tuple(row.key for row in rows if isinstance(row.key, int))
    if not rows or (colours and values) or not all(names):
        found = "no such line" if not rows else "lines with colours and lines with values"
        found = found if all(names) else "a colour without a name"
        raise BadValueError(
            f"{what} has {found}; wanted on each line a name and its colour, as in 'car 0 0 142', or its value, as in "
            "'car 7'"
        )
    refuse_two_names(rows, what)
    return ClassTable(names, values, colours, source)


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
    found = find_name_list(files, OWN_LIST)
    if found is None:
        return (), ""
    names = [name for name in read_lines(files.path(found)) if name != LABELME_NO_CLASS]
    return tuple(names), found


def _json(path: Path) -> dict[str, Json]:
    try:
        return read_json_object(path)
    except JsonTextError as error:
        raise BadValueError(f"table '{path}' cannot be read: {error}; repair the file") from error
