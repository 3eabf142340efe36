"""Where labels lie and what they can be made of, so that an advice is true for the folder it is given for.

A label is only called one to delete where the annotation that it is made of is there: nobody's own work is.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from ..config import SUITE_DIR

CONVERTER = "tools/convert_dataset.py"
LABEL_ENDING = "_gtFine_labelTrainIds.png"
POLYGONS_ENDING = "_gtFine_polygons.json"
IDS_ENDING = "_gtFine_labelIds.png"
FOLDER = "gtFine"


def source_of(label: Path) -> Path | None:
    """Returns the annotation of which the converter makes a label; None where there is none."""
    if conversion_root(label) is None or not label.name.endswith(LABEL_ENDING):
        return None
    names = (label.name.removesuffix(LABEL_ENDING) + ending for ending in (IDS_ENDING, POLYGONS_ENDING))
    return next((path for name in names if (path := label.with_name(name)).is_file()), None)


def conversion_root(label: Path) -> Path | None:
    """Returns the folder that the converter takes, in whose gtFine the label is; None where it is in none."""
    return next((parent.parent for parent in label.parents if parent.name == FOLDER), None)


def conversion_command(root: Path) -> str:
    """Returns the command that makes the labels of a data set, as one types it in any folder."""
    return f"python {shlex.quote(str(SUITE_DIR))}/{CONVERTER} {shlex.quote(str(root))}"


def how_to_replace(label: Path) -> str:
    """Returns what to do about a label that is damaged."""
    root = conversion_root(label)
    if source_of(label) is None or root is None:
        return "get the file anew, or make it again from your annotation"
    return f"delete it and make it again with: {conversion_command(root)}"


def how_to_rewrite(label: Path, colour: str) -> str:
    """Returns what to do about a label that is a whole picture of another kind, e.g. "RGB"."""
    advice = (
        "save it with 8 bits"
        if colour == "grey"
        else "say with palette what its colours stand for, or save the number of each pixel's class, in place of its "
        "colour, as a grey file"
    )
    root = conversion_root(label)
    if source_of(label) is None or root is None:
        return advice
    return f"{advice}, or move it away and make it again with: {conversion_command(root)}"


def how_to_make_train_ids(label: Path) -> str:
    """Returns what to do about a label that holds the ids of a labelIds file; the converter leaves it as it is."""
    root = conversion_root(label)
    if root is None:
        return f"give the files of train ids, which {CONVERTER} makes"
    if source_of(label) is not None:
        return f"delete it and make train ids with: {conversion_command(root)}"
    name = label.name.removesuffix(LABEL_ENDING) + IDS_ENDING
    return f"rename it to {name} and make train ids of it with: {conversion_command(root)}"


def how_to_get(root: Path, labels: Sequence[Path]) -> str:
    """Returns what to do about labels that are missing in a data set."""
    count = sum(source_of(label) is not None for label in labels)
    own = "put a grey PNG file of its class numbers there for each"
    if count == 0:
        return own
    rest = "" if count == len(labels) else f" ({count} of them have an annotation), and {own} of the others"
    return f"make the labels with: {conversion_command(root)}{rest}"
