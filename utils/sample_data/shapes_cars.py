"""Cars of four models. Lengths in metres."""

from collections.abc import Callable
from dataclasses import dataclass

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
from utils.sample_data.shapes_vehicles import (
    GLASS,
    HEAD_LAMP,
    PAINTS,
    TAIL_LAMP,
    Profile,
    pane,
    pulled_out,
    side_normal,
    wheels,
)


@dataclass(frozen=True)
class CarModel:
    """A car's lines, all as (forward, up) in metres.

    Args:
        profile: from the rear bumper's lower edge over the roof to the front bumper's.
        windows: side windows.
        windscreen: lower and upper end.
        rear_window: lower and upper end.
        doors: where the door gaps are.
        wheels: where the axles are.
        belt: height at which the body begins to lean inwards.
    """

    profile: Profile
    windows: tuple[Profile, ...]
    windscreen: Profile
    rear_window: Profile
    doors: tuple[float, ...]
    wheels: tuple[float, float]
    belt: float = 0.92


CARS = (
    CarModel(  # hatchback
        (
            (-1.98, 0.28),
            (-2.05, 0.55),
            (-2.0, 0.95),
            (-1.62, 1.46),
            (-0.9, 1.54),
            (0.15, 1.52),
            (1.02, 1.0),
            (1.85, 0.86),
            (2.06, 0.62),
            (2.02, 0.28),
        ),
        (
            ((-1.68, 0.98), (-1.38, 1.38), (-0.98, 1.43), (-0.98, 0.98)),
            ((-0.88, 0.98), (-0.88, 1.44), (0.08, 1.42), (0.78, 1.0)),
        ),
        ((0.96, 1.04), (0.24, 1.48)),
        ((-1.97, 0.99), (-1.66, 1.42)),
        (-0.93, 0.32),
        (-1.3, 1.32),
    ),
    CarModel(  # saloon
        (
            (-2.3, 0.3),
            (-2.36, 0.6),
            (-2.26, 0.98),
            (-1.62, 1.04),
            (-0.92, 1.45),
            (0.2, 1.46),
            (1.08, 1.0),
            (2.1, 0.86),
            (2.36, 0.62),
            (2.32, 0.28),
        ),
        (
            ((-1.38, 1.02), (-0.88, 1.36), (-0.5, 1.38), (-0.5, 1.0)),
            ((-0.4, 1.0), (-0.4, 1.38), (0.16, 1.37), (0.82, 1.0)),
        ),
        ((1.0, 1.05), (0.28, 1.42)),
        ((-1.56, 1.08), (-1.0, 1.41)),
        (-0.45, 0.42, -1.2),
        (-1.45, 1.5),
    ),
    CarModel(  # estate or sports utility
        (
            (-2.18, 0.34),
            (-2.22, 0.6),
            (-2.16, 1.05),
            (-1.92, 1.62),
            (-1.3, 1.7),
            (0.3, 1.68),
            (1.06, 1.12),
            (2.0, 0.98),
            (2.2, 0.7),
            (2.16, 0.34),
        ),
        (
            ((-1.92, 1.1), (-1.76, 1.54), (-1.2, 1.58), (-1.2, 1.1)),
            ((-1.1, 1.1), (-1.1, 1.59), (-0.3, 1.59), (-0.3, 1.1)),
            ((-0.2, 1.1), (-0.2, 1.59), (0.24, 1.57), (0.82, 1.12)),
        ),
        ((1.0, 1.17), (0.38, 1.63)),
        ((-2.14, 1.1), (-1.95, 1.56)),
        (-0.25, 0.5, -1.15),
        (-1.4, 1.4),
        1.02,
    ),
    CarModel(  # small city car
        (
            (-1.62, 0.28),
            (-1.7, 0.6),
            (-1.64, 1.0),
            (-1.3, 1.54),
            (-0.7, 1.62),
            (0.3, 1.56),
            (0.98, 1.05),
            (1.5, 0.88),
            (1.7, 0.62),
            (1.66, 0.28),
        ),
        (
            ((-1.34, 1.02), (-1.12, 1.44), (-0.72, 1.48), (-0.72, 1.02)),
            ((-0.62, 1.02), (-0.62, 1.49), (0.22, 1.45), (0.76, 1.04)),
        ),
        ((0.93, 1.09), (0.37, 1.51)),
        ((-1.6, 1.05), (-1.33, 1.49)),
        (-0.67, 0.38),
        (-1.08, 1.1),
    ),
)
TRUNK_SPAN = 0.88  # half width of a car in metres


def _car_flank(model: CarModel, paint: Colour, half_width: Callable, side: int, lights_on: bool) -> Face:
    """Windows, door gaps, handles, sill and lamps of one side."""
    across = side * (TRUNK_SPAN + 0.012)

    def leaning(points: np.ndarray | Profile, colour: Colour, glow: bool = False) -> Part:
        line = np.asarray(points, dtype=np.float64)
        return Part(np.column_stack([line, side * (half_width(line[:, 1]) + 0.012)]), colour, False, glow)

    nose, tail = model.profile[-2][0], model.profile[1][0]
    low, high = model.profile[0][1], model.belt
    parts = [
        flat(box(tail + 0.12, low, nose - 0.12, low + 0.1), tone(paint, 0.35), across, solid=False),
        flat(box(tail + 0.08, high - 0.2, nose - 0.2, high - 0.14), mix(paint, WHITE, 0.28), across, solid=False),
    ]
    for window in model.windows:
        outline = np.array(window)
        parts.append(leaning(outline, GLASS))
        start, end, top = outline[:, 0].min(), outline[:, 0].max(), outline[:, 1].max()
        middle, step = (start + end) / 2, 0.18 * (end - start)
        shine = [(middle - step, high + 0.1), (middle, high + 0.1), (middle + step, top - 0.05), (middle, top - 0.05)]
        parts.append(leaning(shine, mix(GLASS, WHITE, 0.4)))
    for door in model.doors:
        parts += [
            flat(box(door - 0.012, low + 0.14, door + 0.012, high), tone(paint, 0.55), across, solid=False),
            flat(box(door - 0.24, high - 0.13, door - 0.06, high - 0.085), tone(paint, 0.45), across, solid=False),
        ]
    parts += [
        flat(
            smooth([(nose - 0.02, 0.64), (nose - 0.04, 0.78), (nose - 0.34, 0.8), (nose - 0.24, 0.66)], 1),
            HEAD_LAMP,
            across,
            solid=False,
            glow=lights_on,
        ),
        flat(
            smooth([(tail + 0.01, 0.68), (tail + 0.03, 0.9), (tail + 0.24, 0.9), (tail + 0.18, 0.7)], 1),
            TAIL_LAMP,
            across,
            solid=False,
            glow=lights_on,
        ),
    ]
    mirror = model.windows[-1][-1][0] - 0.08
    parts.append(flat(ellipse(mirror, model.belt + 0.12, 0.1, 0.075, 10), tone(paint, 0.6), across))
    return Face(tuple(parts), side_normal(side), 3)


def _car_ends(model: CarModel, paint: Colour, lights_on: bool) -> list[Face]:
    """Lamps, grille, plates and bumpers of both ends."""
    front, rear = model.profile[-2][0] + 0.01, model.profile[1][0] - 0.01
    low, dark = model.profile[0][1], tone(paint, 0.45)
    ahead = [
        upright(box(-0.8, low, 0.8, low + 0.12), (40, 42, 46), front, solid=False),
        upright(rounded(-0.42, 0.44, 0.42, 0.6, 0.05), BLACK, front, solid=False),
        upright(box(-0.5, 0.66, 0.5, 0.72), dark, front, solid=False),
        upright(box(-0.24, 0.36, 0.24, 0.46), WHITE, front, solid=False),
    ]
    behind = [
        upright(box(-0.82, low, 0.82, low + 0.12), (40, 42, 46), rear, solid=False),
        upright(box(-0.84, 0.5, 0.84, 0.53), dark, rear, solid=False),
        upright(box(-0.24, 0.56, 0.24, 0.67), WHITE, rear, solid=False),
    ]
    for side in (-1, 1):
        ahead.append(
            upright(ellipse(side * 0.63, 0.66, 0.19, 0.1), HEAD_LAMP, front + 0.01, solid=False, glow=lights_on)
        )
        ahead.append(upright(ellipse(side * 0.7, 0.42, 0.08, 0.05, 10), (230, 226, 200), front + 0.01, solid=False))
        behind.append(
            upright(
                box(side * 0.7 - 0.14, 0.64, side * 0.7 + 0.14, 0.86),
                TAIL_LAMP,
                rear - 0.01,
                solid=False,
                glow=lights_on,
            )
        )
        behind.append(
            upright(box(side * 0.7 - 0.14, 0.72, side * 0.7 + 0.14, 0.77), (255, 190, 120), rear - 0.01, solid=False)
        )
    return [Face(tuple(ahead), np.array([1.0, 0.0, 0.0]), 3), Face(tuple(behind), np.array([-1.0, 0.0, 0.0]), 3)]


def car(rng: np.random.Generator, x: float, z: float, heading: float, lights_on: bool) -> Item:
    """A car of a random model and colour at (x, z) metres."""
    model: CarModel = pick(rng, CARS)
    paint: Colour = pick(rng, PAINTS)
    top = max(point[1] for point in model.profile)

    def half_width(height: np.ndarray) -> np.ndarray:
        lean = np.clip((height - model.belt) / (top - model.belt), 0.0, 1.0)
        return TRUNK_SPAN - 0.2 * lean - 0.06 * np.clip((0.5 - height) / 0.25, 0.0, 1.0)

    faces = wheels(model.wheels, 0.33, TRUNK_SPAN - 0.01, 0.24)
    faces.append(Face((flat(box(model.wheels[0], 0.16, model.wheels[1], 0.4), BLACK),), None, 0))
    faces += pulled_out(smooth(model.profile, 2, closed=False), half_width, paint)
    faces += [
        pane(ends, 0.92 * half_width(np.array(ends[0][1])), 0.88 * half_width(np.array(ends[1][1])))
        for ends in (model.windscreen, model.rear_window)
    ]
    faces += [_car_flank(model, paint, half_width, side, lights_on) for side in (-1, 1)] + _car_ends(
        model, paint, lights_on
    )
    if rng.random() < 0.1:
        faces += _roof_sign(top)
    nose = model.profile[-2][0]
    halos = tuple((np.array([nose, 0.68, side * 0.6]), 0.3, HEAD_LAMP) for side in (-1, 1)) if lights_on else ()
    return Item("car", tuple(faces), x, z, heading, "car", (nose, 0.95), glows=halos)


def _roof_sign(top: float) -> list[Face]:
    """The lit sign of a taxi."""
    sign = [flat(box(-0.62, top - 0.06, -0.28, top + 0.12), (255, 226, 120), side * 0.22) for side in (-1, 1)]
    ends = [upright(box(-0.22, top - 0.06, 0.22, top + 0.12), (255, 226, 120), end) for end in (-0.62, -0.28)]
    letters = [
        upright(stroke_points, BLACK, -0.27, solid=False) for stroke_points in lettering("TAXI", 0, top + 0.03, 0.1)
    ]
    return [
        Face((sign[0],), side_normal(-1), 4),
        Face((sign[1],), side_normal(1), 4),
        Face((ends[0],), np.array([-1.0, 0, 0]), 4),
        Face((ends[1], *letters), np.array([1.0, 0, 0]), 4),
    ]
