"""The text files that a key of the labels may name in place of its value; without NumPy."""

import os
from pathlib import Path

from utils.model_utils.errors import BadValueError, MissingPathError, os_errors_as
from utils.model_utils.near_paths import near_path

MAX_FILE_BYTES = 1 << 20  # the largest known table, of 3,000 classes, has 100 kB


def read_key_file(key: str, name: str, folder: str, otherwise: str) -> tuple[Path, str]:
    """Reads a file.

    Args:
        key: that names it.
        name: of the file, as the user has it.
        folder: where a relative path begins.
        otherwise: what to give if there is no such file; ends the sentence.

    Returns:
        Its path and its text, without a byte order mark.

    Raises:
        MissingPathError: it cannot be read.
        BadValueError: it is no UTF-8 text, or too large.
    """
    path = Path(folder, os.path.expanduser(name))
    if not path.is_file():
        raise MissingPathError(f"{key} '{path}' is no file{near_path(path)}{otherwise}")
    refusal = os_errors_as(MissingPathError, f"{key} '{path}' cannot be read", ": change its permissions")
    with refusal, path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise BadValueError(f"{key} '{path}' has more than {MAX_FILE_BYTES} bytes: name a file of classes")
    try:
        return path, content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadValueError(f"{key} '{path}' is no UTF-8 text (byte {error.start}): name another file") from error
