"""The files of a data set, looked up as annotations name them: by paths of another machine, or with another suffix."""

import os
import re
import urllib.parse
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from utils.data_sets.split_words import SPLIT_WORDS, TRAINVAL
from utils.image_search import is_picture_name
from utils.model_utils.errors import MissingPathError
from utils.model_utils.near_paths import near_path

# Folders of labels by their names, e.g. masks, train_labels, trainannot, SegmentationClassPNG.
_LABEL_FOLDER = re.compile(
    rf"(^|[^a-z]|{'|'.join(word for words in SPLIT_WORDS.values() for word in words)})"
    r"(masks?|labels?|lbls?|annot|annotations?|ann|gt|groundtruth|ground_truth|segmentationclass|segmentations?|seg|targets?)"
    r"(png|raw|\d*)$"
)
_OTHER_FOLDER = re.compile(r"visuali[sz]ation|overlay|segmentationobject")  # that exporters put beside them
_WORDS = re.compile(r"[a-z]+")
_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-(?=.)")  # Label Studio puts it before each name
_PASSED_OVER = ("__MACOSX", "@eaDir")  # of the programs that packed or keep the files


class SourceFiles:
    """The files beneath a folder; hidden ones are left out, links are followed, each folder once.

    Args:
        root: the folder.

    Raises:
        MissingPathError: there is no such folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            kind = "is a file: unpack it, or give the folder that it lies in" if root.exists() else "does not exist"
            raise MissingPathError(f"source '{root}' {kind}{'' if root.exists() else near_path(root)}")
        self.root = root
        self.names: list[str] = sorted(self._walk())

    def _walk(self) -> list[str]:
        found, seen = [], {self.root.resolve()}
        for where, folders, files in os.walk(self.root, followlinks=True):
            kept = []
            for name in sorted(folders):
                place = Path(where, name).resolve()
                if not name.startswith(".") and name not in _PASSED_OVER and place not in seen:
                    seen.add(place)
                    kept.append(name)
            folders[:] = kept
            inner = Path(where).relative_to(self.root)
            found += [(inner / name).as_posix() for name in files if not name.startswith(".")]
        return found

    def ending_in(self, *endings: str) -> list[str]:
        """Returns the files whose names have one of these endings, in any case."""
        return [name for name in self.names if name.lower().endswith(endings)]

    @cached_property
    def pictures(self) -> list[str]:
        """The files that are pictures by their names."""
        return [name for name in self.names if is_picture_name(PurePosixPath(name).name)]

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        return _grouped(self.pictures, lambda path: path.name.lower())

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        return _grouped(self.pictures, lambda path: path.stem.lower())

    @cached_property
    def _by_bare_name(self) -> dict[str, list[str]]:
        return _grouped(self.pictures, lambda path: _UPLOAD_PREFIX.sub("", path.name.lower()))

    def path(self, name: str) -> Path:
        """Returns the path of a file."""
        return self.root / name

    def find(self, named: str, near: str, split: str = "") -> str | None:
        """Returns the picture that an annotation means, None where none is like it or several are alike.

        Args:
            named: as the annotation names it: with folders, of any system, or an address.
            near: the annotation's own name inside the source, beside which a picture is looked for first.
            split: of the annotation, "" where it says none.
        """
        wanted = PurePosixPath(named.replace("\\", "/").lower())
        plain = urllib.parse.unquote(wanted.name)
        bare = _UPLOAD_PREFIX.sub("", wanted.name)
        lists = (
            self._by_name.get(wanted.name),
            self._by_name.get(plain),
            self._by_name.get(bare),
            self._by_bare_name.get(wanted.name),
            self._by_stem.get(wanted.stem) if wanted.suffix else self._by_stem.get(wanted.name),
        )
        return nearest(next((each for each in lists if each), []), wanted.parts[:-1], near, split)

    def find_stem(self, stem: str, near: str, split: str = "") -> str | None:
        """Returns the picture of that name without suffix, None where none has it or several are alike."""
        found = self._by_stem.get(stem.lower(), [])
        pictures = [name for name in found if not is_label_name(name) and not is_picture_of_label(name)]
        return nearest(pictures or found, (), near, split)


def nearest(candidates: Sequence[str], wanted: Sequence[str], near: str, split: str) -> str | None:
    """Returns the file whose folders agree best with wanted ones, then the nearest one; None where two are alike.

    Args:
        candidates: paths inside the source.
        wanted: folders of the wanted path, in small letters.
        near: path inside the source.
        split: the split that it is of.
    """
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    beside = PurePosixPath(near.lower()).parts[:-1]

    def rank(name: str) -> tuple[int, bool, int]:
        parts = PurePosixPath(name.lower()).parts[:-1]
        return _num_equal(parts[::-1], wanted[::-1]), split_of(name) == split, _num_equal(parts, beside)

    ranked = sorted(candidates, key=rank, reverse=True)
    return ranked[0] if rank(ranked[0]) > rank(ranked[1]) else None


def is_label_name(name: str) -> bool:
    """Whether a path inside the source is one of a label by the names of its folders."""
    folders = PurePosixPath(name.lower()).parts[:-1]
    return any(_LABEL_FOLDER.search(folder) for folder in folders) and not is_picture_of_label(name)


def is_picture_of_label(name: str) -> bool:
    """Whether a path is one of a picture that shows a label, or of labels of objects, beside those of classes."""
    return any(_OTHER_FOLDER.search(folder) for folder in PurePosixPath(name.lower()).parts[:-1])


def split_of(name: str, *, with_stem: bool = False) -> str:
    """Returns which split a path inside the source speaks of: "train", "val", "test", or "" for none.

    The nearest folder counts: of "val/images/train/a.jpg" it is the last one.

    Args:
        name: the path, with forward slashes.
        with_stem: the file's own name counts too, as that of instances_train2017.json; a picture may be "test_1.jpg".
    """
    path = PurePosixPath(name.lower())
    parts = (*path.parts[:-1], path.stem) if with_stem else path.parts[:-1]
    for part in reversed(parts):
        words = _WORDS.findall(part)
        found = {split for split, known in SPLIT_WORDS.items() if any(word in known for word in words)}
        found |= {"train"} if TRAINVAL in words else set()
        if len(found) == 1:
            return found.pop()
    return ""


def _num_equal(one: Sequence[str], other: Sequence[str]) -> int:
    """Returns how many parts two paths have in common from their beginning."""
    count = 0
    for first, second in zip(one, other, strict=False):
        if first != second:
            break
        count += 1
    return count


def _grouped(names: Sequence[str], key: Callable[[PurePosixPath], str]) -> dict[str, list[str]]:
    groups = defaultdict(list)
    for name in names:
        groups[key(PurePosixPath(name))].append(name)
    return dict(groups)
