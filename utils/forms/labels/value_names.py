"""Names of the values of label pictures: where they come from, and which value each is for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from utils.data_sets.known_palettes import CAMVID_NAMES, VOC_NAMES
from utils.forms.labels.tables import ADE_TABLE, find_names
from utils.forms.options import Options
from utils.forms.source_files import SourceFiles
from utils.model_utils.errors import BadValueError
from utils.words import agreed, counted

ADE_CLASSES = 150


@dataclass(frozen=True)
class Names:
    """Names of classes.

    Attributes:
        names: in the order of their values.
        source: of the names.
        first: value of the first one; None where it may be the first value, or the first that is a class.
    """

    names: tuple[str, ...]
    source: str
    first: int | None = None


MASK_NAMES = Names(("background", "foreground"), "black and white masks")


def numbered(kept: Sequence[int]) -> Names:
    """Returns a name for each of the values that stand for classes, where none is known."""
    return Names(tuple(f"class_{number}" for number in range(len(kept))), "")


def find_value_names(
    files: SourceFiles, options: Options, layout: str, kept: Sequence[int], no_class: Collection[int]
) -> Names | None:
    """Returns the names that are given, lie in the source or are known of its layout; None where there are none.

    Args:
        files: of the source.
        options: of the user.
        layout: see `find_rule`.
        kept: values that stand for classes, sorted.
        no_class: values that stand for none.
    """
    names, source = (options.classes, "--classes") if options.classes else find_names(files)
    if names and layout == "ade20k" and (0 in no_class or source.lower().endswith(ADE_TABLE)):
        return Names(names, source, int(len(names) <= ADE_CLASSES))  # a longer list names 0 too
    if names:
        return Names(names, source)
    known = {"camvid": (CAMVID_NAMES, "CamVid's 11"), "voc": (VOC_NAMES, "Pascal VOC's 21")}
    if layout not in known or not kept or kept[-1] >= len(known[layout][0]):
        return None
    return Names(*known[layout], first=0)


def name_values(given: Names, values: Sequence[int], kept: Sequence[int], possible: Sequence[int]) -> dict[int, str]:
    """Returns the name of each value that stands for a class, in the order of the classes.

    A name belongs to its value where there are as many names as values, those of no class included, which behind the
    last class may lack one; to its class where there are as many names as classes. Where no value before the last class
    is left out both are the same, and a list may name more classes than occur.

    Args:
        given: the names.
        values: of the labels, sorted; of class numbers all up to the last one.
        kept: those of them that stand for classes.
        possible: all values that may stand for classes, sorted.

    Raises:
        BadValueError: there are other numbers of names.
    """
    num_names, num_until_last = len(given.names), values.index(kept[-1]) + 1 if kept else 0
    if given.first is not None:
        of: Sequence[int] = range(given.first, 256)
    elif num_names in (len(values), num_until_last):
        of = values
    else:
        of = possible if len(kept) == num_until_last else kept
    named = {value: name for value, name in zip(of, given.names, strict=False) if value in possible}
    if num_names > len(of) or not named.keys() >= set(kept):
        verb = agreed(len(kept), "is a class", "are classes")
        raise BadValueError(
            f"{given.source} names {counted(num_names, 'class')}, and the labels have {counted(len(values), 'value')} "
            f"up to {max(values, default=0)}, of which {len(kept)} {verb}: name each value or each class with "
            "--classes, in their order"
        )
    return named
