"""Small files of a data set, read with a sentence for whatever is wrong with them."""

from pathlib import Path

from utils.forms.source_files import SourceFiles
from utils.forms.tally import Tally
from utils.model_utils.config.yaml_files import parse_value
from utils.model_utils.errors import BadValueError, MissingPathError, first_line, short
from utils.model_utils.guards.json_text import Json, JsonTextError, parse_json

MOST_BYTES = 4 * 10**6  # of a list of names or a table
ENCODINGS = ("utf-8-sig", "gb18030", "latin-1")  # in the order in which they are tried; the last reads anything


def read_text(path: Path) -> str:
    """Returns the text of a file; letters of other encodings than UTF-8 are guessed.

    Raises:
        MissingPathError: it cannot be read.
        BadValueError: it is too large for what it is.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadValueError(f"'{path}' has more than {MOST_BYTES / 1e6:.0f} MB, too many for such a file")
        data = path.read_bytes()
    except OSError as error:
        raise MissingPathError(f"'{path}' cannot be read ({error.strerror}); check the path") from error
    for encoding in ENCODINGS:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return ""


def read_lines(path: Path) -> list[str]:
    """Returns the lines of a file that hold something, without spaces around them."""
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]


def read_yaml(path: Path) -> dict[str, Json]:
    """Returns the values of a YAML file.

    Raises:
        BadValueError: it is no YAML, or has no keys.
    """
    try:
        value = parse_value(read_text(path))
    except ValueError as error:
        if isinstance(error, BadValueError):
            raise
        mark = getattr(error.__cause__, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise BadValueError(f"'{path}'{line} is no YAML ({first_line(error)}); repair the file") from error
    if not isinstance(value, dict):
        raise BadValueError(f"'{path}' holds {short(value)}, wanted keys with values; repair the file")
    return value


def readable_json(files: SourceFiles, name: str, tally: Tally) -> dict[str, Json] | None:
    """Returns the object of a JSON file of the source; None where it cannot be read, which is counted."""
    try:
        return read_json_object(files.path(name))
    except JsonTextError as error:
        tally.drop("JSON file", "that cannot be read", f"{name}: {error}")
        return None


def read_json_object(path: Path) -> dict[str, Json]:
    """Returns the object of a JSON file.

    Raises:
        JsonTextError: it cannot be read, or is no JSON object.
    """
    try:
        value = parse_json(path.read_bytes())
    except OSError as error:
        raise JsonTextError(f"it cannot be read ({error.strerror})") from error
    if not isinstance(value, dict):
        raise JsonTextError(f"it holds {short(value)}")
    return value
