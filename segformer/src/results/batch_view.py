"""The pictures of a training batch beside their classes, and how much of each class there is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from utils.drawing.class_bars import class_bars
from utils.drawing.class_maps import overlay
from utils.drawing.fonts import letter_names
from utils.drawing.legend import draw_legend
from utils.drawing.network_inputs import (
    captioned_sheet,
    cell_width,
    content_size,
    stripe_padding,
    undo_normalisation,
)
from utils.drawing.panels import GAP, GROUND, scale_to_width
from utils.pixels import size_of
from utils.training.pictures.batch_view import Batch, BatchView, Survey
from utils.words import counted, share

from ..dataset import CityscapesSource

NO_CLASS = "no class, ignored"
MOST_CLASS_LINES = 40


@dataclass(frozen=True, eq=False)
class LabelBatchView(BatchView):
    """Shows the batches of SegFormer.

    Attributes:
        source: of the batches.
        class_names: name of each class.
        colours: uint8[256, 3], RGB, of each value of a label.
    """

    source: CityscapesSource
    class_names: Sequence[str]
    colours: np.ndarray

    def draw(self, batch: Batch, names: Sequence[str], heading: str) -> np.ndarray:
        """Draws each picture beside its classes, above a legend of those that are there; see `BatchView.draw`."""
        images, labels = batch[0], batch[1].astype(np.uint8)
        columns = next((columns for columns, most in ((1, 2), (2, 8)) if len(names) <= most), 3)
        width = (cell_width(columns) - GAP) // 2
        pairs = [self._draw_pair(*pair, width) for pair in zip(images, labels, strict=True)]
        sheet = captioned_sheet(pairs, names, f"{heading}; striped: padding", columns)
        present = np.unique(labels)
        shown = present[present < len(self.class_names)]
        *letterings, no_class = letter_names([*self.class_names, NO_CLASS])
        entries, colours = [letterings[index] for index in shown], self.colours[shown]
        if len(shown) < len(present):
            entries, colours = [*entries, no_class], np.vstack([colours, np.zeros((1, 3), np.uint8)])
        return np.vstack([sheet, draw_legend(entries, colours, sheet.shape[1])])

    def _draw_pair(self, planes: np.ndarray, label: np.ndarray, most: int) -> np.ndarray:
        """Draws float32[3, H, W] and uint8[H, W], each at most so many pixels wide."""
        augmentation = self.source.augmentation
        image = undo_normalisation(planes, augmentation.mean, augmentation.std)
        image, scale = scale_to_width(image, most)
        label = cv2.resize(label, image.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        rows, columns = content_size(planes)
        content = round(rows * scale), round(columns * scale)
        panels = [stripe_padding(panel, content) for panel in (image, overlay(image, label, self.colours))]
        return np.hstack([panels[0], np.full((len(image), GAP, 3), GROUND, np.uint8), panels[1]])

    def item_names(self, items: Sequence[int]) -> list[str]:
        """Returns the names of the image files."""
        return [self.source.images.pairs[item].image.name for item in items]

    def survey(self) -> "LabelSurvey":
        """Returns what counts the pixels of each class."""
        return LabelSurvey(self.class_names, self.colours)


class LabelSurvey(Survey):
    """Counts the pixels of each class.

    Args:
        class_names: name of each class.
        colours: uint8[256, 3], RGB, of each value of a label.
    """

    def __init__(self, class_names: Sequence[str], colours: np.ndarray) -> None:
        self._class_names, self._colours = class_names, colours
        self._size = (0, 0)
        self._padding: list[float] = []
        self._counts: list[np.ndarray] = []  # pixels of each value of a label, of each picture

    def add(self, batch: Batch) -> None:
        """Counts the pixels of a batch."""
        self._size = size_of(batch[1][0])
        for planes, label in zip(batch[0], batch[1], strict=True):
            self._padding.append(1 - float(np.prod(content_size(planes))) / label.size)
            self._counts.append(np.bincount(label.ravel(), minlength=256))

    def lines(self) -> list[str]:
        """Returns how much of the pictures each class has."""
        counts, (height, width) = np.array(self._counts), self._size
        classes = counts[:, : len(self._class_names)]
        total = counts.sum()
        shares, with_class = classes.sum(axis=0) / max(classes.sum(), 1), (classes > 0).sum(axis=0)
        longest = max(map(len, self._class_names))
        order = np.argsort(-shares, kind="stable")
        lines = [
            f"{counted(len(counts), 'picture')} of {width} x {height} pixels (width x height), "
            f"{share(sum(self._padding), len(self._padding))} of that is padding, "
            f"{share(total - classes.sum(), total)} belongs to no class (padding included); of the rest:",
            *(
                f"  {self._class_names[index]:{longest}} {shares[index]:7.2%} in "
                f"{counted(int(with_class[index]), 'picture')}"
                for index in order[:MOST_CLASS_LINES]
            ),
        ]
        if len(order) > MOST_CLASS_LINES:
            lines.append(f"  and {counted(len(order) - MOST_CLASS_LINES, 'class')} more")
        return lines

    def figures(self) -> Mapping[str, bytes]:
        """Returns bars of the classes."""
        classes = np.array(self._counts)[:, : len(self._class_names)]
        shares, with_class = classes.sum(axis=0) / max(classes.sum(), 1), (classes > 0).sum(axis=0)
        bars = class_bars(
            self._class_names,
            100 * shares,
            [
                f"{share:.2%} in {counted(int(pictures), 'picture')}"
                for share, pictures in zip(shares, with_class, strict=True)
            ],
            self._colours[: len(self._class_names)],
            title=f"Pixels of each class in {counted(len(classes), 'picture')}",
            axis="percent of the pixels that belong to a class",
        )
        return {"classes.png": bars}
