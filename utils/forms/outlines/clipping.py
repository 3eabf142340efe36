"""The part of an outline that lies inside its picture."""

import numpy as np

from utils.forms.outlines.shapes import Bitmap, Disk, Polygons, RunLengths, Shape, area_of, box_of, window_of

X, Y = 0, 1
FARTHEST = 1e9  # of a point from the picture's corner; differences of larger numbers may be none


def is_inside(shape: Shape, size: tuple[int, int]) -> bool:
    """Whether an outline leaves a picture of `size` (height, width) nowhere; run-length codes never do."""
    if isinstance(shape, RunLengths):
        return True
    left, top, right, bottom = box_of(shape)
    return bool(left >= 0 and top >= 0 and right <= size[1] and bottom <= size[0])


def inside_of(shape: Shape, size: tuple[int, int]) -> Shape | None:
    """Returns the part of an outline inside a picture of `size` (height, width); None where there is none.

    Polygons stay polygons, cut at the border; of a circle the pixels remain.
    """
    if isinstance(shape, Polygons):
        rings = _clipped_rings(shape.rings, size)
        clipped = Polygons(rings, _clipped_rings(shape.holes, size))
        return clipped if rings else None
    if isinstance(shape, Disk | Bitmap):
        (rows, columns), pixels = window_of(shape, size)
        return Bitmap(pixels, columns.start, rows.start) if pixels.any() else None
    return shape


def _clipped_rings(rings: tuple[np.ndarray, ...], size: tuple[int, int]) -> tuple[np.ndarray, ...]:
    clipped = (_clipped(ring, size) for ring in rings)
    return tuple(ring for ring in clipped if len(ring) and _encloses(Polygons((ring,)), size))


def _encloses(ring: Polygons, size: tuple[int, int]) -> bool:
    """Whether a ring is more than lines along the border; of one that crosses itself the area may be 0 all the same."""
    return area_of(ring) > 0 or bool(window_of(ring, size)[1].any())


def _clipped(ring: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns a ring, float64[P, 2], cut at each side of a picture in turn (Sutherland and Hodgman 1974).

    Parts that the border separates stay connected along it, by lines that enclose nothing.
    """
    ring = np.clip(ring, -FARTHEST, FARTHEST)
    for axis, limit, sign in ((X, 0.0, -1.0), (X, float(size[1]), 1.0), (Y, 0.0, -1.0), (Y, float(size[0]), 1.0)):
        beyond = sign * (ring[:, axis] - limit)
        ends, ends_beyond = np.roll(ring, -1, axis=0), np.roll(beyond, -1)
        is_kept, is_crossed = beyond <= 0, (beyond <= 0) != (ends_beyond <= 0)
        share = np.where(is_crossed, beyond / np.where(is_crossed, beyond - ends_beyond, 1.0), 0.0)
        crossings = ring + share[:, None] * (ends - ring)
        crossings[:, axis] = limit
        points, is_point = np.stack([ring, crossings], axis=1), np.stack([is_kept, is_crossed], axis=1)
        ring = points[is_point]
    return ring
