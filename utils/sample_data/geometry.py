"""Polygons and curves in a plane, in metres: x to the right or forward, y up. Points are float[N, 2]."""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from utils.sample_data.files import table

HALF_CIRCLE = np.column_stack([-np.sin(np.linspace(0, np.pi, 7)), np.cos(np.linspace(0, np.pi, 7))])  # float[7, 2]
TINY = 1e-6  # metres; keeps divisions by a length finite
CORNER = np.linspace(0, np.pi / 2, 6)  # angles of a round corner
GLYPH_WIDTH, GLYPH_STEP, GLYPH_HEIGHT = 4.0, 5.6, 6.0  # units of tables/letters.json


@functools.lru_cache(maxsize=256)
def circle(count: int, turn: float) -> np.ndarray:
    """float[count, 2], points on the unit circle, anticlockwise from the angle `turn`; do not write into it."""
    angles = np.arange(count) * (2 * np.pi / count) + turn
    return np.column_stack([np.cos(angles), np.sin(angles)])


def box(sides: Sequence[float], corner: float = 0.0) -> list[np.ndarray]:
    """A rectangle (left, low, right, high); `corner` is the radius of its corners."""
    left, low, right, high = sides
    if not corner:
        return [np.array([[left, low], [right, low], [right, high], [left, high]], dtype=np.float64)]
    turns = np.concatenate([CORNER + turn for turn in (0.0, np.pi / 2, np.pi, 3 * np.pi / 2)])
    x = np.repeat([right - corner, left + corner, left + corner, right - corner], len(CORNER))
    y = np.repeat([high - corner, high - corner, low + corner, low + corner], len(CORNER))
    return [np.column_stack([x + corner * np.cos(turns), y + corner * np.sin(turns)])]


def ellipse(body: Sequence[float], corners: int = 20, turn: float = 0.0) -> list[np.ndarray]:
    """(x, y, radius) or (x, y, radius x, radius y); a regular polygon when `corners` is small, the first at `turn`."""
    return [circle(corners, turn) * (body[2], body[-1]) + tuple(body[:2])]


def ring(body: Sequence[float], corners: int = 28) -> list[np.ndarray]:
    """An annulus (x, y, outer radius, inner radius) as one polygon with a seam."""
    x, y, outer, inner = body
    rim = circle(corners, 0.0)
    return [np.concatenate([rim * outer, rim[:1] * outer, rim[:1] * inner, rim[::-1] * inner]) + (x, y)]


def polygon(points: Sequence, smooth: int = 0) -> list[np.ndarray]:
    """Points, whose corners are cut off `smooth` times."""
    return [rounded_off(points, smooth) if smooth else np.array(points, dtype=np.float64)]


def line(points: Sequence, width: float) -> list[np.ndarray]:
    """Rods with round ends along a polyline."""
    corners = np.array(points, dtype=np.float64)
    return list(_rods(corners[:-1], corners[1:], width / 2, width / 2))


def limb(body: Sequence) -> list[np.ndarray]:
    """A rod with round ends: (start, end, radius) or (start, end, start radius, end radius)."""
    start, end = np.array([body[:2]], dtype=np.float64).swapaxes(0, 1)
    return list(_rods(start, end, body[2], body[-1]))


def _rods(starts: np.ndarray, ends: np.ndarray, first: float, last: float) -> np.ndarray:
    """float[N, 14, 2], rods with round ends between float[N, 2] and float[N, 2]; radii in metres at both."""
    gaps = ends - starts
    along = (gaps / np.maximum(np.linalg.norm(gaps, axis=1, keepdims=True), TINY))[:, None]
    arcs = HALF_CIRCLE[:, :1] * along + HALF_CIRCLE[:, 1:] * along[..., ::-1] * (-1.0, 1.0)
    return np.concatenate([starts[:, None] + first * arcs, ends[:, None] - last * arcs], axis=1)


@functools.cache
def _glyphs() -> dict[str, np.ndarray]:
    """The strokes float[N, 2, 2] of each character as pairs of ends, in its units."""
    glyphs = {}
    for character, strokes in table("letters")["strokes"].items():
        lines = [[[int(digit) for digit in point] for point in stroke.split("-")] for stroke in strokes.split()]
        pairs = [pair for line in lines for pair in zip(line[:-1], line[1:], strict=True)]
        glyphs[character] = np.array(pairs, dtype=np.float64).reshape(-1, 2, 2)
    return glyphs


def text(word: str, at: Sequence[float], height: float, bold: float = 0.16) -> list[np.ndarray]:
    """Capital letters, digits and spaces centred `at`; `bold` is the width of strokes as a share of the height."""
    unit = height / GLYPH_HEIGHT
    start = at[0] - (len(word) * GLYPH_STEP - (GLYPH_STEP - GLYPH_WIDTH)) * unit / 2
    strokes = np.concatenate([_glyphs()[letter] + (index * GLYPH_STEP, 0.0) for index, letter in enumerate(word)])
    strokes = strokes * unit + (start, at[1] - height / 2)
    return list(_rods(strokes[:, 0], strokes[:, 1], bold * height / 2, bold * height / 2))


SHAPES: dict[str, Callable[..., list[np.ndarray]]] = {
    shape.__name__: shape for shape in (box, ellipse, ring, polygon, line, limb, text)
}


def rounded_off(points: Sequence, times: int, *, closed: bool = True) -> np.ndarray:
    """Cuts the corners off a line (Chaikin); an open line keeps its ends."""
    corners = np.asarray(points, dtype=np.float64)
    for _ in range(times):
        following = np.roll(corners, -1, axis=0) if closed else corners[1:]
        current = corners if closed else corners[:-1]
        cut = np.stack([0.75 * current + 0.25 * following, 0.25 * current + 0.75 * following], axis=1).reshape(-1, 2)
        corners = cut if closed else np.concatenate([corners[:1], cut[1:-1], corners[-1:]])
    return corners


def at(x: float, y: float) -> np.ndarray:
    """A point float[2], to be added to others."""
    return np.array([x, y], dtype=np.float64)


def hang(angle: float) -> np.ndarray:
    """float[2], the direction that is `angle` radians forward from straight down."""
    return np.array([np.sin(angle), -np.cos(angle)])


def joint(start: Sequence[float], end: Sequence[float], first: float, second: float, bend: int) -> np.ndarray:
    """float[2], where the knee or elbow is between two ends of limbs (metres); `bend` is the side, +1 or -1."""
    gap = np.subtract(end, start)
    length = max(float(np.hypot(*gap)), TINY)
    reach = min(length, first + second - TINY)  # a hair less than stretched out, so that the root is real
    along = (first**2 - second**2 + reach**2) / (2 * reach)
    aside = np.sqrt(max(first**2 - along**2, 0.0))
    return start + gap / length * along + bend * aside * np.array([-gap[1], gap[0]]) / length


def arc(x: float, y: float, radius: Sequence[float], start: float, end: float, count: int) -> np.ndarray:
    """float[count, 2], a piece of an ellipse around (x, y) with two radii, between angles in radians."""
    angles = np.linspace(start, end, count)
    return np.column_stack([x + radius[0] * np.cos(angles), y + radius[1] * np.sin(angles)])


def zigzag(left: float, right: float, low: float, depth: float, count: int) -> np.ndarray:
    """float[count, 2], a line from left to right of which every second point is `depth` higher."""
    return np.column_stack([np.linspace(left, right, count), low + depth * (np.arange(count) % 2)])


def join(*lines: Sequence) -> np.ndarray:
    """One line of several."""
    return np.concatenate([np.asarray(points, dtype=np.float64) for points in lines])


def hills(rng: np.random.Generator, left: float, right: float, low: float, high: float, count: int) -> np.ndarray:
    """float[count, 2], a rolling, ragged line from left to right between two heights."""
    x = np.linspace(left, right, count)
    swell = 0.5 + 0.3 * np.sin(x / 9.0 + rng.uniform(0.0, 2 * np.pi))  # waves of 57 m
    return np.column_stack([x, low + (high - low) * (swell + rng.uniform(-0.2, 0.2, count))])


def leaves(rng: np.random.Generator, body: Sequence[float], size: Sequence[float], count: int, square: bool) -> tuple:
    """Clumps of leaves in the ellipse `body` (x, y, radius x, radius y), or in the rectangle around it if `square`.

    Returns:
        float[count, 11, 2] clumps with radii between the two of `size`, in drawing order: those below and inside first;
        and float[count] how high in the region each is, 0 to 1.
    """
    if square:
        spots = rng.uniform(-1.0, 1.0, (count, 2))
    else:
        angle, radius = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.random(count))
        spots = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    height = (spots[:, 1] + 1.0) / 2
    order = np.argsort(height + rng.normal(0, 0.12, count))
    clumps = circle(11, 0.0) * [1.0, 0.82] + rng.normal(0, 0.1, (count, 11, 2))  # flattish and ragged
    clumps = clumps * rng.uniform(size[0], size[1], (count, 1, 1)) + (spots * body[2:] + tuple(body[:2]))[:, None]
    return clumps[order], height[order]
