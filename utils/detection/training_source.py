"""The batches of a training run, read from MindRecord files in the order of each epoch."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import numpy as np

from utils.detection.mindrecord import MindRecordInfo, open_mindrecord
from utils.randomness import epoch_order

ROW_COLUMNS = ("image", "annotation", "image_id")


class RowSample(Protocol):
    """A frozen dataclass that turns a row into the arrays of one image; all that it draws follows from its fields.

    Attributes:
        COLUMNS: names of the arrays.
        seed: of the run.
        epoch: from 1.
    """

    COLUMNS: ClassVar[tuple[str, ...]]

    @property
    def seed(self) -> int:
        """Seed of the run."""

    @property
    def epoch(self) -> int:
        """Number of the epoch, from 1."""

    def __call__(self, encoded: np.ndarray, annotation: np.ndarray, image_id: np.ndarray) -> tuple[np.ndarray, ...]:
        """Prepares uint8[bytes], float32[N, 6] and an int64 scalar, as MindRecord holds them."""


@dataclass(frozen=True, eq=False)
class TrainingSource:
    """The batches of a run, as the training loop asks for them.

    Attributes:
        records: the MindRecord files.
        rows: int64[N], the rows that are trained on.
        batch_size: images in a step.
        sample: prepares a row; its epoch is replaced.
        workers: threads or processes that prepare rows.
        multiprocessing: processes instead of threads.
    """

    records: MindRecordInfo
    rows: np.ndarray
    batch_size: int
    sample: RowSample
    workers: int
    multiprocessing: bool

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in an epoch; the rest of the epoch's order is left out, another rest each time."""
        return len(self.rows) // self.batch_size

    @property
    def images_per_step(self) -> int:
        """Images in a step."""
        return self.batch_size

    def batches(self, epoch: int, start_step: int = 0) -> Iterator[tuple[np.ndarray, ...]]:
        """Yields what `sample` makes, each array with a leading axis of `batch_size`, from `start_step` on."""
        order = self.rows[epoch_order(self.sample.seed, epoch, len(self.rows))]
        wanted = order[start_step * self.batch_size: self.steps_per_epoch * self.batch_size]
        if len(wanted) == 0:
            return
        dataset = open_mindrecord(self.records, wanted.tolist(), ROW_COLUMNS, self.workers).map(
            replace(self.sample, epoch=epoch), list(ROW_COLUMNS), list(self.sample.COLUMNS),
            num_parallel_workers=self.workers, python_multiprocessing=self.multiprocessing,
        )
        batched = dataset.batch(self.batch_size, drop_remainder=True)
        yield from (tuple(batch) for batch in batched.create_tuple_iterator(num_epochs=1, output_numpy=True))
