"""Pascal VOC's lists of splits: text files with the name of a picture on each line, mostly without suffix."""

from collections.abc import Collection
from pathlib import PurePosixPath

from utils.data_sets.listed_names import known_name
from utils.data_sets.split_words import TRAINVAL
from utils.forms.readers.texts import read_lines
from utils.forms.source_files import SourceFiles
from utils.forms.splits import first_splits
from utils.forms.tally import Tally


def listed_splits(files: SourceFiles, folder: str, known: Collection[str], tally: Tally) -> dict[str, str]:
    """Returns the split of each name that a list has; {} where there are no lists.

    Args:
        files: of the source.
        folder: of the lists, such as ImageSets/Main, anywhere in it.
        known: the names of the pictures, without suffix.
        tally: counts names that two lists have; the one that is not trained on counts.
    """
    lists = {PurePosixPath(name).stem.lower(): name for name in files.ending_in(".txt") if f"/{folder}/" in f"/{name}"}

    def names_of(listed: str) -> list[str]:
        lines = read_lines(files.path(lists[listed])) if listed in lists else []
        return [known_name(line, known) or line for line in lines]

    splits = first_splits([(split, names_of(split)) for split in ("test", "val", "train")], tally)
    return {**dict.fromkeys(names_of(TRAINVAL), "train"), **splits}
