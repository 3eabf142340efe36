"""What a suite can show of the batches that its networks are trained on."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from utils.sharding import BatchSource

MOST_PICTURES = 16  # on a sheet: more would be too small to see a box of a few pixels

Batch = tuple[np.ndarray, ...]


class Survey(ABC):
    """Counts what is in batches."""

    @abstractmethod
    def add(self, batch: Batch) -> None:
        """Counts the pictures of a batch, arrays as the source yields them."""

    @abstractmethod
    def lines(self) -> list[str]:
        """Returns what was found, in a few lines."""

    @abstractmethod
    def figures(self) -> Mapping[str, bytes]:
        """Returns figures, as the bytes of PNG files, by the file's name."""


class BatchView(ABC):
    """Shows the batches of a source.

    Attributes:
        source: of the batches.
    """

    source: BatchSource

    @abstractmethod
    def draw(self, batch: Batch, names: Sequence[str], heading: str) -> np.ndarray:
        """Draws the pictures of a batch with what the network is to learn of them.

        Args:
            batch: arrays as the source yields them, of N pictures.
            names: of the N pictures.
            heading: of the sheet.

        Returns:
            uint8[H, W, 3], RGB.
        """

    @abstractmethod
    def item_names(self, items: Sequence[int]) -> list[str]:
        """Returns the names of pictures, by their positions in the training set."""

    @abstractmethod
    def survey(self) -> Survey:
        """Returns what counts the contents of batches."""

    def names(self, epoch: int, step: int) -> list[str]:
        """Returns the names of the worker's own pictures of a step, epochs and steps as in `BatchSource.batches`."""
        items, is_filler = self.source.epochs.own_items(epoch, step)
        names = self.item_names(items[0].tolist())
        return [f"{name} (fills the batch)" * filler or name for name, filler in zip(names, is_filler[0], strict=True)]


def draw_sheet(view: BatchView, batch: Batch, names: Sequence[str], what: str) -> np.ndarray:
    """Draws a batch under a heading that says `what` it is, e.g. "epoch 1", and how large its pictures are."""
    height, width = batch[0].shape[-2:]
    return view.draw(batch, names, f"{what}: what the network is fed, {width} x {height} pixels (width x height)")
