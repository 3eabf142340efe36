"""Which of the pictures of one name an annotation means, and how well it fits."""

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from utils.forms.split_folders import split_of

# Names of folders of pictures: of copies in other folders those here count.
_PICTURE_FOLDERS = ("images", "jpegimages", "image", "imgs", "img", "pictures", "photos")


@dataclass(frozen=True)
class Found:
    """The picture that an annotation means.

    Attributes:
        name: inside the source; None where there is none, or where several fit equally well.
        rank: how well it fits: of two annotations that mean one picture the higher one has it.
        num_alike: how many fit equally well, where none could be chosen.
    """

    name: str | None
    rank: tuple[int, ...] = ()
    num_alike: int = 0

    def why_not(self, without: str = "without a picture") -> str:
        """Returns why there is no name, as the end of a sentence."""
        return "that may be of several pictures: they have the same name" if self.num_alike else without


@dataclass(frozen=True)
class Meant:
    """What is known of the picture beside its name.

    Attributes:
        folders: of the path by which it is named, in small letters.
        near: the annotation's own path inside the source.
        split: of the annotation; "" where it says none.
        shared: names of folders that both annotations and pictures have, in small letters: those of one of them belong
            together, as Annotations/cam1 and JPEGImages/cam1.
    """

    folders: Sequence[str]
    near: str
    split: str = ""
    shared: Collection[str] = ()

    def best_of(self, candidates: Sequence[str]) -> Found:
        """Returns the picture that fits best; none whose folders speak against it, and none where two are alike.

        Args:
            candidates: paths inside the source, of one name.
        """
        if not candidates:
            return Found(None)
        beside = _folders(self.near)
        own = {*self.folders, *beside}.intersection(self.shared)
        splits = {self.split, split_of(self.near), split_of("/".join((*self.folders, "_")))} - {""}
        ranked = []
        for name in candidates:
            folders, split = _folders(name), split_of(name)
            other = set(folders).intersection(self.shared)
            is_of_another_split = split and splits and split not in splits
            is_of_another_folder = own - other and other - own  # which has annotations of its own
            if not is_of_another_split and not is_of_another_folder:
                ranked.append((self._rank(folders, beside, split, len(other - own)), name))
        best = max((rank for rank, _ in ranked), default=())
        alike = [name for rank, name in ranked if rank == best]
        return Found(alike[0], best) if len(alike) == 1 else Found(None, num_alike=len(alike))

    def _rank(self, folders: Sequence[str], beside: Sequence[str], split: str, num_strange: int) -> tuple[int, ...]:
        """Returns how well a picture's folders fit.

        Args:
            folders: of the picture.
            beside: of the annotation.
            split: of the picture.
            num_strange: how many of the shared folders the picture has alone.
        """
        return (
            _num_equal(folders[::-1], self.folders[::-1]),
            int(split == (self.split or split_of(self.near))),
            _num_equal(folders[::-1], beside[::-1]),
            -num_strange,
            _num_equal(folders, beside),
            int(any(part in _PICTURE_FOLDERS for part in folders)),
        )


@functools.lru_cache(maxsize=4096)  # a folder's files come one after another
def _parts(folder: str) -> tuple[str, ...]:
    return PurePosixPath(folder).parts


def _folders(name: str) -> tuple[str, ...]:
    """Returns the folders of a path, in small letters."""
    return _parts(name.lower().rpartition("/")[0])


def _num_equal(one: Sequence[str], other: Sequence[str]) -> int:
    """Returns how many parts two paths have in common from their beginning."""
    count = 0
    for first, second in zip(one, other, strict=False):
        if first != second:
            break
        count += 1
    return count
