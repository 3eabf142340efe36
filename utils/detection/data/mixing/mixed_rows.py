"""Rows that say which of their epoch's repetitions they are, and bring another image that objects are taken of."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from utils.detection.data.mindrecord import open_mindrecord
from utils.detection.data.mindrecord_info import MindRecordInfo
from utils.randomness import generator

if TYPE_CHECKING:
    from mindspore.dataset import Dataset

STREAMS = 8  # of draws that an image has each time it comes in an epoch
PARTNER_STREAM, PASTE_STREAM = 6, 7  # those of a sample itself begin with 0
COLUMNS = ("image", "annotation", "image_id")
OTHER_COLUMNS = tuple(f"other_{name}" for name in COLUMNS)


@dataclass(frozen=True, eq=False)
class Mixing:
    """How rows are mixed.

    Attributes:
        share: of the images, which get objects of another one.
        paste: from uint8[bytes], float32[M, 6] and int64 of the other image, as MindRecord holds them, and from an
            image, its boxes, labels, crowd flags and draws to these four with objects laid on it.
    """

    share: float
    paste: Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]


def partners(
    items: np.ndarray, ids: np.ndarray, occurrences: np.ndarray, pool: np.ndarray, seed: int, epoch: int, share: float
) -> np.ndarray:
    """Returns which image each one gets objects of, int64[K]: one of the epoch's, or itself where it gets none.

    Args:
        items: int64[K], positions of images in the training set.
        ids: int64[K], of these images; together with `occurrences` they decide the draws.
        occurrences: int64[K], which of the epoch's repetitions each is.
        pool: int64[L], positions of all images of the epoch, repeated ones several times.
        seed: of the run.
        epoch: from 1.
        share: of the images that get objects.
    """
    found = items.copy()
    for place, (number, occurrence) in enumerate(zip(ids.tolist(), occurrences.tolist(), strict=True)):
        draws = generator(seed, epoch, number, PARTNER_STREAM + STREAMS * occurrence)
        if draws.uniform() < share:
            found[place] = pool[draws.integers(len(pool))]
    return found


@dataclass(frozen=True, eq=False)
class MixedSample:
    """Prepares a mixed row as the sample of a detector prepares a plain one.

    Attributes:
        sample: of a detector, whose `occurrence` and `paste` are set for each row.
        mixing: None where rows are repeated alone.
    """

    sample: Any
    mixing: Mixing | None

    def __call__(
        self,
        encoded: np.ndarray,
        annotation: np.ndarray,
        image_id: np.ndarray,
        occurrence: np.ndarray,
        *other: np.ndarray,
    ) -> tuple[np.ndarray, ...]:
        """Prepares a row of `open_mixed`."""
        sample = replace(self.sample, occurrence=int(occurrence))
        if self.mixing is not None and int(other[-1]) != int(image_id):
            sample = replace(sample, paste=partial(self.mixing.paste, *other))
        return sample(encoded, annotation, image_id)


def open_mixed(
    records: MindRecordInfo, rows: np.ndarray, occurrences: np.ndarray, others: np.ndarray | None, num_loaders: int
) -> tuple["Dataset", list[str]]:
    """Opens rows as `open_mindrecord` does, each with its occurrence and, where there are any, with another row.

    Args:
        records: the MindRecord files.
        rows: int64[K], positions in the annotation file.
        occurrences: int64[K].
        others: int64[K], positions likewise; None for none.
        num_loaders: threads that read.

    Returns:
        The data set, and its columns in the order in which `MixedSample` takes them.
    """
    import mindspore.dataset as ds

    numbers = ds.NumpySlicesDataset({"occurrence": occurrences}, shuffle=False)
    parts = [open_mindrecord(records, rows.tolist(), COLUMNS, num_loaders), numbers]
    columns = [*COLUMNS, "occurrence"]
    if others is not None:
        other = open_mindrecord(records, others.tolist(), COLUMNS, num_loaders)
        parts.append(other.rename(list(COLUMNS), list(OTHER_COLUMNS)))
        columns += OTHER_COLUMNS
    return ds.zip(tuple(parts)), columns
