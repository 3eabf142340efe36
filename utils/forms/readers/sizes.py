"""The size that boxes and labels of a picture are for: the annotation's, where the picture's file agrees."""

from pathlib import Path

from utils.forms.tally import Tally
from utils.images import read_header, read_size
from utils.model_utils.errors import UserError


def agreed_size(path: Path, name: str, declared: tuple[int, int] | None, tally: Tally) -> tuple[int, int] | None:
    """Returns the (height, width) of a picture that its annotation is for; None where it is left out, and counted.

    A camera's picture may be stored turned: an annotation is for the picture as it is stored or as it is shown, and its
    own size says which. Where it says none it is for the picture as it is shown.

    Args:
        path: of the picture.
        name: what the counts call it.
        declared: (height, width) that the annotation says, None where it says none.
        tally: counts pictures that cannot be read, or were annotated at another size.
    """
    shown = read_size(path)
    if shown is None:
        tally.drop("picture", "that cannot be read", name)
        return None
    if declared is None or declared == shown:
        return shown
    if declared == shown[::-1] and _is_turned(path):
        return declared
    tally.drop(
        "picture",
        "annotated at another size than the file has",
        f"{name}: {declared[1]} x {declared[0]}, file {shown[1]} x {shown[0]}",
    )
    return None


def _is_turned(path: Path) -> bool:
    try:
        return read_header(path.read_bytes(), str(path)).is_rotated
    except (OSError, UserError):
        return False
