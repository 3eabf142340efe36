"""What a user can say about a data set that its files do not."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from utils.model_utils.errors import BadValueError

# The forms whose readers look at an option; all look at the others.
READ_BY = {
    "first_pixel": ("voc",),
    "difficult": ("voc",),
    "colors": ("labels",),
    "no_class": ("labels",),
    "classes": ("labels",),
}


@dataclass(frozen=True)
class Options:
    """How a form is read.

    Attributes:
        first_pixel: number of the first pixel in VOC's corners, 0 or 1; None: found out.
        difficult: what becomes of VOC's difficult objects.
        colors: file with the names and the colours or values of label pictures' classes; None: looked for.
        no_class: values of label pictures that stand for no class; None: as the form has it.
        classes: names of the classes of label pictures, in the order of their values; empty: looked for.
        splits: whether the splits of the source count.
    """

    first_pixel: int | None = None
    difficult: Literal["ignore", "keep", "drop"] = "ignore"
    colors: Path | None = None
    no_class: tuple[int, ...] | None = None
    classes: tuple[str, ...] = ()
    splits: Literal["source", "none"] = "source"


def refuse_unread(options: Options, form: str) -> None:
    """Refuses an option that the reader of a form would pass over.

    Args:
        options: of the user.
        form: that the source has.

    Raises:
        BadValueError: there is one.
    """
    for name, forms in READ_BY.items():
        if form not in forms and getattr(options, name) != getattr(Options(), name):
            raise BadValueError(
                f"--{name} is for --form {' and '.join(forms)}, and the source is read as --form {form}: leave it out, "
                "or say another form with --form"
            )
