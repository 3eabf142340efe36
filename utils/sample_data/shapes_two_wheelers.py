"""Bicycles and motorcycles with their riders, from the side and from the ends. Metres; forward is to the right."""

from dataclasses import replace

import numpy as np

from utils.sample_data.clothes import TOPS, Clothes, draw_clothes
from utils.sample_data.parts import (
    BLACK,
    WHITE,
    Colour,
    Item,
    Part,
    box,
    ellipse,
    flat,
    limb,
    pick,
    ring,
    rounded,
    smooth,
    sprite,
    stroke,
    tone,
)
from utils.sample_data.shapes_heads import head
from utils.sample_data.shapes_people import arm, two_links

FRAMES: tuple[Colour, ...] = (
    (204, 40, 44),
    (36, 100, 184),
    (44, 142, 96),
    (244, 180, 40),
    (40, 42, 48),
    (232, 232, 228),
    (150, 70, 160),
    (240, 120, 50),
)
TYRE: Colour = (30, 30, 33)
METAL: Colour = (176, 180, 184)
RADIUS, REAR, FRONT = 0.35, -0.54, 0.54
CRANK, SADDLE, GRIP = (-0.08, 0.3), (-0.24, 0.98), (0.42, 1.06)


def _rods(points: list, width: float, colour: Colour, solid: bool = True) -> list[Part]:
    return [flat(rod, colour, solid=solid) for rod in stroke(points, width)]


def _spoked_wheel(x: float, turn: float) -> list[Part]:
    """A wheel with ten spokes; its disc counts as silhouette, as in Cityscapes."""
    rim = ellipse(x, RADIUS, RADIUS * 0.86, count=10, turn=turn)
    spokes = [flat(limb((x, RADIUS), point, 0.007), METAL, solid=False) for point in rim]
    return [
        *spokes,
        flat(ring(x, RADIUS, RADIUS, RADIUS * 0.86), TYRE),
        flat(ring(x, RADIUS, RADIUS * 0.86, RADIUS * 0.8), METAL, solid=False),
        flat(ellipse(x, RADIUS, 0.04, count=10), METAL),
    ]


def bicycle_side(rng: np.random.Generator) -> list[Part]:
    """A bicycle from the side: two spoked wheels, a diamond frame, saddle, handlebar, sometimes a basket or a rack."""
    paint, turn = pick(rng, FRAMES), float(rng.uniform(0, 0.6))
    rear, front, crank = (REAR, RADIUS), (FRONT, RADIUS), CRANK
    seat, neck, fork = (-0.2, 0.82), (0.36, 0.88), (0.4, 0.72)
    parts = _spoked_wheel(REAR, turn) + _spoked_wheel(FRONT, turn + 0.2)
    step_through = rng.random() < 0.35
    tubes = [
        [rear, seat],
        [rear, crank],
        [crank, seat],
        [crank, fork],
        [fork, front],
        [neck, fork],
        [(-0.14, 0.56) if step_through else seat, (0.37, 0.82)],
    ]
    parts += [part for tube in tubes for part in _rods(tube, 0.05, paint)]
    for wheel in (rear, front):
        guard = [
            (wheel[0] + 0.385 * np.cos(angle), RADIUS + 0.385 * np.sin(angle)) for angle in np.linspace(0.5, 2.5, 7)
        ]
        parts += _rods(guard, 0.028, tone(paint, 0.7))
    if rng.random() < 0.4:
        parts += _rods([(-0.78, 0.76), (-0.26, 0.76), (-0.3, 0.78)], 0.03, TYRE) + _rods(
            [(-0.7, 0.76), rear], 0.022, TYRE
        )
    if rng.random() < 0.35:
        parts += [
            flat([(0.46, 1.04), (0.8, 1.04), (0.74, 0.78), (0.48, 0.78)], (166, 122, 72)),
            *_rods([(0.47, 0.91), (0.77, 0.91)], 0.02, (120, 84, 48), False),
        ]
    parts += _rods([seat, (SADDLE[0], SADDLE[1] - 0.04)], 0.035, METAL) + [
        flat(smooth([(-0.4, 1.01), (-0.1, 0.99), (-0.12, 0.95), (-0.36, 0.93)], 1), TYRE)
    ]
    parts += _rods([neck, (0.34, 1.02), GRIP], 0.035, METAL) + _rods([GRIP, (0.3, 1.08)], 0.05, TYRE)
    parts += [
        flat(ring(*CRANK, 0.1, 0.07, 16), TYRE),
        *_rods([(CRANK[0] - 0.1, CRANK[1] - 0.13), (CRANK[0] + 0.1, CRANK[1] + 0.13)], 0.03, (60, 60, 64)),
    ]
    return [
        *parts,
        flat(ellipse(0.5, 0.88, 0.05, 0.045, 10), (250, 244, 210), glow=True),
        flat(box(-0.66, 0.68, -0.6, 0.76), (210, 30, 30)),
    ]


def cyclist_side(rng: np.random.Generator, clothes: Clothes) -> list[Part]:
    """Somebody on the saddle, feet on the pedals."""
    angle = float(rng.uniform(0, 2 * np.pi))
    hip, shoulder = (-0.2, 1.06), (0.1, 1.54)
    parts = []
    for turn, shade in ((angle + np.pi, 0.72), (angle, 1.0)):
        foot = (CRANK[0] + 0.17 * np.cos(turn), CRANK[1] + 0.17 * np.sin(turn) + 0.07)
        knee = two_links(hip, foot, 0.46, 0.46, 1)
        skin = clothes.cut in ("shorts", "dress")
        leg = [
            flat(limb(knee, foot, 0.064, 0.044), tone(clothes.skin if skin else clothes.legs, shade)),
            flat(limb(hip, knee, 0.1, 0.07), tone(clothes.legs, shade)),
            flat(
                limb((foot[0] - 0.04, foot[1] - 0.03), (foot[0] + 0.14, foot[1] - 0.04), 0.045, 0.035),
                tone(clothes.shoes, shade),
            ),
        ]
        if shade < 1.0:
            parts += leg + arm(
                (shoulder[0], shoulder[1] - 0.06), two_links(shoulder, GRIP, 0.3, 0.32, -1), GRIP, clothes, 0.72
            )
        else:
            parts += leg
    trunk = [
        (shoulder[0] - 0.12, shoulder[1]),
        (shoulder[0] + 0.06, shoulder[1] + 0.05),
        (shoulder[0] + 0.1, shoulder[1] - 0.16),
        (hip[0] + 0.16, hip[1] + 0.04),
        (hip[0], hip[1] - 0.1),
        (hip[0] - 0.15, hip[1] + 0.0),
    ]
    if clothes.bag == "backpack":
        parts.append(flat(smooth([(-0.02, 1.58), (-0.2, 1.52), (-0.36, 1.22), (-0.2, 1.14)], 2), clothes.hat))
    parts += [flat(smooth(trunk, 2), clothes.top), *head((shoulder[0] + 0.1, shoulder[1] + 0.19), clothes, "side")]
    return parts + arm(
        (shoulder[0] - 0.01, shoulder[1] - 0.06), two_links(shoulder, GRIP, 0.3, 0.32, -1), GRIP, clothes, 1.12
    )


def bicycle_end(rng: np.random.Generator, facing: str) -> list[Part]:
    """A bicycle from the front or the back: a narrow wheel, a fork and a wide handlebar."""
    paint = pick(rng, FRAMES)
    parts = [
        flat(ellipse(0, RADIUS, 0.045, RADIUS), TYRE),
        *_rods([(-0.09, RADIUS), (-0.06, 0.74), (0.06, 0.74), (0.09, RADIUS)], 0.035, paint),
        *_rods([(0, 0.74), (0, 1.02)], 0.06, paint),
    ]
    parts += _rods([(-0.3, 1.0), (-0.2, 1.06), (0.2, 1.06), (0.3, 1.0)], 0.035, METAL) + [
        flat(limb((side * 0.24, 1.04), (side * 0.33, 0.99), 0.028), TYRE) for side in (-1, 1)
    ]
    parts += [flat(limb((side * 0.06, 0.3), (side * 0.18, 0.3 + side * 0.12), 0.025), (60, 60, 64)) for side in (-1, 1)]
    lamp, glow = ((250, 244, 210), True) if facing == "front" else ((214, 30, 32), True)
    if facing == "back":
        parts.append(flat(smooth([(-0.12, 0.95), (0.12, 0.95), (0.08, 1.02), (-0.08, 1.02)], 1), TYRE))
    return [*parts, flat(ellipse(0, 0.88 if facing == "front" else 0.66, 0.06, count=12), lamp, glow=glow)]


def cyclist_end(rng: np.random.Generator, clothes: Clothes, facing: str) -> list[Part]:
    """Somebody on a bicycle or motorcycle from the front or the back."""
    parts = []
    lift = float(rng.uniform(0.0, 0.16))
    for side in (-1, 1):
        knee, foot = (side * 0.19, 0.72 + side * lift / 2), (side * 0.15, 0.3 + side * lift)
        bare = clothes.cut in ("shorts", "dress")
        parts += [
            flat(limb(knee, foot, 0.066, 0.05), clothes.skin if bare else clothes.legs),
            flat(limb((side * 0.1, 1.04), knee, 0.1, 0.075), clothes.legs),
            flat(ellipse(side * 0.15, foot[1] - 0.03, 0.06, 0.05, 12), clothes.shoes),
        ]
    trunk = smooth([(-0.2, 1.56), (0.2, 1.56), (0.23, 1.38), (0.18, 1.0), (-0.18, 1.0), (-0.23, 1.38)], 2)
    for side in (-1, 1):
        parts += arm((side * 0.2, 1.48), (side * 0.34, 1.24), (side * 0.28, 1.04), clothes, 0.88)
    parts.append(flat(trunk, clothes.top))
    if facing == "back" and clothes.bag == "backpack":
        parts.append(
            flat(smooth([(-0.16, 1.52), (0.16, 1.52), (0.17, 1.1), (-0.17, 1.1)], 2), clothes.hat, solid=False)
        )
    return parts + head((0.0, 1.74), clothes, facing)


def motorcycle_side(rng: np.random.Generator) -> list[Part]:
    """A motorcycle or a scooter from the side."""
    paint = pick(rng, FRAMES)
    rear, front, radius = -0.68, 0.72, 0.32
    parts = []
    for x in (rear, front):
        parts += [
            flat(ellipse(x, radius, radius), TYRE),
            flat(ellipse(x, radius, radius * 0.62), METAL, solid=False),
            flat(ellipse(x, radius, radius * 0.5), (84, 86, 92), solid=False),
        ]
        parts += [
            flat(limb((x, radius), point, 0.018), METAL, solid=False)
            for point in ellipse(x, radius, radius * 0.58, count=5)
        ] + [flat(ellipse(x, radius, 0.07, count=12), (50, 52, 56), solid=False)]
    if rng.random() < 0.35:
        return parts + _scooter_body(paint, rear, front)
    parts += _rods([(front, radius), (0.42, 1.02)], 0.085, METAL) + _rods(
        [(rear, radius), (-0.05, 0.42)], 0.1, (70, 72, 78)
    )
    parts += [
        flat(smooth([(-0.32, 0.26), (0.3, 0.26), (0.36, 0.6), (-0.2, 0.66)], 1), (66, 68, 74)),
        flat(ellipse(0.04, 0.42, 0.17, 0.15, 14), METAL, solid=False),
        flat(ellipse(0.04, 0.42, 0.1, 0.09, 12), (90, 92, 98), solid=False),
    ]
    parts += [flat(box(-0.05 + shift, 0.52, 0.24 + shift / 2, 0.545), METAL, solid=False) for shift in (0.0, 0.03)]
    parts += _rods([(0.2, 0.3), (-0.3, 0.24), (-0.98, 0.34)], 0.1, (196, 200, 204)) + [
        flat(limb((-0.7, 0.3), (-1.0, 0.36), 0.06, 0.075), (150, 154, 160))
    ]
    parts += [
        flat(smooth([(-0.16, 0.7), (-0.1, 0.9), (0.16, 1.02), (0.42, 0.92), (0.44, 0.74), (0.1, 0.62)], 2), paint),
        flat(smooth([(-0.02, 0.86), (0.16, 0.95), (0.36, 0.88), (0.2, 0.84)], 1), tone(paint, 1.35), solid=False),
    ]
    parts += [
        flat(
            smooth([(-0.95, 0.88), (-0.85, 0.98), (-0.5, 0.86), (-0.12, 0.86), (-0.1, 0.74), (-0.6, 0.72)], 2),
            (38, 36, 38),
        ),
        flat(smooth([(-1.02, 0.78), (-0.9, 0.88), (-0.4, 0.72), (-0.5, 0.6)], 1), paint),
    ]
    for x, start, end in ((front, 0.3, 2.4), (rear, 0.9, 2.6)):
        parts += _rods(
            [(x + 0.37 * np.cos(angle), radius + 0.37 * np.sin(angle)) for angle in np.linspace(start, end, 7)],
            0.05,
            paint,
        )
    parts += (
        _rods([(0.42, 1.0), (0.34, 1.14), (0.2, 1.16)], 0.045, BLACK)
        + _rods([(0.36, 1.12), (0.36, 1.28)], 0.02, BLACK)
        + [flat(ellipse(0.36, 1.3, 0.06, 0.045, 10), BLACK)]
    )
    return [
        *parts,
        flat(ellipse(0.53, 0.95, 0.11, 0.12, 14), (70, 72, 78)),
        flat(ellipse(0.6, 0.95, 0.055, 0.1, 12), (250, 244, 210), glow=True),
        flat(box(-1.04, 0.78, -0.96, 0.86), (214, 30, 32), glow=True),
    ]


def _scooter_body(paint: Colour, rear: float, front: float) -> list[Part]:
    """Leg shield, floorboard, humped rear and seat."""
    parts = _rods([(front, 0.32), (0.52, 0.9)], 0.08, METAL)
    parts += [
        flat(smooth([(0.36, 0.34), (0.52, 0.3), (0.62, 0.6), (0.52, 1.08), (0.4, 1.1), (0.44, 0.6)], 2), paint),
        flat(smooth([(-0.24, 0.26), (0.46, 0.26), (0.5, 0.38), (-0.2, 0.36)], 1), tone(paint, 0.7)),
    ]
    parts += [
        flat(smooth([(-1.04, 0.5), (-0.98, 0.78), (-0.3, 0.8), (-0.16, 0.3), (-0.36, 0.26), (-0.5, 0.5)], 2), paint),
        flat(smooth([(-0.98, 0.8), (-0.94, 0.92), (-0.3, 0.9), (-0.24, 0.78)], 1), (52, 40, 36)),
    ]
    parts += [
        flat(smooth([(front - 0.3, 0.6), (front, 0.7), (front + 0.3, 0.54), (front, 0.6)], 1), paint),
        *_rods([(0.45, 1.06), (0.38, 1.18), (0.26, 1.18)], 0.05, BLACK),
    ]
    parts += [
        flat(ellipse(-0.72, 0.64, 0.13, 0.06, 12), tone(paint, 1.3), solid=False),
        flat(box(-1.06, 0.62, -0.98, 0.72), (214, 30, 32), glow=True),
    ]
    return [
        *parts,
        flat(ellipse(0.5, 1.06, 0.1, 0.11, 14), (76, 78, 84)),
        flat(ellipse(0.57, 1.06, 0.05, 0.09, 12), (250, 244, 210), glow=True),
    ]


def motorcyclist_side(clothes: Clothes) -> list[Part]:
    """Somebody sitting on a motorcycle with a helmet on."""
    hip, shoulder, hand, foot = (-0.34, 0.98), (-0.08, 1.5), (0.26, 1.16), (-0.02, 0.34)
    knee = two_links(hip, foot, 0.46, 0.46, 1)
    elbow = two_links(shoulder, hand, 0.3, 0.3, -1)
    trunk = [
        (shoulder[0] - 0.12, shoulder[1]),
        (shoulder[0] + 0.06, shoulder[1] + 0.04),
        (shoulder[0] + 0.1, shoulder[1] - 0.16),
        (hip[0] + 0.18, hip[1]),
        (hip[0] - 0.04, hip[1] - 0.12),
        (hip[0] - 0.16, hip[1]),
    ]
    parts = arm((shoulder[0], shoulder[1] - 0.06), elbow, hand, clothes, 0.72)
    parts += [
        flat(limb(knee, foot, 0.07, 0.055), clothes.legs),
        flat(limb((foot[0] - 0.04, foot[1] - 0.02), (foot[0] + 0.17, foot[1] - 0.04), 0.06, 0.045), (36, 34, 36)),
    ]
    parts += [
        flat(smooth(trunk, 2), clothes.top),
        flat(limb(hip, knee, 0.115, 0.08), clothes.legs),
        *head((shoulder[0] + 0.07, shoulder[1] + 0.2), clothes, "side"),
    ]
    return parts + arm((shoulder[0] - 0.01, shoulder[1] - 0.06), elbow, hand, clothes, 1.12)


def motorcycle_end(rng: np.random.Generator, facing: str) -> list[Part]:
    """A motorcycle from the front or the back."""
    paint = pick(rng, FRAMES)
    parts = [
        flat(rounded(-0.09, 0.0, 0.09, 0.66, 0.08), TYRE),
        *_rods([(-0.13, 0.32), (-0.1, 0.8), (0.1, 0.8), (0.13, 0.32)], 0.06, METAL),
        flat(smooth([(-0.13, 0.56), (0.13, 0.56), (0.11, 0.7), (-0.11, 0.7)], 1), paint),
    ]
    parts += [
        flat(
            smooth([(-0.24, 0.5), (-0.22, 0.95), (0.22, 0.95), (0.24, 0.5), (0.12, 0.4), (-0.12, 0.4)], 2),
            tone(paint, 0.85),
        ),
        *_rods([(-0.42, 1.1), (-0.2, 1.06), (0.2, 1.06), (0.42, 1.1)], 0.05, BLACK),
    ]
    parts += [
        part
        for side in (-1, 1)
        for part in [
            *_rods([(side * 0.34, 1.1), (side * 0.4, 1.28)], 0.022, BLACK),
            flat(ellipse(side * 0.41, 1.3, 0.075, 0.05, 12), BLACK),
        ]
    ]
    if facing == "front":
        return [
            *parts,
            flat(ellipse(0, 0.88, 0.14, 0.14, 16), (60, 62, 68)),
            flat(ellipse(0, 0.88, 0.11, 0.11, 16), (250, 244, 210), glow=True),
        ]
    return [
        *parts,
        flat(box(-0.1, 0.76, 0.1, 0.86), (214, 30, 32), glow=True),
        flat(box(-0.11, 0.6, 0.11, 0.72), WHITE),
        flat(ellipse(0.24, 0.34, 0.07, count=12), METAL),
    ]


def ridden(
    rng: np.random.Generator, kind: str, x: float, z: float, heading: float, *, view: str, cold: bool
) -> list[Item]:
    """A two-wheeler and who rides it.

    Args:
        rng: where the draws come from.
        kind: "bicycle" or "motorcycle".
        x: world metres.
        z: world metres.
        heading: for the side view, where it goes; else how the plane of view is turned, in radians.
        view: "side", "front" or "back".
        cold: whether warm clothes are worn.

    Returns:
        The two-wheeler and its rider, in drawing order.
    """
    clothes = draw_clothes(rng, cold)
    cut = clothes.cut if clothes.cut == "shorts" and kind == "bicycle" else "trousers"
    helmet = kind == "motorcycle" or rng.random() < 0.6
    clothes = replace(clothes, cut=cut, hairdo="helmet" if helmet else clothes.hairdo, hat=pick(rng, TOPS))
    if view == "side":
        machine = bicycle_side(rng) if kind == "bicycle" else motorcycle_side(rng)
        rider = cyclist_side(rng, clothes) if kind == "bicycle" else motorcyclist_side(clothes)
    else:
        machine = bicycle_end(rng, view) if kind == "bicycle" else motorcycle_end(rng, view)
        rider = cyclist_end(rng, clothes, view)
    footprint = (0.9, 0.25) if view == "side" else (0.35, 0.5)
    return [
        Item(kind, sprite(machine), x, z, heading, kind, footprint, soft=True),
        Item("rider", sprite(rider), x, z, heading, "person", soft=True),
    ]


def parked(rng: np.random.Generator, kind: str, x: float, z: float, heading: float) -> Item:
    """A bicycle or motorcycle that nobody rides, from the side."""
    parts = bicycle_side(rng) if kind == "bicycle" else motorcycle_side(rng)
    return Item(kind, sprite(parts), x, z, heading, kind, (0.9, 0.2), soft=True)
