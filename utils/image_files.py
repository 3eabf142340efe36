"""Names, sizes and times of the image files of a data set, by which it is seen that they have changed."""

import functools
import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

STAT_THREADS = 16  # a shared disk answers after a millisecond, and may be asked for 118,287 files
STATS_AT_ONCE = 512  # so many are one piece of work: a local disk answers within microseconds, as a hand-over costs


Item = TypeVar("Item")


@dataclass(frozen=True, eq=False)
class SourceImages:
    """Image files that a data set was made of.

    Attributes:
        names: relative to the folder of the images, or absolute where they lie elsewhere.
        sizes: int64[N], their bytes; -1 for one that is not there.
    """

    names: tuple[str, ...]
    sizes: np.ndarray

    def digest(self) -> str:
        """Returns the SHA-256 of names and sizes, whatever their order, as hexadecimal digits."""
        rows = sorted(zip(self.names, self.sizes.tolist(), strict=True))
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


class ImageFolder:
    """Sizes and times of image files, each asked for once.

    Args:
        folder: that names are relative to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def sizes(self, names: Sequence[str]) -> np.ndarray:
        """Returns int64[N], the bytes of each file; -1 for one that is not there."""
        return self._stats(tuple(names))[:, 0]

    def times(self, names: Sequence[str]) -> np.ndarray:
        """Returns int64[N], when each file was last written to, in ns since 1970; -1 for one that is not there."""
        return self._stats(tuple(names))[:, 1]

    def changed_since(self, sources: SourceImages | None) -> list[str]:
        """Returns which images have another size than when a set was made of them; those that are gone count as not."""
        if sources is None or not self.folder.is_dir():
            return []
        sizes = self.sizes(sources.names)
        return [sources.names[index] for index in np.flatnonzero((sizes >= 0) & (sizes != sources.sizes))]

    @functools.lru_cache(maxsize=4)  # noqa: B019  (an object of one opening, with one or two lists of names)
    def _stats(self, names: tuple[str, ...]) -> np.ndarray:
        parts = [names[start : start + STATS_AT_ONCE] for start in range(0, len(names), STATS_AT_ONCE)]
        with ThreadPoolExecutor(STAT_THREADS) as pool:
            return np.concatenate([np.zeros((0, 2), np.int64), *pool.map(self._stats_of, parts)])

    def _stats_of(self, names: Sequence[str]) -> np.ndarray:
        return np.array([self._stat(name) for name in names], np.int64)

    def _stat(self, name: str) -> tuple[int, int]:
        try:
            found = os.stat(os.path.join(self.folder, name))
        except (OSError, ValueError):  # a name with a NUL
            return -1, -1
        return found.st_size, found.st_mtime_ns


def source_name(path: Path, folder: Path) -> str:
    """Returns `path` relative to `folder` with forward slashes, or the whole of it where it lies elsewhere."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path.absolute())


def evenly_spread(items: Sequence[Item], count: int) -> list[Item]:
    """Returns at most `count` of the items, evenly spread over them, the first and the last among them."""
    return [items[index] for index in np.unique(np.linspace(0, len(items) - 1, min(count, len(items)), dtype=int))]
