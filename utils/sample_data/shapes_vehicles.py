"""What cars, trucks and buses have in common: a side profile pulled out to the vehicle's width, wheels, windscreens.

Lengths in metres; a vehicle heads forward, its origin lies on the ground under its middle.
"""

from collections.abc import Callable, Sequence

import numpy as np

from utils.sample_data.parts import WHITE, Colour, Face, Part, box, ellipse, flat, limb, mix, tone, upright

GLASS: Colour = (66, 84, 98)
RUBBER: Colour = (34, 34, 37)
HEAD_LAMP: Colour = (255, 250, 222)
TAIL_LAMP: Colour = (196, 26, 30)
PAINTS: tuple[Colour, ...] = (
    (188, 32, 38),
    (30, 76, 158),
    (228, 230, 230),
    (58, 62, 70),
    (166, 172, 178),
    (240, 184, 32),
    (28, 110, 78),
    (226, 108, 34),
    (96, 160, 200),
    (120, 34, 62),
    (222, 206, 170),
    (30, 34, 40),
)
Profile = Sequence[tuple[float, float]]


def side_normal(side: int) -> np.ndarray:
    """The outward direction of the left (1) or right (-1) flank."""
    return np.array([0.0, 0.0, float(side)])


def pulled_out(profile: np.ndarray, half_width: Callable[[np.ndarray], np.ndarray], paint: Colour) -> list[Face]:
    """Skins a profile: one strip per edge and the two flanks.

    Args:
        profile: float[N, 2], (forward, up) from the rear's lower edge over the top to the front's.
        half_width: half the width at given heights.
        paint: colour of all faces.

    Returns:
        N - 1 strips and 2 flanks, each with its outward normal.
    """
    half = half_width(profile[:, 1])
    left = np.column_stack([profile, half])
    right = np.column_stack([profile, -half])
    steps = np.diff(profile, axis=0)
    normals = (
        np.column_stack([-steps[:, 1], steps[:, 0], np.zeros(len(steps))]) / np.linalg.norm(steps, axis=1)[:, None]
    )
    faces = [
        Face(
            (Part(np.stack([left[index], left[index + 1], right[index + 1], right[index]]), paint),), normals[index], 1
        )
        for index in range(len(steps))
    ]
    flanks = [Face((Part(outline, paint),), side_normal(side), 1) for outline, side in ((left, 1), (right, -1))]
    return faces + flanks


def wheels(axles: Sequence[float], radius: float, half_width: float, tyre: float) -> list[Face]:
    """Wheels on both sides: thick tyres seen from the ends (layer 0), arches and discs on the flanks (4, 5)."""
    faces = []
    for axle in axles:
        for side in (-1, 1):
            inner, outer = side * (half_width - tyre), side * half_width
            tread = upright(box(min(inner, outer), 0.0, max(inner, outer), radius * 1.6), RUBBER, axle)
            faces.append(Face((tread, flat(ellipse(axle, radius, radius), RUBBER, outer)), None, 0))
            spokes = [
                flat(limb((axle, radius), point, radius * 0.07), (120, 122, 126), outer, solid=False)
                for point in ellipse(axle, radius, radius * 0.52, count=5, turn=0.3)
            ]
            arch = flat(ellipse(axle, radius, radius * 1.18), (20, 20, 22), outer, solid=False)
            disc = [
                flat(ellipse(axle, radius, radius), RUBBER, outer),
                flat(ellipse(axle, radius, radius * 0.62), (196, 198, 202), outer, solid=False),
                *spokes,
                flat(ellipse(axle, radius, radius * 0.16, count=10), (90, 92, 96), outer, solid=False),
            ]
            faces += [Face((arch,), side_normal(side), 4), Face(tuple(disc), side_normal(side), 5)]
    return faces


def pane(ends: Profile, half_low: float, half_high: float, lift: float = 0.01) -> Face:
    """A windscreen or rear window between its lower and upper end (forward, up), a little proud of the body."""
    (low_x, low_y), (high_x, high_y) = ends
    outwards = 1.0 if low_x > high_x else -1.0
    normal = np.array([outwards * (high_y - low_y), abs(low_x - high_x), 0.0])
    normal /= np.linalg.norm(normal)

    def quad(start: float, end: float, bottom: float, top: float) -> np.ndarray:
        """Corners at shares (across from -1 to 1, up from 0 to 1)."""
        corners = [
            (start, bottom),
            (end, bottom),
            (end + 0.25 * (top - bottom) * (end < 1), top),
            (start + 0.25 * (top - bottom) * (start > -1), top),
        ]
        return (
            np.array(
                [
                    [
                        low_x + (high_x - low_x) * up,
                        low_y + (high_y - low_y) * up,
                        share * (half_low + (half_high - half_low) * up),
                    ]
                    for share, up in corners
                ]
            )
            + normal * lift
        )

    parts = (
        Part(quad(-1, 1, 0, 1), GLASS, False),
        Part(quad(-1, 1, 0.62, 1), tone(GLASS, 1.35), False),
        Part(quad(-0.55, -0.2, 0.05, 0.95), mix(GLASS, WHITE, 0.4), False),
    )
    return Face(parts, normal, 2)
