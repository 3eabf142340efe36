"""Which images each worker of a data-parallel run trains on, and when; and the batches that it makes of them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from utils.model_utils.config.schema import TrainingKeys
from utils.model_utils.workers import ALONE, Workers
from utils.randomness import epoch_order, num_repeated, repeated_items


@dataclass(frozen=True)
class ShardedEpochs:
    """Cuts the order of each epoch into optimizer steps and these into the parts of the workers.

    The order of an epoch is a function of the seed and the epoch alone. A step takes the next images of it as
    [accumulate_steps, workers, batch_size], of which each worker trains on its own slice of the second axis. So W
    workers with batches of B see, micro batch by micro batch, what one worker with batches of W * B sees.

    Attributes:
        num_images: images of the training set.
        batch_size: images of a micro batch of one worker.
        seed: of the run.
        accumulate_steps: micro batches of a step.
        workers: the workers of the job, and which of them this is.
        drop_remainder: leave out what remains of an epoch after its full steps, another rest each time. If not, one
            more step takes it, filled up with the epoch's first images: these fillers must not add to loss, normalisers
            or gradients, so that each image counts once in an epoch.
        repeats: how often an image comes in an epoch in the mean, float64[num_images], each at least 1; None for once.
    """

    num_images: int
    batch_size: int
    seed: int
    accumulate_steps: int = 1
    workers: Workers = ALONE
    drop_remainder: bool = True
    repeats: np.ndarray | None = field(default=None, compare=False)

    @property
    def images_per_step(self) -> int:
        """Images of an optimizer step, over all workers."""
        return self.accumulate_steps * self.workers.count * self.batch_size

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of an epoch."""
        full = self.num_items // self.images_per_step
        return full if self.drop_remainder else -(-self.num_items // self.images_per_step)

    @property
    def num_items(self) -> int:
        """Images of an epoch, one that is repeated as often as it comes."""
        return self.num_images if self.repeats is None else num_repeated(self.repeats)

    def items(self, epoch: int) -> np.ndarray:
        """Returns what is visited in an epoch, int64[num_items], positions of images, ascending."""
        if self.repeats is None:
            return np.arange(self.num_images)
        return repeated_items(self.seed, epoch, self.repeats)

    def own_items(self, epoch: int, start_step: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Returns what this worker trains on from `start_step` (the first is 0) of an epoch (the first is 1) on.

        Returns:
            int64[steps, accumulate_steps * batch_size], positions 0..num_images-1 of the images in the training set,
            and bool of that shape: whether an image only fills its place.
        """
        order = self._order(epoch)
        is_filler = np.arange(self.steps_per_epoch * self.images_per_step) >= len(order)
        return self._own(self.items(epoch)[order], start_step), self._own(is_filler, start_step)

    def own_occurrences(self, epoch: int, start_step: int = 0) -> np.ndarray:
        """Returns for each of `own_items` which of the epoch's repetitions of its image it is, from 0."""
        items = self.items(epoch)
        occurrence = np.arange(len(items)) - np.searchsorted(items, items)
        return self._own(occurrence[self._order(epoch)], start_step)

    def _order(self, epoch: int) -> np.ndarray:
        return epoch_order(self.seed, epoch, self.num_items)

    def _own(self, values: np.ndarray, start_step: int) -> np.ndarray:
        """Returns of the values of an epoch's images this worker's, [steps, accumulate_steps * batch_size]."""
        shape = (self.steps_per_epoch, self.accumulate_steps, self.workers.count, self.batch_size)
        places = np.resize(values, self.steps_per_epoch * self.images_per_step)  # begins anew where it ends
        own = places.reshape(shape)[start_step:, :, self.workers.rank, :]
        return own.reshape(-1, self.accumulate_steps * self.batch_size)


@dataclass(frozen=True, eq=False)
class BatchSource(ABC):
    """The batches that one worker of a run trains on, as the training loop asks for them.

    Attributes:
        epochs: which images the worker takes, and when.
    """

    epochs: ShardedEpochs

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in an epoch."""
        return self.epochs.steps_per_epoch

    @property
    def images_per_step(self) -> int:
        """Images in an optimizer step of all workers together, accumulated micro batches included."""
        return self.epochs.images_per_step

    @abstractmethod
    def batches(self, epoch: int, start_step: int = 0) -> Iterator[tuple[np.ndarray, ...]]:
        """Yields the arrays of the worker's own images of each step; epochs and steps as in `ShardedEpochs.own_items`.

        They must follow from (epoch, step) alone, or resuming is not exact. If the iterator has a `close` method, the
        loop calls it when it stops early.
        """


def shard_epochs(
    config: TrainingKeys, num_images: int, workers: Workers = ALONE, repeats: np.ndarray | None = None
) -> ShardedEpochs:
    """Says which of the images of a training set a worker trains on, and when; for `repeats` see `ShardedEpochs`."""
    return ShardedEpochs(
        num_images=num_images,
        batch_size=config.batch_size,
        seed=config.seed,
        accumulate_steps=config.accumulate_steps,
        workers=workers,
        drop_remainder=config.drop_remainder,
        repeats=repeats,
    )
