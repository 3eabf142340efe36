"""Decoded images and labels, kept in memory: a small data set is read once, not in every epoch."""

import threading
from collections.abc import Callable, Sequence

import numpy as np

from .labels.files import ImagePair

BYTES_PER_GB = 10**9

Arrays = tuple[np.ndarray, np.ndarray]


class ImageCache:
    """Images and labels of a split; as many as fit are kept, those read first.

    None gives way to another: an epoch asks for a pair once, so that no choice of those kept saves more. Of several
    workers each has a cache of its own, and other pairs in each epoch, so that it meets new ones for some epochs.

    Args:
        pairs: files of the split.
        read: decodes a pair; see `read_pair`.
        capacity: bytes of memory for decoded arrays; 0 keeps none.
    """

    def __init__(self, pairs: Sequence[ImagePair], read: Callable[[ImagePair], Arrays], capacity: float) -> None:
        self.pairs, self._read = pairs, read
        self._free = capacity
        self._kept: dict[int, Arrays] = {}
        self._lock = threading.Lock()

    def __getitem__(self, index: int) -> Arrays:
        """Returns uint8[H, W, 3] RGB and uint8[H, W] of pair `index`, which may not be written to.

        Raises:
            UserError: as `read`.
        """
        kept = self._kept.get(index)
        if kept is not None:
            return kept
        arrays = self._read(self.pairs[index])
        for array in arrays:
            array.flags.writeable = False
        size = sum(array.nbytes for array in arrays)
        with self._lock:
            if index not in self._kept and size <= self._free:
                self._kept[index] = arrays
                self._free -= size
        return arrays
