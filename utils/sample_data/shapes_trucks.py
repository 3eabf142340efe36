"""Trucks: a cab and a load behind it, a box or a tipper's tray."""

import numpy as np

from utils.sample_data.lettering import lettering
from utils.sample_data.parts import (
    BLACK,
    WHITE,
    Colour,
    Face,
    Item,
    Part,
    box,
    ellipse,
    flat,
    mix,
    pick,
    rounded,
    smooth,
    tone,
    upright,
)
from utils.sample_data.shapes_vehicles import GLASS, HEAD_LAMP, PAINTS, TAIL_LAMP, pane, pulled_out, wheels

HALF_WIDTH = 1.15
CAB_FRONT, CAB_REAR, CAB_ROOF = 3.1, 1.35, 2.45
LOAD_REAR, LOAD_FRONT, LOAD_FLOOR = -3.3, 1.2, 0.85
LOAD_COLOURS: tuple[Colour, ...] = (
    (236, 236, 230),
    (226, 196, 60),
    (60, 128, 180),
    (214, 92, 44),
    (110, 160, 90),
    (200, 204, 208),
)
SLOGANS = ("TOYS", "FRESH", "MOVERS", "PIZZA", "MILK", "PARCEL")
SLEEVE = np.array([0.0, 0.0, 1.0])


def truck(rng: np.random.Generator, x: float, z: float, heading: float, lights_on: bool) -> Item:
    """A truck of random colours at (x, z) metres; two in three carry a box, the others are tippers."""
    paint, load = pick(rng, PAINTS), pick(rng, LOAD_COLOURS)
    faces = wheels((2.2, -1.5, -2.5), 0.46, HALF_WIDTH - 0.02, 0.34)
    faces.append(Face((flat(box(LOAD_REAR + 0.1, 0.5, CAB_FRONT - 0.1, LOAD_FLOOR), BLACK),), None, 0))
    for side in (-1, 1):
        chassis = flat(box(LOAD_REAR, 0.56, CAB_REAR + 0.1, LOAD_FLOOR), (52, 54, 60), side * (HALF_WIDTH - 0.12))
        tank = flat(rounded(-0.6, 0.42, 0.7, 0.84, 0.12), (150, 154, 160), side * (HALF_WIDTH - 0.06))
        faces.append(Face((chassis, tank), side * SLEEVE, 1))
    faces.append(
        Face(
            (upright(box(-HALF_WIDTH, 0.5, HALF_WIDTH, LOAD_FLOOR), (44, 46, 50), LOAD_REAR),),
            np.array([-1.0, 0, 0]),
            1,
        )
    )
    faces += _cab(paint, lights_on) + (
        _box_load(load, paint, pick(rng, SLOGANS))
        if rng.random() < 0.66
        else _tray(load, pick(rng, ((150, 112, 70), (120, 116, 110))))
    )
    faces.append(_tail(lights_on))
    halos = tuple((np.array([CAB_FRONT, 0.8, side * 0.8]), 0.32, HEAD_LAMP) for side in (-1, 1)) if lights_on else ()
    return Item("truck", tuple(faces), x, z, heading, "truck", (3.2, 1.2), glows=halos)


def _cab(paint: Colour, lights_on: bool) -> list[Face]:
    """The driver's cab."""
    profile = smooth(
        [
            (CAB_REAR, 0.5),
            (CAB_REAR, CAB_ROOF - 0.1),
            (CAB_REAR + 0.25, CAB_ROOF),
            (CAB_FRONT - 0.5, CAB_ROOF),
            (CAB_FRONT - 0.08, 1.45),
            (CAB_FRONT, 1.25),
            (CAB_FRONT, 0.42),
        ],
        1,
        closed=False,
    )
    faces = pulled_out(profile, lambda height: HALF_WIDTH - 0.08 - 0.08 * np.clip((height - 1.4) / 1.0, 0, 1), paint)
    faces.append(pane(((CAB_FRONT - 0.1, 1.48), (CAB_FRONT - 0.46, 2.3)), 0.98, 0.9))
    for side in (-1, 1):
        across = side * (HALF_WIDTH - 0.07)
        window = [(CAB_REAR + 0.5, 1.45), (CAB_REAR + 0.5, 2.2), (CAB_FRONT - 0.58, 2.2), (CAB_FRONT - 0.28, 1.45)]
        parts = (
            flat(window, GLASS, across, solid=False),
            flat([(1.95, 1.45), (2.15, 1.45), (2.45, 2.2), (2.25, 2.2)], mix(GLASS, WHITE, 0.4), across, solid=False),
            flat(box(CAB_REAR + 0.42, 0.75, CAB_REAR + 0.45, 2.25), tone(paint, 0.55), across, solid=False),
            flat(box(CAB_REAR + 0.55, 1.24, CAB_REAR + 0.78, 1.3), tone(paint, 0.45), across, solid=False),
            flat(box(CAB_REAR, 1.02, CAB_FRONT - 0.02, 1.1), mix(paint, WHITE, 0.5), across, solid=False),
            flat(box(CAB_FRONT - 0.3, 0.72, CAB_FRONT, 0.92), HEAD_LAMP, across, solid=False, glow=lights_on),
            flat(rounded(CAB_FRONT - 0.22, 1.6, CAB_FRONT - 0.06, 2.05, 0.06), BLACK, across),
        )
        faces.append(Face(parts, side * SLEEVE, 3))
    ahead = [
        upright(rounded(-0.7, 0.95, 0.7, 1.3, 0.06), tone(paint, 0.4), CAB_FRONT + 0.01, solid=False),
        upright(box(-1.04, 0.44, 1.04, 0.62), (60, 62, 66), CAB_FRONT + 0.01, solid=False),
        upright(box(-0.26, 0.47, 0.26, 0.59), WHITE, CAB_FRONT + 0.02, solid=False),
    ]
    ahead += [
        upright(box(-0.66, height, 0.66, height + 0.03), (170, 172, 176), CAB_FRONT + 0.01, solid=False)
        for height in (1.03, 1.12, 1.21)
    ]
    ahead += [
        upright(ellipse(side * 0.8, 0.8, 0.2, 0.12), HEAD_LAMP, CAB_FRONT + 0.01, solid=False, glow=lights_on)
        for side in (-1, 1)
    ]
    ahead += [
        upright(rounded(side * 1.17 - 0.09, 1.6, side * 1.17 + 0.09, 2.1, 0.06), BLACK, CAB_FRONT - 0.1)
        for side in (-1, 1)
    ]
    return [*faces, Face(tuple(ahead), np.array([1.0, 0, 0]), 3)]


def _block(rear: float, floor: float, front: float, roof: float, colour: Colour) -> list[Face]:
    """The five visible faces of a box."""
    half = HALF_WIDTH
    lid = Part(np.array([[rear, roof, -half], [front, roof, -half], [front, roof, half], [rear, roof, half]]), colour)
    faces = [Face((lid,), np.array([0.0, 1.0, 0.0]), 1)]
    faces += [Face((flat(box(rear, floor, front, roof), colour, side * half),), side * SLEEVE, 1) for side in (-1, 1)]
    return faces + [
        Face((upright(box(-half, floor, half, roof), colour, end),), np.array([sign, 0, 0]), 1)
        for end, sign in ((rear, -1.0), (front, 1.0))
    ]


def _box_load(colour: Colour, accent: Colour, slogan: str) -> list[Face]:
    """A closed box with a stripe and a word."""
    roof = 3.05
    faces = _block(LOAD_REAR, LOAD_FLOOR, LOAD_FRONT, roof, colour)
    edge, middle = tone(colour, 0.72), (LOAD_REAR + LOAD_FRONT) / 2
    for side in (-1, 1):
        across = side * (HALF_WIDTH + 0.01)
        parts = [
            flat(box(LOAD_REAR, LOAD_FLOOR, LOAD_FRONT, LOAD_FLOOR + 0.1), edge, across, solid=False),
            flat(box(LOAD_REAR, roof - 0.08, LOAD_FRONT, roof), edge, across, solid=False),
            flat(
                [(LOAD_REAR, 1.15), (LOAD_FRONT, 1.15), (LOAD_FRONT, 1.55), (LOAD_REAR, 1.35)],
                accent,
                across,
                solid=False,
            ),
        ]
        parts += [
            flat(box(rib - 0.012, LOAD_FLOOR, rib + 0.012, roof), tone(colour, 0.86), across, solid=False)
            for rib in np.linspace(LOAD_REAR, LOAD_FRONT, 7)[1:-1]
        ]
        for points in lettering(slogan, middle, 2.2, 0.7, 0.2):
            mirrored = np.column_stack([2 * middle - points[:, 0], points[:, 1]]) if side > 0 else points
            parts.append(flat(mirrored, tone(accent, 0.8), across, solid=False))
        faces.append(Face(tuple(parts), side * SLEEVE, 3))
    rear = LOAD_REAR - 0.01
    doors = [
        upright(box(-1.05, LOAD_FLOOR + 0.1, 1.05, roof - 0.1), tone(colour, 0.92), rear, solid=False),
        upright(box(-0.015, LOAD_FLOOR, 0.015, roof), tone(colour, 0.5), rear, solid=False),
    ]
    doors += [
        upright(
            box(side * 0.25 - 0.025, LOAD_FLOOR + 0.15, side * 0.25 + 0.025, roof - 0.15),
            (140, 142, 146),
            rear,
            solid=False,
        )
        for side in (-1, 1)
    ]
    doors.append(upright(box(-1.05, 1.25, 1.05, 1.45), accent, rear, solid=False))
    return [*faces, Face(tuple(doors), np.array([-1.0, 0, 0]), 3)]


def _tray(colour: Colour, heap: Colour) -> list[Face]:
    """A tipper's open tray with a heap of earth or gravel in it."""
    roof = 1.85
    faces = _block(LOAD_REAR, LOAD_FLOOR, LOAD_FRONT, roof, colour)
    mound = smooth(
        [
            (LOAD_REAR + 0.2, roof - 0.1),
            (-2.2, roof + 0.5),
            (-1.2, roof + 0.45),
            (-0.4, roof + 0.75),
            (0.5, roof + 0.4),
            (LOAD_FRONT - 0.2, roof - 0.1),
        ],
        2,
    )
    bulk = upright(
        smooth([(-1.0, roof - 0.1), (-0.5, roof + 0.55), (0.4, roof + 0.65), (1.0, roof - 0.1)], 2), heap, -0.6
    )
    faces.append(Face((bulk, flat(mound, heap)), None, 0))
    for side in (-1, 1):
        across = side * (HALF_WIDTH + 0.01)
        ribs = [
            flat(box(rib - 0.05, LOAD_FLOOR, rib + 0.05, roof), tone(colour, 0.75), across, solid=False)
            for rib in np.linspace(LOAD_REAR + 0.1, LOAD_FRONT - 0.1, 6)
        ]
        rims = [
            flat(box(LOAD_REAR, roof - 0.12, LOAD_FRONT, roof), tone(colour, 0.75), across, solid=False),
            flat(box(LOAD_REAR, LOAD_FLOOR, LOAD_FRONT, LOAD_FLOOR + 0.1), tone(colour, 0.6), across, solid=False),
        ]
        faces.append(Face((*ribs, *rims), side * SLEEVE, 3))
    return [*faces, _tailgate(colour, roof)]


def _tailgate(colour: Colour, roof: float) -> Face:
    """The rear of a tray: posts, a ridge and slanted red and white stripes."""
    rear, half = LOAD_REAR - 0.01, HALF_WIDTH
    parts = [
        upright(box(post - 0.06, LOAD_FLOOR, post + 0.06, roof), tone(colour, 0.7), rear, solid=False)
        for post in (-half + 0.06, -0.4, 0.4, half - 0.06)
    ]
    parts.append(upright(box(-half, roof - 0.14, half, roof), tone(colour, 0.75), rear, solid=False))
    for index, start in enumerate(np.linspace(-half, half, 13)[:-1]):
        stripe = [(start, LOAD_FLOOR), (start + 0.19, LOAD_FLOOR), (start + 0.25, LOAD_FLOOR + 0.16)]
        stripe.append((start + 0.06, LOAD_FLOOR + 0.16))
        parts.append(upright(stripe, WHITE if index % 2 else TAIL_LAMP, rear, solid=False))
    return Face(tuple(parts), np.array([-1.0, 0.0, 0.0]), 3)


def _tail(lights_on: bool) -> Face:
    """Tail lamps and number plate."""
    rear = LOAD_REAR - 0.02
    lamps = [
        upright(box(side * 0.95 - 0.16, 0.58, side * 0.95 + 0.16, 0.74), TAIL_LAMP, rear, solid=False, glow=lights_on)
        for side in (-1, 1)
    ]
    return Face((*lamps, upright(box(-0.26, 0.58, 0.26, 0.72), WHITE, rear, solid=False)), np.array([-1.0, 0, 0]), 3)
