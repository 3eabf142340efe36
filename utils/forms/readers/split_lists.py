"""Pascal VOC's lists of splits: text files with the name of a picture, without suffix, on each line."""

from pathlib import PurePosixPath

from utils.forms.readers.texts import read_lines
from utils.forms.source_files import SourceFiles

LISTS = (("trainval", "train"), ("train", "train"), ("val", "val"), ("test", "test"))  # the later ones count


def listed_splits(files: SourceFiles, folder: str) -> dict[str, str]:
    """Returns the split of each name that a list has; {} where there are no lists.

    Args:
        files: of the source.
        folder: of the lists, such as ImageSets/Main, anywhere in it.
    """
    lists = {PurePosixPath(name).stem.lower(): name for name in files.ending_in(".txt") if f"/{folder}/" in f"/{name}"}
    splits: dict[str, str] = {}
    for listed, split in LISTS:
        if listed in lists:
            splits.update({line.split()[0]: split for line in read_lines(files.path(lists[listed]))})
    return splits
