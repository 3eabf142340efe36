"""The files of a data set, looked up as annotations name them: by paths of another machine, or with another suffix."""

import os
import posixpath
import re
import urllib.parse
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from utils.data_sets.split_words import SPLIT_WORDS
from utils.forms.matching import Found, Meant
from utils.forms.split_folders import lone_split_folder, split_of
from utils.image_search import is_picture_name
from utils.model_utils.errors import MissingPathError
from utils.model_utils.near_paths import near_path

# Folders of labels by their names, e.g. masks, train_labels, trainannot, SegmentationClassPNG, Ground Truth.
_LABEL_FOLDER = re.compile(
    rf"(^|[^a-z]|{'|'.join(word for words in SPLIT_WORDS.values() for word in words)})"
    r"(masks?|labels?|lbls?|annot|annotations?|ann|gt|ground[ _-]?truths?|segmentationclass|segmentations?|seg|targets?"
    r"|labell?edapproved)([ _-]?(png|raw|aug|full|images?|imgs?))?\d*$"
)
LABEL_FOLDERS = "masks, labels, annotations, gt, ground_truth, targets or SegmentationClass"  # of sentences
_OTHER_FOLDER = re.compile(r"visuali[sz]ation|overlay|segmentationobject")  # that exporters put beside them
_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-(?=.)")  # Label Studio puts it before each name
MOST_TIMES = 10  # as many pictures as annotations, or the other way round, that a folder of both has
# How a picture's name may agree with the one in an annotation, the best first.
MATCHES = ("name", "name without escapes", "name without prefix", "name with a prefix", "name without suffix")
_PASSED_OVER = ("__MACOSX", "@eaDir")  # of the programs that packed or keep the files


class SourceFiles:
    """The files beneath a folder; hidden ones are left out, links are followed, each folder once.

    Args:
        root: the folder.

    Raises:
        MissingPathError: there is no such folder, or one in it cannot be read.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            kind = "is a file: unpack it, or give the folder that it lies in" if root.exists() else "does not exist"
            raise MissingPathError(f"source '{root}' {kind}{'' if root.exists() else near_path(root)}")
        self.root = root
        self.names: list[str] = sorted(self._walk())
        self._shared: dict[str, frozenset[str]] = {}
        self.passed_over_split = ("", "")  # a folder named as a split that is none, and one beside it
        self._meant: set[str] = set()  # pictures that annotations mean

    def _walk(self) -> list[str]:
        found, seen = [], {self.root.resolve()}
        for where, folders, files in os.walk(self.root, onerror=_refuse_unreadable, followlinks=True):
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
    def _by_path(self) -> dict[str, list[str]]:
        return _grouped(self.pictures, lambda path: path.as_posix().lower())

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        return _grouped(self.pictures, lambda path: path.stem.lower())

    @cached_property
    def _by_bare_name(self) -> dict[str, list[str]]:
        return _grouped(self.pictures, lambda path: _UPLOAD_PREFIX.sub("", path.name.lower()))

    @cached_property
    def _lone_split(self) -> tuple[str, str]:
        return lone_split_folder([name for name in self.pictures if not is_label_name(name)] or self.names)

    def split_of(self, name: str, *, with_stem: bool = False) -> str:
        """Returns the split that the folders of a path speak of, as `split_of`, where they are splits at all.

        What the file's own name says counts before.
        """
        if with_stem and (own := split_of(PurePosixPath(name).name, with_stem=True)):
            return own
        found = split_of(name)
        if found and self._lone_split[0]:
            self.passed_over_split = self._lone_split
            return ""
        return found

    def path(self, name: str) -> Path:
        """Returns the path of a file."""
        return self.root / name

    def find(self, named: str, near: str, split: str = "") -> Found:
        """Returns the picture that an annotation means.

        Args:
            named: as the annotation names it: with folders, of any system, or an address.
            near: the annotation's own name inside the source, beside which a picture is looked for first.
            split: of the annotation, "" where it says none.
        """
        wanted = PurePosixPath(named.replace("\\", "/").lower())
        exact = self._exact(wanted, near)
        if exact is not None:
            return self._noted(Found(exact, (len(MATCHES),)))
        plain = urllib.parse.unquote(wanted.name)
        bare = _UPLOAD_PREFIX.sub("", wanted.name)
        lists = (
            self._by_name.get(wanted.name),
            self._by_name.get(plain),
            self._by_name.get(bare),
            self._by_bare_name.get(wanted.name),
            self._by_stem.get(wanted.stem) if wanted.suffix else self._by_stem.get(wanted.name),
        )
        meant = Meant(wanted.parts[:-1], near, split, self._shared_folders(near))
        num_alike = 0
        for level, candidates in zip(reversed(range(len(MATCHES))), lists, strict=True):
            found = meant.best_of(candidates or [])
            if found.name is not None:
                return self._noted(Found(found.name, (level, *found.rank)))
            num_alike = num_alike or found.num_alike
        return Found(None, num_alike=num_alike)

    def find_stem(self, stem: str, near: str, split: str = "") -> Found:
        """Returns the picture of that name without suffix; `near` and `split` as `find` has them."""
        named = self._by_stem.get(stem.lower(), [])
        pictures = [name for name in named if not is_label_name(name) and not is_picture_of_label(name)] or named
        beside = [name for name in pictures if PurePosixPath(name).parent == PurePosixPath(near).parent]
        found = Meant((), near, split, self._shared_folders(near)).best_of(beside or pictures)
        return self._noted(Found(found.name, (len(MATCHES) if beside else 0, *found.rank), found.num_alike))

    def _noted(self, found: Found) -> Found:
        if found.name is not None:
            self._meant.add(found.name)
        return found

    def _exact(self, wanted: PurePosixPath, near: str) -> str | None:
        """Returns the picture at a path, in any case of letters, from the annotation's folder or the source on."""
        places = [PurePosixPath(near.lower()).parent / wanted, *([wanted] if len(wanted.parts) > 1 else [])]
        found = (self._by_path.get(posixpath.normpath(place.as_posix()), []) for place in places)
        return next((names[0] for names in found if len(names) == 1), None)

    def _shared_folders(self, near: str) -> frozenset[str]:
        """Returns the names of folders that pictures have, and files of the same kind as an annotation."""
        ending = PurePosixPath(near).suffix.lower()
        if ending not in self._shared:
            of_kind = [name for name in self.ending_in(ending) if not is_picture_name(name)]
            self._shared[ending] = shared_folders(of_kind, self.pictures)
        return self._shared[ending]

    def unused(self) -> list[str]:
        """Returns the pictures that no annotation means, by what `find` has returned; labels of others are none."""
        stems = {PurePosixPath(name).stem.lower() for name in self._meant}
        return [
            name
            for name in self.pictures
            if name not in self._meant
            and not is_picture_of_label(name)
            and not (is_label_name(name) and PurePosixPath(name).stem.lower() in stems)
        ]


def _refuse_unreadable(error: OSError) -> None:
    raise MissingPathError(
        f"folder '{error.filename}' of the source cannot be read ({error.strerror}); check its permissions"
    ) from error


def shared_folders(annotations: Sequence[str], pictures: Sequence[str]) -> frozenset[str]:
    """Returns the names of folders, in small letters, that both have, neither of them a few alone.

    A stray picture among the annotations, and a stray annotation among the pictures, say nothing of the others.
    """
    inside = [
        Counter(part for name in names for part in set(PurePosixPath(name.lower()).parts[:-1]))
        for names in (annotations, pictures)
    ]
    return frozenset(
        part
        for part in inside[0].keys() & inside[1].keys()
        if MOST_TIMES * min(inside[0][part], inside[1][part]) >= max(inside[0][part], inside[1][part])
    )


def is_label_name(name: str) -> bool:
    """Whether a path inside the source is one of a label by the names of its folders."""
    folders = PurePosixPath(name.lower()).parts[:-1]
    return any(_LABEL_FOLDER.search(folder) for folder in folders) and not is_picture_of_label(name)


def is_picture_of_label(name: str) -> bool:
    """Whether a path is one of a picture that shows a label, or of labels of objects, beside those of classes."""
    return any(_OTHER_FOLDER.search(folder) for folder in PurePosixPath(name.lower()).parts[:-1])


def _grouped(names: Sequence[str], key: Callable[[PurePosixPath], str]) -> dict[str, list[str]]:
    groups = defaultdict(list)
    for name in names:
        groups[key(PurePosixPath(name))].append(name)
    return dict(groups)
