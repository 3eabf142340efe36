"""What a data set is between its form and the layout that it becomes: pictures with objects, or with a label each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np

from utils.forms.outlines.shapes import Shape, box_of
from utils.forms.tally import Tally

IGNORED = -1  # class of a region that is neither to be found nor background
NO_CLASS = 255  # value of a pixel that belongs to no class, as SegFormer's labels have it

# uint8[H, W], class numbers and NO_CLASS.
LabelReader: TypeAlias = Callable[[], np.ndarray]


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects of a picture as columns.

    Attributes:
        boxes: float64[N, 4], xyxy, pixels; a picture begins at 0 and its first pixel ends at 1.
        labels: int64[N], class index from 0, or IGNORED.
        shapes: N outlines; None where the box is all that is known.
        is_crowd: bool[N], the box covers a group, or what is not to be counted.
        areas: float64[N], pixels squared, as annotated; NaN where they were not.
    """

    boxes: np.ndarray
    labels: np.ndarray
    shapes: tuple[Shape | None, ...]
    is_crowd: np.ndarray
    areas: np.ndarray

    def chosen(self, rows: np.ndarray) -> "Objects":
        """Returns those of bool[N]."""
        shapes = tuple(self.shapes[row] for row in np.flatnonzero(rows))
        return Objects(self.boxes[rows], self.labels[rows], shapes, self.is_crowd[rows], self.areas[rows])


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture of the source.

    Attributes:
        name: its path inside the source, with forward slashes.
        path: its file; None where the annotation holds it.
        split: "train", "val" or "test"; "" where the source does not say.
        size: (height, width), the one that the annotation is for.
        objects: what is in it; None for a picture with a label.
        read_label: reads the label; None for a picture with objects.
        read_inline: reads the content of the picture's file, where the annotation holds it; else None.
        listed_name: by which a training on the source itself would know it; "" for its name.
        rank: how well the annotation that names it fits, see `Found`.
        named_by: that annotation; "" where the picture's name says it.
    """

    name: str
    path: Path | None
    split: str
    size: tuple[int, int]
    objects: Objects | None = None
    read_label: LabelReader | None = None
    read_inline: Callable[[], bytes] | None = None
    listed_name: str = ""
    rank: tuple[int, ...] = ()
    named_by: str = ""


@dataclass(eq=False)
class DataSet:
    """A whole data set.

    Attributes:
        class_names: name of each class index.
        pictures: in the order of their names.
        tally: what was left out or changed.
        notes: sentences on what was found by itself.
        has_labels: each picture has a label, and none has objects.
        background: index of the class that stands for what is no object; None where there is none.
    """

    class_names: tuple[str, ...]
    pictures: list[Picture]
    tally: Tally
    notes: list[str] = field(default_factory=list)
    has_labels: bool = False
    background: int | None = None


def make_objects(
    labels: Sequence[int],
    shapes: Sequence[Shape | None],
    boxes: Sequence[Sequence[float]] | Sequence[np.ndarray] | np.ndarray | None = None,
    is_crowd: Sequence[bool] | np.ndarray | None = None,
    areas: Sequence[float] | np.ndarray | None = None,
) -> Objects:
    """Returns columns of lists; the boxes of the shapes where none are given."""
    count = len(labels)
    if boxes is None:
        boxes = [box_of(shape) for shape in shapes if shape is not None]
    return Objects(
        boxes=np.array(boxes, np.float64).reshape(-1, 4),
        labels=np.array(labels, np.int64),
        shapes=tuple(shapes),
        is_crowd=np.zeros(count, bool) if is_crowd is None else np.array(is_crowd, bool),
        areas=np.full(count, np.nan) if areas is None else np.array(areas, np.float64),
    )


def count_objects(pictures: Sequence[Picture]) -> int:
    """Returns how many objects the pictures have together."""
    return sum(len(each.labels) for each in objects_of(pictures))


def objects_of(pictures: Sequence[Picture]) -> Iterator[Objects]:
    """Yields the objects of those pictures that have some."""
    return (picture.objects for picture in pictures if picture.objects is not None)
