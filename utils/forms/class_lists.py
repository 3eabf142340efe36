"""Lists of class names in the files of a data set, and the names that stand for no object and for no class."""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from utils.forms.source_files import SourceFiles
from utils.forms.tally import Tally

NAME_LISTS = ("class_names.txt", "classes.txt", "labels.txt", "names.txt", "obj.names")
NAMES_ENDING = ".names"  # of Darknet's, such as coco.names
BACKGROUND_NAMES = ("background", "_background_", "__background__", "bg")
LABELME_NO_CLASS = "__ignore__"  # its -1
UNNAMED = "unnamed"
RENAMED = "with the name of another one: a number behind it tells them apart"


def find_name_list(files: SourceFiles, own: str) -> str | None:
    """Returns the text file that lists class names, the outermost one; None where there is none.

    Args:
        files: of the source.
        own: name that the form's programs give it. It counts before others beside it, which other programs wrote: with
            LabelMe's files and its labels.txt may lie a classes.txt of a conversion to YOLO, in another order.
    """

    def rank(name: str) -> tuple[int, bool, int, str]:
        path = PurePosixPath(name.lower())
        place = NAME_LISTS.index(path.name) if path.name in NAME_LISTS else len(NAME_LISTS)
        return len(path.parts), path.name != own, place, name

    names = [(name, PurePosixPath(name.lower()).name) for name in files.names]
    return min((name for name, of in names if of in NAME_LISTS or of.endswith(NAMES_ENDING)), key=rank, default=None)


def told_apart(names: Sequence[str], tally: Tally) -> tuple[str, ...]:
    """Returns a name for each class that no other has, on one line and without spaces around it.

    The first class of a name keeps it; behind that of a later one stands its number, from 0.

    Args:
        names: of the classes, in the order of their numbers.
        tally: counts those that get another name.
    """
    plain = [" ".join(name.split()) for name in names]
    taken = {*plain}
    apart: list[str] = []
    for number, name in enumerate(plain):
        given = name or UNNAMED
        if not name:
            tally.change("class", f"without a name: called {UNNAMED!r}", f"number {number}")
        if given in apart:
            while given in taken:
                given += f" ({number})"
            tally.change("class", RENAMED, given)
        taken.add(given)
        apart.append(given)
    return tuple(apart)


def in_order(names: Iterable[str]) -> list[str]:
    """Returns different names in alphabetical order; one without letters is the last."""
    return sorted(set(names), key=lambda name: (not name.strip(), name))


def background_of(names: Sequence[str]) -> int | None:
    """Returns the index of the class that stands for what is no object; None where there is none."""
    return next((index for index, name in enumerate(names) if name.lower() in BACKGROUND_NAMES), None)
