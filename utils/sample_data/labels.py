"""From outlines in drawing order to what is visible where, and from there to Cityscapes ids and boxes."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from utils.sample_data.drawing.canvas import Outline
from utils.sample_data.files import table

CITYSCAPES_IDS: dict[str, tuple[int, bool]] = {name: tuple(row) for name, row in table("classes")["cityscapes"].items()}
COCO_CATEGORIES: dict[str, tuple[int, str]] = {name: tuple(row) for name, row in table("classes")["coco"].items()}
LEAST_VISIBLE = 0.2  # share of the silhouette; less cannot be recognised by its picture
LEAST_SIDE = 1 / 64  # of the picture's height: 8 pixels at 512, as little as a person can make out (taste)


@dataclass(frozen=True)
class Target:
    """A detection target.

    Args:
        category: COCO name.
        box: (left, top, right, bottom) of the visible part, pixels, right and bottom exclusive.
        mask: bool[h, w], the visible part within the box.
        crowd: whether it is a group.
    """

    category: str
    box: tuple[int, int, int, int]
    mask: np.ndarray
    crowd: bool


def paint_indices(outlines: list[Outline], height: int, width: int) -> np.ndarray:
    """int32[height, width], the outline that is seen at each pixel, painted as the official Cityscapes scripts do."""
    image = Image.new("L" if len(outlines) <= 256 else "I", (width, height), 0)
    drawer = ImageDraw.Draw(image)
    for index, outline in enumerate(outlines):
        drawer.polygon(outline.polygon.reshape(-1).tolist(), fill=index)
    return np.asarray(image).astype(np.int32)


def label_ids(outlines: list[Outline], indices: np.ndarray) -> np.ndarray:
    """uint8[H, W], the official Cityscapes id at each pixel of int32[H, W] from `paint_indices`."""
    table = np.array([CITYSCAPES_IDS[outline.label][0] for outline in outlines], np.uint8)
    return table[indices]


def instance_ids(outlines: list[Outline], indices: np.ndarray) -> np.ndarray:
    """uint16[H, W]: id * 1000 + running number for objects that are counted, the plain id for everything else."""
    counts: dict[str, int] = {}
    table = []
    for outline in outlines:
        label = outline.label
        number, counted = CITYSCAPES_IDS[label]
        if counted:
            counts[label] = counts.get(label, -1) + 1
            number = number * 1000 + counts[label]
        table.append(number)
    return np.array(table, np.uint16)[indices]


def visible_boxes(indices: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Tight boxes of what is seen of each of `count` outlines in int32[H, W] from `paint_indices`.

    Returns:
        int64[count] visible pixels, and int64[count, 4] (left, top, right, bottom), right and bottom exclusive; zeros
        where nothing is seen.
    """
    height, width = indices.shape
    flat = indices.reshape(-1)
    areas = np.bincount(flat, minlength=count)
    order = np.argsort(flat, kind="stable")
    seen = np.nonzero(areas)[0]
    starts = np.concatenate([[0], np.cumsum(areas)])[seen]
    rows, columns = order // width, order % width
    boxes = np.zeros((count, 4), np.int64)
    low = [np.minimum.reduceat(axis, starts) for axis in (columns, rows)]
    high = [np.maximum.reduceat(axis, starts) + 1 for axis in (columns, rows)]
    boxes[seen] = np.column_stack([*low, *high])
    return areas, boxes


def targets(outlines: list[Outline], indices: np.ndarray) -> list[Target]:
    """Detection targets: what has a category, is large enough and not hidden."""
    areas, boxes = visible_boxes(indices, len(outlines))
    full = np.array([outline.area for outline in outlines])
    sides = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    kept = (areas >= LEAST_VISIBLE * full) & (sides >= max(3.0, LEAST_SIDE * indices.shape[0]))
    found = []
    for index in np.nonzero(kept)[0]:
        item = outlines[index].item
        if item.category is not None:
            left, top, right, bottom = (int(side) for side in boxes[index])
            found.append(
                Target(item.category, (left, top, right, bottom), indices[top:bottom, left:right] == index, item.crowd)
            )
    return found
