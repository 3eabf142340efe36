"""Stateless randomness: every draw is a function of (seed, epoch, item, stream), never of what was drawn before.

So resuming in mid-epoch, another number of reading threads or another number of workers changes nothing that is drawn.
"""

import hashlib
import math
import struct

import numpy as np


def generator(seed: int, epoch: int, item: int, stream: int = 0) -> np.random.Generator:
    """Returns the random generator that belongs to one item of one epoch.

    Args:
        seed: seed of the run.
        epoch: epoch number, counted from 1 in the training loop.
        item: index of the image (or of the batch) that the draws are for.
        stream: tells apart uses that must not share draws, e.g. 0 for augmentation and 1 for sampling.

    Returns:
        A Philox generator (counter-based: its start-up costs microseconds) keyed by a hash of the four numbers.
    """
    return _keyed_generator(b"item", seed, epoch, item, stream)


def epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """Returns the order in which one epoch visits its items: int64[count], a permutation of 0..count-1."""
    return _keyed_generator(b"order", seed, epoch, count).permutation(count).astype(np.int64)


def repeated_items(seed: int, epoch: int, repeats: np.ndarray) -> np.ndarray:
    """Returns which items an epoch visits, some of them several times: int64[L], ascending.

    A random start and steps of 1 along the repeats of the items, laid end to end in a random order (systematic
    sampling): an item comes as often as its repeats say, rounded down or up at random so that the mean over the epochs
    is theirs, and L is the same in each epoch.

    Args:
        seed: seed of the run.
        epoch: epoch number, counted from 1 in the training loop.
        repeats: float64[N], each at least 1; L is their sum, rounded up, for which they are raised alike.
    """
    draws = _keyed_generator(b"repeats", seed, epoch, len(repeats))
    order, start = draws.permutation(len(repeats)), draws.uniform()
    ends = np.cumsum(repeats[order])
    ends *= num_repeated(repeats) / ends[-1]
    ends[-1] = num_repeated(repeats)
    counts = np.diff(np.floor(ends + start).astype(np.int64), prepend=0)
    return np.sort(np.repeat(order, counts))


def num_repeated(repeats: np.ndarray) -> int:
    """Returns how many items `repeated_items` gives."""
    return math.ceil(repeats.sum())


def _keyed_generator(purpose: bytes, *numbers: int) -> np.random.Generator:
    packed = struct.pack(f"<{len(numbers)}q", *(int(number) for number in numbers))
    digest = hashlib.blake2b(packed, digest_size=16, person=purpose).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
