"""What toy objects are made of: flat coloured polygons, grouped in faces, grouped in items that stand in the world.

Local axes of an item, in metres: forward (where it heads), up (from the ground), across (to its left). A flat sprite
has across = 0.
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

Colour = tuple[float, float, float]  # RGB, 0-255, as in plain daylight
HALF_CIRCLE = np.column_stack(
    [np.cos(np.linspace(np.pi / 2, 3 * np.pi / 2, 7)), np.sin(np.linspace(np.pi / 2, 3 * np.pi / 2, 7))]
)  # float[7, 2]
BLACK: Colour = (22, 22, 26)
WHITE: Colour = (244, 244, 240)


class Part(NamedTuple):
    """One polygon.

    Args:
        points: float[N, 3], local metres (forward, up, across).
        colour: its colour in daylight.
        solid: whether it belongs to the silhouette, which is what gets labelled.
        glow: whether it shines by itself (lamps, lit windows): not darkened at night.
    """

    points: np.ndarray
    colour: Colour
    solid: bool = True
    glow: bool = False


@dataclass(frozen=True, eq=False)
class Face:
    """Parts in drawing order that are seen together.

    Args:
        parts: the polygons.
        normal: float[3], outward direction in local axes: hidden from behind, shaded. None: seen from everywhere.
        layer: faces of an item are drawn by layer, then from far to near.
    """

    parts: tuple[Part, ...]
    normal: np.ndarray | None = None
    layer: int = 0


@dataclass(frozen=True, eq=False)
class Item:
    """An object in the world.

    Args:
        label: Cityscapes label, None for what has none of its own (markings on the road).
        faces: what it looks like.
        x: world metres to the right.
        z: world metres away from the camera.
        heading: angle of the forward axis in radians: 0 to the right, pi / 2 away from the camera.
        category: COCO category name of a detection target, else None.
        footprint: half length and half width of its shadow on the ground, in metres; zeros for none.
        soft: whether it is rounded off by light and shade at its outline.
        crowd: whether it is a group that nobody would separate.
        texture: name of the texture laid over it, or "".
    """

    label: str | None
    faces: tuple[Face, ...]
    x: float = 0.0
    z: float = 0.0
    heading: float = 0.0
    category: str | None = None
    footprint: tuple[float, float] = (0.0, 0.0)
    soft: bool = False
    crowd: bool = False
    texture: str = ""
    glows: tuple[tuple[np.ndarray, float, Colour], ...] = field(
        default=()
    )  # (local point, radius in metres, colour) of halos

    def world(self, points: np.ndarray) -> np.ndarray:
        """Turns local points float[..., 3] into world points float[..., 3], metres both."""
        cosine, sine = np.cos(self.heading), np.sin(self.heading)
        return points @ np.array([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]]) + [self.x, 0.0, self.z]


def sprite(parts: Iterable[Part]) -> tuple[Face, ...]:
    """Wraps parts that are seen from every side into the faces of an item."""
    return (Face(tuple(parts)),)


def flat(
    points: np.ndarray | Sequence, colour: Colour, across: float = 0.0, *, solid: bool = True, glow: bool = False
) -> Part:
    """Makes a part in the plane of heading from float[N, 2] (forward, up) metres."""
    return Part(_lifted(points, (0, 1), 2, across), colour, solid, glow)


def upright(
    points: np.ndarray | Sequence, colour: Colour, forward: float = 0.0, *, solid: bool = True, glow: bool = False
) -> Part:
    """Makes a part in the plane square to the heading from float[N, 2] (across, up) metres."""
    return Part(_lifted(points, (2, 1), 0, forward), colour, solid, glow)


def ground(points: np.ndarray | Sequence, colour: Colour, up: float = 0.0, *, solid: bool = True) -> Part:
    """Makes a lying part from float[N, 2] (forward, across) metres."""
    return Part(_lifted(points, (0, 2), 1, up), colour, solid)


def _lifted(points: np.ndarray | Sequence, axes: tuple[int, int], constant: int, value: float) -> np.ndarray:
    """Puts float[N, 2] on two of three axes; the third is constant."""
    plane = np.asarray(points, dtype=np.float64)
    solid = np.empty((len(plane), 3))
    solid[:, axes[0]], solid[:, axes[1]], solid[:, constant] = plane[:, 0], plane[:, 1], value
    return solid


def box(left: float, low: float, right: float, high: float) -> np.ndarray:
    """float[4, 2], a rectangle."""
    return np.array([[left, low], [right, low], [right, high], [left, high]], dtype=np.float64)


@functools.lru_cache(maxsize=256)
def circle(count: int, turn: float) -> np.ndarray:
    """float[count, 2], points on the unit circle, anticlockwise from the angle `turn`; do not write into it."""
    angles = np.arange(count) * (2 * np.pi / count) + turn
    return np.column_stack([np.cos(angles), np.sin(angles)])


def ellipse(
    x: float, y: float, radius_x: float, radius_y: float | None = None, count: int = 20, turn: float = 0.0
) -> np.ndarray:
    """float[count, 2], an ellipse, or a regular polygon when `count` is small; `turn` in radians is where it starts."""
    return circle(count, turn) * (radius_x, radius_x if radius_y is None else radius_y) + (x, y)


def ring(x: float, y: float, outer: float, inner: float, count: int = 28) -> np.ndarray:
    """float[2 * count + 2, 2], an annulus as one polygon with a seam."""
    outline = ellipse(x, y, outer, count=count)
    hole = ellipse(x, y, inner, count=count)
    return np.concatenate([outline, outline[:1], hole[:1], hole[::-1]])


def limb(
    start: Sequence[float], end: Sequence[float], start_radius: float, end_radius: float | None = None
) -> np.ndarray:
    """float[14, 2], a tapered rod with round ends."""
    end_radius = start_radius if end_radius is None else end_radius
    first, last = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    direction = np.arctan2(last[1] - first[1], last[0] - first[0])
    arc = HALF_CIRCLE @ np.array([[np.cos(direction), np.sin(direction)], [-np.sin(direction), np.cos(direction)]])
    return np.concatenate([first + start_radius * arc, last - end_radius * arc])


def stroke(points: np.ndarray | Sequence, width: float) -> list[np.ndarray]:
    """Rods of `width` metres along a polyline float[N, 2]."""
    line = np.asarray(points, dtype=np.float64)
    return [limb(line[index], line[index + 1], width / 2) for index in range(len(line) - 1)]


def smooth(points: np.ndarray | Sequence, times: int = 2, *, closed: bool = True) -> np.ndarray:
    """Rounds off the corners of a polygon float[N, 2] (Chaikin); an open line keeps its ends."""
    line = np.asarray(points, dtype=np.float64)
    for _ in range(times):
        following = np.roll(line, -1, axis=0) if closed else line[1:]
        current = line if closed else line[:-1]
        cut = np.stack([0.75 * current + 0.25 * following, 0.25 * current + 0.75 * following], axis=1).reshape(
            -1, line.shape[1]
        )
        line = cut if closed else np.concatenate([line[:1], cut[1:-1], line[-1:]])
    return line


def rounded(left: float, low: float, right: float, high: float, radius: float) -> np.ndarray:
    """float[24, 2], a rectangle with round corners."""
    angles = np.linspace(0, np.pi / 2, 6)
    corners = [
        (right - radius, high - radius, 0.0),
        (left + radius, high - radius, np.pi / 2),
        (left + radius, low + radius, np.pi),
        (right - radius, low + radius, 3 * np.pi / 2),
    ]
    return np.concatenate(
        [
            np.column_stack([x + radius * np.cos(angles + turn), y + radius * np.sin(angles + turn)])
            for x, y, turn in corners
        ]
    )


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The colour that is `share` of the way from the first to the second."""
    return tuple(a + (b - a) * share for a, b in zip(first, second, strict=True))


def tone(colour: Colour, factor: float) -> Colour:
    """The colour made darker (below 1) or lighter (above 1), within 0-255."""
    return tuple(min(255.0, channel * factor) for channel in colour)


def moved(
    parts: Iterable[Part], forward: float = 0.0, up: float = 0.0, across: float = 0.0, scale: float = 1.0
) -> list[Part]:
    """Copies of parts, scaled around the origin and then shifted, in metres."""
    shift = np.array([forward, up, across])
    return [Part(part.points * scale + shift, part.colour, part.solid, part.glow) for part in parts]


def pick(rng: np.random.Generator, options: Sequence) -> object:
    """One of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]
