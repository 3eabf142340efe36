"""Pascal VOC's lists of splits: text files with the name of a picture on each line, mostly without suffix."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from utils.data_sets.listed_names import known_name
from utils.data_sets.split_words import TRAINVAL
from utils.forms.options import Options
from utils.forms.readers.texts import read_lines
from utils.forms.source_files import SourceFiles
from utils.forms.splits import first_splits
from utils.forms.tally import Tally


def listed_splits(
    files: SourceFiles, folder: str, names: Sequence[str], options: Options, tally: Tally
) -> dict[str, str]:
    """Returns the split of each annotation or picture that a list has; {} where no lists are there or count.

    There may be several folders of lists, such as those of VOC2007 and VOC2012: each one's lists are for what lies
    beside it, or for all where nothing of the kind does.

    Args:
        files: of the source.
        folder: of the lists, such as ImageSets/Main, anywhere in it.
        names: paths of the annotations or pictures, which are listed by their names without suffix.
        options: whether the splits of the source count.
        tally: counts names that two lists have, of which the one that is not trained on counts, and names of no file.
    """
    if options.splits == "none":
        return {}
    lists: dict[str, list[str]] = defaultdict(list)
    for name in files.ending_in(".txt"):
        if f"/{folder}/" in f"/{name}":
            lists[PurePosixPath(name).stem.lower()].append(name)
    others = [name for name in files.names if not name.lower().endswith(".txt")]
    by_place = {"": (_by_stem(names), _by_stem(others))}
    missing: set[tuple[str, str]] = set()

    def names_of(listed: str) -> list[str]:
        found = []
        for name in lists.get(listed, []):
            place = f"/{name}".split(f"/{folder}/")[0][1:]
            if place not in by_place:
                inside, there = (
                    _by_stem(each for each in of if each.startswith(f"{place}/")) for of in (names, others)
                )
                by_place[place] = (inside, there) if inside else by_place[""]
            known, there = by_place[place]
            for line in read_lines(files.path(name)):
                listed_name = known_name(line, known)
                found += known.get(listed_name or line, [line])
                if not listed_name and (place, line) not in missing and not known_name(line, there):
                    missing.add((place, line))
                    tally.drop("picture", "missing", f"{name}: {line}")
        return found

    splits = first_splits([(split, names_of(split)) for split in ("test", "val", "train")], tally)
    return {**dict.fromkeys(names_of(TRAINVAL), "train"), **splits}


def _by_stem(names: Iterable[str]) -> dict[str, list[str]]:
    by_stem: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_stem[PurePosixPath(name).stem].append(name)
    return dict(by_stem)
