"""Which of the pictures of one name an annotation means, and how well it fits."""

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
        ranked = sorted(((self._rank(name), name) for name in candidates if not self._is_another(name)), reverse=True)
        if not ranked:
            return Found(None)
        first = ranked[0][0]
        num_alike = sum(rank == first for rank, _ in ranked)
        return Found(ranked[0][1], first) if num_alike == 1 else Found(None, num_alike=num_alike)

    def _is_another(self, name: str) -> bool:
        """Whether a picture is of another split, or of another folder that has annotations of its own."""
        split = split_of(name)
        said = {self.split, split_of(self.near), split_of("/".join((*self.folders, "_")))} - {""}
        own, other = self._words(name)
        return bool((split and said and split not in said) or (own - other and other - own))

    def _words(self, name: str) -> tuple[set[str], set[str]]:
        """Returns the shared names of folders that the annotation has, and those of a picture."""
        own = {*self.folders, *_folders(self.near)}.intersection(self.shared)
        return own, set(_folders(name)).intersection(self.shared)

    def _rank(self, name: str) -> tuple[int, ...]:
        folders, beside = _folders(name), _folders(self.near)
        own, other = self._words(name)
        return (
            _num_equal(folders[::-1], self.folders[::-1]),
            int(split_of(name) == (self.split or split_of(self.near))),
            _num_equal(folders[::-1], beside[::-1]),
            -len(other - own),
            _num_equal(folders, beside),
            int(any(part in _PICTURE_FOLDERS for part in folders)),
        )


def _folders(name: str) -> tuple[str, ...]:
    return PurePosixPath(name.lower()).parts[:-1]


def _num_equal(one: Sequence[str], other: Sequence[str]) -> int:
    """Returns how many parts two paths have in common from their beginning."""
    count = 0
    for first, second in zip(one, other, strict=False):
        if first != second:
            break
        count += 1
    return count
