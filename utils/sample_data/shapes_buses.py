"""City buses. Lengths in metres."""

import numpy as np

from utils.sample_data.lettering import lettering
from utils.sample_data.parts import (
    BLACK,
    WHITE,
    Colour,
    Face,
    Item,
    box,
    ellipse,
    flat,
    mix,
    pick,
    rounded,
    smooth,
    stroke,
    tone,
    upright,
)
from utils.sample_data.shapes_vehicles import GLASS, HEAD_LAMP, TAIL_LAMP, pulled_out, side_normal, wheels

LIVERIES: tuple[tuple[Colour, Colour], ...] = (
    ((200, 36, 40), (240, 232, 214)),
    ((242, 178, 28), (40, 44, 52)),
    ((36, 120, 92), (240, 238, 226)),
    ((38, 92, 168), (236, 238, 240)),
    ((238, 238, 232), (210, 60, 40)),
)


def bus(rng: np.random.Generator, x: float, z: float, heading: float, lights_on: bool) -> Item:
    """A city bus with rows of windows, doors on its right side and a route number."""
    paint, band = pick(rng, LIVERIES)
    half_length, half, roof, route = float(rng.uniform(3.9, 4.7)), 1.22, 2.95, str(rng.integers(1, 99))
    profile = smooth(
        [
            (-half_length, 0.32),
            (-half_length - 0.04, 1.4),
            (-half_length, roof - 0.3),
            (-half_length + 0.08, roof),
            (-half_length + 0.5, roof),
            (half_length - 0.5, roof),
            (half_length - 0.1, roof),
            (half_length, roof - 0.35),
            (half_length + 0.06, 1.3),
            (half_length, 0.32),
        ],
        1,
        closed=False,
    )
    faces = wheels((-half_length + 1.7, half_length - 1.7), 0.47, half - 0.01, 0.3)
    faces.append(Face((flat(box(-half_length + 0.5, 0.22, half_length - 0.5, 0.6), BLACK),), None, 0))
    faces += pulled_out(profile, lambda height: half - 0.1 * np.clip((height - 2.5) / 0.45, 0, 1), paint)
    inside = (255, 236, 176) if lights_on else GLASS
    faces += [
        _bus_flank(
            side,
            half_length=half_length,
            across=half + 0.012,
            band=band,
            paint=paint,
            inside=inside,
            lights_on=lights_on,
            route=route,
        )
        for side in (-1, 1)
    ]
    faces += _bus_ends(half_length, half, band, inside, lights_on, route)
    halos = (
        tuple((np.array([half_length, 0.75, side * 0.85]), 0.32, HEAD_LAMP) for side in (-1, 1)) if lights_on else ()
    )
    return Item("bus", tuple(faces), x, z, heading, "bus", (half_length, 1.3), glows=halos)


def _bus_flank(
    side: int,
    *,
    half_length: float,
    across: float,
    band: Colour,
    paint: Colour,
    inside: Colour,
    lights_on: bool,
    route: str,
) -> Face:
    """Window row, band, route sign and, on the right side, doors."""
    across *= side
    parts = [
        flat(box(-half_length, 0.98, half_length, 1.22), band, across, solid=False),
        flat(box(-half_length, 0.34, half_length, 0.44), tone(paint, 0.4), across, solid=False),
        flat(rounded(-half_length + 0.25, 1.36, half_length - 0.15, 2.42, 0.12), BLACK, across, solid=False),
    ]
    doors = [half_length - 0.85, -0.4] if side < 0 else []
    edges = np.linspace(-half_length + 0.3, half_length - 0.2, 8)
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        parts += [
            flat(box(start + 0.05, 1.42, end - 0.05, 2.36), inside, across, solid=False, glow=lights_on),
            flat(box(start + 0.05, 2.12, end - 0.05, 2.16), BLACK, across, solid=False),
            flat(
                [(start + 0.15, 1.42), (start + 0.35, 1.42), (start + 0.75, 2.36), (start + 0.55, 2.36)],
                mix(inside, WHITE, 0.3),
                across,
                solid=False,
                glow=lights_on,
            ),
        ]
    for door in doors:
        parts += [flat(box(door - 0.6, 0.42, door + 0.6, 2.42), (46, 50, 56), across, solid=False)]
        parts += [
            flat(
                box(door + shift, 0.55, door + shift + 0.5, 2.34),
                mix(inside, WHITE, 0.12),
                across,
                solid=False,
                glow=lights_on,
            )
            for shift in (-0.54, 0.04)
        ]
    parts += [flat(box(0.9, 2.5, 2.5, 2.8), BLACK, across, solid=False)]
    parts += [
        flat(points, (255, 176, 40), across, solid=False, glow=True)
        for points in _facing(lettering("BUS " + route, 1.7, 2.65, 0.2), side, 1.7)
    ]
    return Face(tuple(parts), side_normal(side), 3)


def _facing(polygons: list[np.ndarray], side: int, centre: float) -> list[np.ndarray]:
    """Mirrors lettering on the left side, where forward runs to the left of the reader."""
    return [np.column_stack([2 * centre - points[:, 0], points[:, 1]]) for points in polygons] if side > 0 else polygons


def _bus_ends(half_length: float, half: float, band: Colour, inside: Colour, lights_on: bool, route: str) -> list[Face]:
    """Windscreen, display, lamps and bumpers."""
    front, rear = half_length + 0.07, -half_length - 0.06
    ahead = [
        upright(rounded(-half + 0.08, 1.05, half - 0.08, 2.35, 0.12), BLACK, front, solid=False),
        upright(box(-half + 0.14, 1.12, half - 0.14, 2.3), inside, front, solid=False, glow=lights_on),
        upright(
            [(-0.8, 1.12), (-0.4, 1.12), (0.1, 2.3), (-0.3, 2.3)],
            mix(inside, WHITE, 0.35),
            front,
            solid=False,
            glow=lights_on,
        ),
        upright(box(-0.02, 1.1, 0.02, 2.3), BLACK, front, solid=False),
        upright(box(-0.85, 2.42, 0.85, 2.8), BLACK, front, solid=False),
        upright(box(-half, 0.34, half, 0.46), (40, 42, 46), front, solid=False),
        upright(box(-0.3, 0.5, 0.3, 0.62), WHITE, front, solid=False),
        upright(box(-0.5, 0.78, 0.5, 0.95), band, front, solid=False),
    ]
    ahead += [
        upright(np.column_stack([points[:, 0], points[:, 1]]), (255, 176, 40), front + 0.01, solid=False, glow=True)
        for points in lettering("BUS " + route, 0, 2.61, 0.24)
    ]
    behind = [
        upright(rounded(-0.85, 1.5, 0.85, 2.3, 0.1), inside, rear, solid=False, glow=lights_on),
        upright(box(-half, 0.34, half, 0.46), (40, 42, 46), rear, solid=False),
        upright(box(-0.9, 0.6, 0.9, 1.0), tone(band, 0.55), rear, solid=False),
        upright(box(-0.26, 0.62, 0.26, 0.74), WHITE, rear, solid=False),
    ]
    behind += [upright(box(-0.7, height, 0.7, height + 0.04), BLACK, rear, solid=False) for height in (0.8, 0.88)]
    for side in (-1, 1):
        ahead.append(
            upright(ellipse(side * 0.9, 0.75, 0.19, 0.12), HEAD_LAMP, front + 0.01, solid=False, glow=lights_on)
        )
        behind.append(
            upright(box(side * 1.04 - 0.1, 0.62, side * 1.04 + 0.1, 1.3), TAIL_LAMP, rear, solid=False, glow=lights_on)
        )
        mirror = upright(
            rounded(side * (half + 0.12) - 0.09, 1.7, side * (half + 0.12) + 0.09, 2.2, 0.06), BLACK, front
        )
        ahead += [mirror, upright(stroke([(side * half, 2.3), (side * (half + 0.12), 2.2)], 0.04)[0], BLACK, front)]
    return [Face(tuple(ahead), np.array([1.0, 0, 0]), 3), Face(tuple(behind), np.array([-1.0, 0, 0]), 3)]
