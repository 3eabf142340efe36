"""The forms in which class_names may be given: a list of names, or a file with a name on each line; without NumPy."""

from utils.model_utils.config.base import FormRule
from utils.model_utils.errors import BadValueError, short
from utils.words import counted

from .key_files import read_key_file

FEWEST, MOST = 2, 255  # a label is a byte, and 255 is no class


def class_name_texts(value: object, folder: str) -> list[str]:
    """Returns the names of the classes in their order.

    Args:
        value: a list, names with commas between them, or the path of a file.
        folder: where a relative path begins.

    Raises:
        BadValueError: it is none of these, or not 2 to 255 names, or one stands twice.
        MissingPathError: the file cannot be read.
    """
    where = "class_names"
    if isinstance(value, str) and "," not in value:
        path, text = read_key_file(
            where, value, folder, ": give the names with commas between them, or a text file with a name on each line"
        )
        value, where = [line.strip() for line in text.splitlines() if line.strip()], f"class_names '{path}'"
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",")]
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) and name for name in value):
        raise BadValueError(f"class_names is {short(value)}, wanted {CLASS_NAMES_FORM.wanted}")
    if not FEWEST <= len(value) <= MOST:
        raise BadValueError(f"{where} has {counted(len(value), 'name')}, wanted {FEWEST} to {MOST} classes")
    repeated = sorted({name for name in value if value.count(name) > 1})
    if repeated:
        raise BadValueError(f"{where} has {short(repeated)} more than once: give each class a name of its own")
    return list(value)


CLASS_NAMES_FORM = FormRule(
    "a list of texts, or the path of a text file with a name on each line", class_name_texts, ("array", "string")
)
