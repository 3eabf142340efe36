"""The name of a data set's image that a line of a list means."""

from collections.abc import Collection
from pathlib import PurePosixPath

MOST_FOLDERS = 20  # of a path in a list


def known_name(line: str, known: Collection[str]) -> str | None:
    """Returns the known name that a line of a list means; None where it means none.

    The whole line counts before its first word, behind which Pascal VOC writes a number and SegNet a second path.
    Either may be a path that ends with the name, of any system, and have an ending such as .jpg.

    Args:
        line: without spaces around it, not empty.
        known: names without endings; with folders, where the images have some.
    """
    for text in (line, line.split()[0]):
        parts = PurePosixPath(text.replace("\\", "/")).parts[-MOST_FOLDERS:]
        for start in range(len(parts)):
            inner = PurePosixPath(*parts[start:])
            for name in (str(inner), str(inner.parent / inner.stem)):
                if name in known:
                    return name
    return None
