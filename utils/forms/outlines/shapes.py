"""Outlines of objects: their boxes, areas and pixels, exact to one rule.

A picture begins at 0 and its first pixel ends at 1: the centre of the pixel in row j, column i is (i + 0.5, j + 0.5).
A pixel belongs to an outline where its centre lies inside; of a centre on the outline itself, those on left and upper
edges belong to it, so that two polygons that share an edge share no pixel and leave none out. Where a polygon crosses
itself, what it goes around twice is outside (even-odd).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from utils.model_utils.errors import BadValueError, short
from utils.model_utils.guards.pixel_limit import check_pixels

FEWEST_POINTS = 3
MOST_CHARACTERS = 8  # of a number in COCO's text: 40 bits, more than any picture has pixels


@dataclass(frozen=True, eq=False)
class Polygons:
    """One object of one or several polygons.

    Attributes:
        rings: float64[P, 2] each, (x, y) in pixels; what any of them encloses belongs to the object.
        holes: likewise; what any of them encloses does not.
    """

    rings: tuple[np.ndarray, ...]
    holes: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True, eq=False)
class Disk:
    """A circle with what is in it.

    Attributes:
        center: (x, y) in pixels.
        radius: in pixels.
    """

    center: tuple[float, float]
    radius: float


@dataclass(frozen=True, eq=False)
class Bitmap:
    """Pixels of a part of the picture.

    Attributes:
        pixels: bool[h, w], those of the object.
        left: column of the picture where they begin.
        top: row, likewise.
    """

    pixels: np.ndarray
    left: int
    top: int


@dataclass(frozen=True, eq=False)
class RunLengths:
    """COCO's run-length code of a whole picture, column by column, beginning with what is outside.

    Attributes:
        size: (height, width).
        counts: uint32[N], or the text that COCO's tool makes of them.
    """

    size: tuple[int, int]
    counts: np.ndarray | bytes


Shape: TypeAlias = Polygons | Disk | Bitmap | RunLengths


def box_of(shape: Shape) -> np.ndarray:
    """Returns float64[4], xyxy in pixels: of polygons their outermost points, of pixels their outer edges.

    Four zeros where a bitmap has no pixel.
    """
    if isinstance(shape, Polygons):
        points = np.concatenate(shape.rings)
        return np.concatenate([points.min(axis=0), points.max(axis=0)])
    if isinstance(shape, Disk):
        center = np.array(shape.center, np.float64)
        return np.concatenate([center - shape.radius, center + shape.radius])
    pixels, left, top = (shape.pixels, shape.left, shape.top) if isinstance(shape, Bitmap) else (decode(shape), 0, 0)
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if not len(rows):
        return np.zeros(4)
    return np.array([left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1], np.float64)


def cropped(pixels: np.ndarray) -> Bitmap:
    """Returns the object of a mask of a whole picture, bool[H, W], without what is empty around it."""
    left, top, right, bottom = box_of(Bitmap(pixels, 0, 0)).astype(int).tolist()
    return Bitmap(pixels[top:bottom, left:right].copy(), left, top)


def area_of(shape: Shape) -> float:
    """Returns the area in pixels squared; where polygons of one object overlap, it is counted more than once."""
    if isinstance(shape, Polygons):
        return sum(map(_ring_area, shape.rings)) - sum(map(_ring_area, shape.holes))
    if isinstance(shape, Disk):
        return float(np.pi * shape.radius**2)
    return float((shape.pixels if isinstance(shape, Bitmap) else decode(shape)).sum())


def _ring_area(ring: np.ndarray) -> float:
    """Returns half of the sum of cross products: the shoelace formula."""
    x, y = (ring - ring[0]).T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def mask_of(shape: Shape, size: tuple[int, int]) -> np.ndarray:
    """Returns bool[H, W], the pixels of an outline in a picture of `size` (height, width)."""
    mask = np.zeros(size, bool)
    window, inside = window_of(shape, size)
    mask[window] = inside
    return mask


def window_of(shape: Shape, size: tuple[int, int]) -> tuple[tuple[slice, slice], np.ndarray]:
    """Returns rows and columns of the part of a picture that an outline reaches, and bool[h, w] of its pixels there."""
    if isinstance(shape, RunLengths):
        return (slice(0, size[0]), slice(0, size[1])), _fitted(decode(shape), size)
    if isinstance(shape, Bitmap):
        return _bitmap_window(shape, size)
    window = _window(box_of(shape), size)
    if isinstance(shape, Disk):
        rows, columns = (np.arange(part.start, part.stop) + 0.5 for part in window)
        distance = np.hypot(columns[None, :] - shape.center[0], rows[:, None] - shape.center[1])
        return window, distance < shape.radius
    inside = np.zeros([part.stop - part.start for part in window], bool)
    for ring in shape.rings:
        inside |= _enclosed(ring, window)
    for hole in shape.holes:
        inside &= ~_enclosed(hole, window)
    return window, inside


def box_window(box: np.ndarray, size: tuple[int, int]) -> tuple[slice, slice]:
    """Returns rows and columns of the pixels whose centres lie in a box, float64[4] xyxy."""
    return _window(box, size)


def _window(box: np.ndarray, size: tuple[int, int]) -> tuple[slice, slice]:
    limits = np.array([size[1], size[0], size[1], size[0]], np.float64)
    left, top, right, bottom = np.clip(np.ceil(box - 0.5), 0, limits).astype(int).tolist()
    return slice(top, max(top, bottom)), slice(left, max(left, right))


def _enclosed(ring: np.ndarray, window: tuple[slice, slice]) -> np.ndarray:
    """Returns bool[h, w]: which pixels of a window have their centre inside a ring, float64[P, 2].

    Along the centres of a row, each edge that crosses it turns outside to inside, or back, from its own pixel on.
    """
    (top, bottom), (left, right) = ((part.start, part.stop) for part in window)
    height, width = bottom - top, right - left
    starts, ends = ring, np.roll(ring, -1, axis=0)
    low, high = np.minimum(starts[:, 1], ends[:, 1]), np.maximum(starts[:, 1], ends[:, 1])
    first, last = (np.clip(np.ceil(each - 0.5), top, bottom).astype(np.int64) for each in (low, high))
    num_rows = np.maximum(last - first, 0)
    edge = np.repeat(np.arange(len(ring)), num_rows)
    rows = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(num_rows) - num_rows, num_rows)
    share = (rows + 0.5 - starts[edge, 1]) / (ends[edge, 1] - starts[edge, 1])
    crossings = starts[edge, 0] + share * (ends[edge, 0] - starts[edge, 0])
    columns = np.clip(np.ceil(crossings - 0.5), left, right).astype(np.int64)
    turns = np.bincount((rows - top) * (width + 1) + columns - left, minlength=height * (width + 1))
    return np.cumsum(turns.reshape(height, width + 1), axis=1)[:, :width] % 2 == 1


def _bitmap_window(shape: Bitmap, size: tuple[int, int]) -> tuple[tuple[slice, slice], np.ndarray]:
    height, width = shape.pixels.shape
    top, bottom = (min(max(row, 0), size[0]) for row in (shape.top, shape.top + height))
    left, right = (min(max(column, 0), size[1]) for column in (shape.left, shape.left + width))
    part = shape.pixels[top - shape.top : bottom - shape.top, left - shape.left : right - shape.left]
    return (slice(top, bottom), slice(left, right)), part


def _fitted(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns the mask with as many rows and columns as the picture has."""
    if mask.shape == size:
        return mask
    fitted = np.zeros(size, bool)
    rows, columns = (min(pair) for pair in zip(mask.shape, size, strict=True))
    fitted[:rows, :columns] = mask[:rows, :columns]
    return fitted


def decode(runs: RunLengths) -> np.ndarray:
    """Returns bool[H, W].

    Raises:
        BadValueError: the runs are no code of a picture of this size.
    """
    height, width = runs.size
    check_pixels(height, width, "a run-length code")
    counts = _counts_of_text(runs.counts) if isinstance(runs.counts, bytes) else runs.counts
    if (counts < 0).any() or (counts > height * width).any() or int(counts.sum()) != height * width:
        raise _bad_runs(runs)
    inside = np.arange(len(counts)) % 2 == 1
    return np.repeat(inside, counts).reshape(width, height).T


def _counts_of_text(text: bytes) -> np.ndarray:
    """Returns int64[N], the runs that COCO's text stands for; what is no such text gives runs that do not fit.

    Each character above "0" has five bits, lowest first, and a sixth that says that the number goes on; the highest bit
    of a number is its sign. From the fourth number on each is the difference to the one two before it.
    """
    codes = np.frombuffer(text, np.uint8).astype(np.int64) - ord("0")
    is_last = (codes & 0x20) == 0
    if not len(codes) or not is_last[-1]:
        return np.zeros(0, np.int64)
    ends = np.flatnonzero(is_last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    place = np.minimum(np.arange(len(codes)) - np.repeat(starts, ends - starts + 1), MOST_CHARACTERS)
    numbers = np.add.reduceat((codes & 0x1F) << (5 * place), starts)
    is_negative = (codes[ends] & 0x10) != 0
    numbers -= is_negative * (1 << (5 * (place[ends] + 1)))
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers


def encode(mask: np.ndarray) -> list[int]:
    """Returns the runs of bool[H, W], column by column, beginning with what is outside."""
    flat = np.concatenate([[False], mask.T.reshape(-1)])
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]), [flat.size - 1]])
    return np.diff(starts).tolist()


def rings_of(points: Sequence[object]) -> np.ndarray | None:
    """Returns the points of a polygon, float64[P, 2]; None where they are no three or more pairs of numbers."""
    try:
        ring = np.array(points, np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    if ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < FEWEST_POINTS or not np.isfinite(ring).all():
        return None
    return ring


def _bad_runs(runs: RunLengths) -> BadValueError:
    return BadValueError(
        f"a run-length code of {runs.size[0]} x {runs.size[1]} pixels does not have that many: {short(runs.counts)}; "
        "repair the file"
    )
