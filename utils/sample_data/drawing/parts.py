"""What toy objects are made of: flat coloured polygons, grouped in faces, grouped in items that stand in the world.

Local axes of an item, in metres: forward (where it heads), up (from the ground), across (to its left).
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

Colour = tuple[float, float, float]  # RGB, 0-255, as in plain daylight


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
        parts: the polygons, at least one.
        normal: float[3], outward direction in local axes: hidden from behind, shaded. None: seen from everywhere.
        layer: faces of an item are drawn by layer, then from far to near.
    """

    parts: tuple[Part, ...]
    normal: np.ndarray | None = None
    layer: int = 0


class Halo(NamedTuple):
    """The glow around a lamp: its place (forward, up, across) in local metres, its radius in metres and its colour."""

    point: tuple[float, float, float]
    radius: float
    colour: Colour


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
        halos: of its lamps.
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
    halos: tuple[Halo, ...] = ()

    @property
    def points(self) -> np.ndarray:
        """float[N, 3], the corners of all its parts in local metres."""
        return np.concatenate([part.points for face in self.faces for part in face.parts])

    def moved(self, x: float, z: float, heading: float) -> "Item":
        """The item in a frame that is turned by `heading` and then moved to (x, z)."""
        shifted = replace(self, x=x, z=z, heading=heading)
        x, _, z = shifted.world(np.array([self.x, 0.0, self.z]))
        return replace(self, x=float(x), z=float(z), heading=heading + self.heading)

    def world(self, points: np.ndarray) -> np.ndarray:
        """Turns local points float[..., 3] into world points float[..., 3], metres both."""
        cosine, sine = np.cos(self.heading), np.sin(self.heading)
        return points @ np.array([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]]) + [self.x, 0.0, self.z]
