"""Lists of class names in the files of a data set, and the names that stand for no object and for no class."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from utils.forms.source_files import SourceFiles

NAME_LISTS = ("class_names.txt", "classes.txt", "labels.txt", "names.txt", "obj.names")
NAMES_ENDING = ".names"  # of Darknet's, such as coco.names
BACKGROUND_NAMES = ("background", "_background_", "__background__", "bg")
LABELME_NO_CLASS = "__ignore__"  # its -1


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


def background_of(names: Sequence[str]) -> int | None:
    """Returns the index of the class that stands for what is no object; None where there is none."""
    return next((index for index, name in enumerate(names) if name.lower() in BACKGROUND_NAMES), None)
