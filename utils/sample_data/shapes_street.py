"""Street furniture and plants: traffic lights, signs, lamps, fences, walls, trees, bushes. Metres."""

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
    circle,
    ellipse,
    flat,
    limb,
    mix,
    pick,
    rounded,
    smooth,
    sprite,
    stroke,
    tone,
)

STEEL: Colour = (128, 132, 136)
SIGN_RED: Colour = (204, 28, 36)
SIGN_BLUE: Colour = (24, 92, 178)
LAMPS: tuple[Colour, ...] = ((255, 54, 44), (255, 196, 40), (62, 232, 110))
DARK_LAMPS: tuple[Colour, ...] = ((88, 26, 26), (92, 72, 24), (22, 74, 42))
LEAVES: tuple[Colour, ...] = (
    (74, 128, 56),
    (56, 110, 60),
    (104, 142, 58),
    (48, 96, 70),
    (150, 150, 60),
    (206, 142, 48),
    (188, 90, 44),
)
LEAF_CHANCES = (0.28, 0.24, 0.2, 0.12, 0.06, 0.06, 0.04)
BARK: Colour = (98, 74, 54)
SNOW: Colour = (240, 244, 250)


def pole(x: float, z: float, height: float, colour: Colour = STEEL, radius: float = 0.06) -> Item:
    """An upright post."""
    parts = [
        flat(box(-radius, 0.0, radius, height), colour),
        flat(box(-radius, 0.0, -radius * 0.3, height), tone(colour, 1.25), solid=False),
        flat(box(-radius * 1.6, 0.0, radius * 1.6, 0.25), tone(colour, 0.7)),
    ]
    return Item("pole", sprite(parts), x, z, 0.0, None, (0.12, 0.12))


def traffic_light(rng: np.random.Generator, x: float, z: float, height: float) -> list[Item]:
    """A post and a housing with three lamps, one of them lit."""
    lit = int(rng.choice((0, 1, 2), p=(0.45, 0.1, 0.45)))
    half, tall, middle = 0.29, 0.56, height - 0.56
    parts = [
        flat(rounded(-half - 0.06, middle - tall - 0.06, half + 0.06, middle + tall + 0.06, 0.12), (228, 228, 224)),
        flat(rounded(-half, middle - tall, half, middle + tall, 0.1), (28, 30, 34)),
    ]
    for index in range(3):
        y = middle + 0.35 - 0.35 * index
        on = index == lit
        parts += [
            flat(ellipse(0, y, 0.19), (12, 12, 14), solid=False),
            flat(ellipse(0, y, 0.155), LAMPS[index] if on else DARK_LAMPS[index], solid=False, glow=on),
        ]
        parts.append(
            flat(
                smooth(
                    [
                        (-0.2, y + 0.02),
                        (-0.16, y + 0.19),
                        (0.16, y + 0.19),
                        (0.2, y + 0.02),
                        (0.1, y + 0.12),
                        (-0.1, y + 0.12),
                    ],
                    1,
                ),
                (44, 46, 52),
                solid=False,
            )
        )
        if on:
            parts.append(
                flat(
                    ellipse(-0.04, y - 0.01, 0.05, count=10),
                    mix(LAMPS[index], (255, 255, 255), 0.7),
                    solid=False,
                    glow=True,
                )
            )
    halo = ((np.array([0.0, middle + 0.35 - 0.35 * lit, 0.0]), 0.55, LAMPS[lit]),)
    return [
        pole(x, z + 0.05, height - 1.0, (70, 74, 78), 0.07),
        Item("traffic light", sprite(parts), x, z, 0.0, "traffic light", glows=halo),
    ]


def stop_sign(x: float, z: float, height: float) -> list[Item]:
    """An octagon that says STOP, on a post."""
    turn, y = np.pi / 8, height - 0.45
    parts = [
        flat(ellipse(0, y, 0.5, count=8, turn=turn), WHITE),
        flat(ellipse(0, y, 0.45, count=8, turn=turn), SIGN_RED, solid=False),
    ]
    parts += [flat(points, WHITE, solid=False) for points in lettering("STOP", 0.0, y, 0.225, 0.2)]
    return [pole(x, z + 0.05, height - 0.1), Item("traffic sign", sprite(parts), x, z, 0.0, "stop sign")]


def traffic_sign(rng: np.random.Generator, x: float, z: float, height: float) -> list[Item]:
    """Another sign on a post: speed limit, warning, give way, no entry, one way, parking or crossing."""
    kind = str(rng.choice(("limit", "warning", "yield", "no entry", "arrow", "parking", "crossing", "priority")))
    parts = [Part(part.points + [0.0, height - 0.4, 0.0], part.colour, part.solid) for part in _sign_face(kind, rng)]
    return [pole(x, z + 0.05, height - 0.1), Item("traffic sign", sprite(parts), x, z, 0.0, None)]


def _sign_face(kind: str, rng: np.random.Generator) -> list[Part]:
    """The plate of a sign around (0, 0)."""
    if kind == "limit":
        number = str(rng.choice(("30", "50", "70")))
        return [
            flat(ellipse(0, 0, 0.4), SIGN_RED),
            flat(ellipse(0, 0, 0.3), WHITE, solid=False),
            *(flat(points, BLACK, solid=False) for points in lettering(number, 0, 0, 0.26, 0.18)),
        ]
    if kind in ("warning", "yield"):
        up = np.pi / 2 if kind == "warning" else -np.pi / 2
        plate = [
            flat(ellipse(0, 0, 0.5, count=3, turn=up), SIGN_RED),
            flat(ellipse(0, 0, 0.33, count=3, turn=up), WHITE, solid=False),
        ]
        mark = [
            flat(limb((0, 0.16), (0, 0.0), 0.04, 0.025), BLACK, solid=False),
            flat(ellipse(0, -0.09, 0.035, count=10), BLACK, solid=False),
        ]
        return plate + (mark if kind == "warning" else [])
    if kind == "no entry":
        return [
            flat(ellipse(0, 0, 0.4), WHITE),
            flat(ellipse(0, 0, 0.37), SIGN_RED, solid=False),
            flat(box(-0.26, -0.07, 0.26, 0.07), WHITE, solid=False),
        ]
    if kind == "arrow":
        side = float(rng.choice((-1.0, 1.0)))
        head = [(side * 0.28, 0.0), (side * 0.06, 0.18), (side * 0.06, -0.18)]
        return [
            flat(ellipse(0, 0, 0.4), WHITE),
            flat(ellipse(0, 0, 0.37), SIGN_BLUE, solid=False),
            flat(limb((-side * 0.22, 0), (side * 0.1, 0), 0.05), WHITE, solid=False),
            flat(head, WHITE, solid=False),
        ]
    if kind == "parking":
        return [
            flat(rounded(-0.36, -0.36, 0.36, 0.36, 0.06), WHITE),
            flat(rounded(-0.33, -0.33, 0.33, 0.33, 0.05), SIGN_BLUE, solid=False),
            *(flat(points, WHITE, solid=False) for points in lettering("P", 0, 0, 0.44, 0.2)),
        ]
    if kind == "priority":
        return [
            flat(ellipse(0, 0, 0.46, count=4), WHITE),
            flat(ellipse(0, 0, 0.34, count=4), (250, 196, 36), solid=False),
        ]
    legs = [
        flat(rod, BLACK, solid=False)
        for rod in stroke([(-0.1, -0.2), (0.0, -0.03), (0.1, -0.2)], 0.05) + stroke([(0.0, -0.03), (0.01, 0.08)], 0.07)
    ]
    return [
        flat(rounded(-0.36, -0.36, 0.36, 0.36, 0.06), SIGN_BLUE),
        flat([(-0.28, -0.26), (0.28, -0.26), (0, 0.28)], WHITE, solid=False),
        *legs,
        flat(ellipse(0.01, 0.15, 0.045, count=10), BLACK, solid=False),
    ]


def street_lamp(x: float, z: float, reach: float, lit: bool) -> Item:
    """A tall lamp whose arm reaches `reach` metres along x."""
    height, colour = 6.2, (96, 102, 106)
    shade = (255, 234, 178) if lit else (216, 220, 220)
    parts = [
        flat(limb((0, 0), (0, height - 0.3), 0.09, 0.055), colour),
        flat(box(-0.13, 0, 0.13, 0.6), tone(colour, 0.8)),
    ]
    parts += [
        flat(rod, colour) for rod in stroke([(0, height - 0.4), (reach * 0.2, height), (reach, height + 0.05)], 0.09)
    ]
    parts += [
        flat(
            smooth(
                [
                    (reach * 0.75, height + 0.1),
                    (reach * 1.25, height + 0.1),
                    (reach * 1.3, height - 0.06),
                    (reach * 0.75, height - 0.06),
                ],
                1,
            ),
            tone(colour, 0.8),
        ),
        flat(ellipse(reach, height - 0.06, 0.24, 0.07, 12), shade, glow=lit),
    ]
    halo = ((np.array([reach, height - 0.1, 0.0]), 1.0, (255, 214, 140)),) if lit else ()
    return Item("pole", sprite(parts), x, z, 0.0, None, (0.15, 0.15), glows=halo)


def fence(rng: np.random.Generator, x: float, z: float, length: float, heading: float) -> Item:
    """A picket fence or iron railings, starting at (x, z)."""
    wooden = rng.random() < 0.55
    height = float(rng.uniform(0.9, 1.2))
    colour: Colour = (
        pick(rng, ((236, 234, 226), (150, 108, 70), (120, 90, 62), (190, 176, 150)))
        if wooden
        else pick(rng, ((40, 44, 48), (36, 74, 56), (70, 76, 82)))
    )
    step, half = (0.22, 0.075) if wooden else (0.16, 0.018)
    parts = [
        flat(box(0, low, length, low + (0.08 if wooden else 0.045)), tone(colour, 0.82))
        for low in (0.2 * height, 0.78 * height)
    ]
    for x_picket in np.arange(half, length - half, step):
        tip = height + (0.09 if wooden else 0.12)
        parts.append(
            flat(
                [
                    (x_picket - half, 0),
                    (x_picket + half, 0),
                    (x_picket + half, height),
                    (x_picket, tip),
                    (x_picket - half, height),
                ],
                colour,
            )
        )
    return Item("fence", sprite(parts), x, z, heading)


def wall(rng: np.random.Generator, x: float, z: float, length: float, heading: float) -> Item:
    """A garden wall of brick or stone with a coping, starting at (x, z)."""
    height = float(rng.uniform(1.3, 2.0))
    colour: Colour = pick(rng, ((170, 98, 78), (176, 168, 152), (196, 178, 150), (150, 90, 74)))
    parts = [
        flat(box(0, 0, length, height), colour),
        flat(box(-0.05, height - 0.02, length + 0.05, height + 0.12), tone(colour, 0.8)),
        flat(box(0, 0, length, 0.2), tone(colour, 0.78), solid=False),
    ]
    parts += [flat(box(post, 0, post + 0.4, height + 0.2), tone(colour, 0.9)) for post in np.arange(0, length, 3.2)]
    return Item("wall", (Face(tuple(parts)),), x, z, heading, texture="brick")


def leaf_colour(rng: np.random.Generator) -> Colour:
    """Mostly greens, sometimes autumn."""
    return LEAVES[int(rng.choice(len(LEAVES), p=LEAF_CHANCES))]


def _tufts(rng: np.random.Generator, centres: np.ndarray, sizes: np.ndarray, colour: Colour, snowy: bool) -> list[Part]:
    """Clumps of leaves: dark ones below and inside first, light ones above last."""
    count, span = len(centres), max(float(np.ptp(centres[:, 1])), 1e-6)
    order = np.argsort(centres[:, 1] + rng.normal(0, 0.12 * span, count))
    height = (centres[:, 1] - centres[:, 1].min()) / span
    shades = np.clip(np.array(colour) * (0.58 + 0.55 * height + rng.normal(0, 0.06, count))[:, None], 0, 255)
    if snowy:
        white = rng.random(count) < 0.25 + 0.5 * height
        shades[white] += (np.array(SNOW) - shades[white]) * 0.75
    outlines = circle(11, 0.0) * [1.0, 0.82] + rng.normal(0, 0.1, (count, 11, 2))
    outlines = centres[:, None] + outlines * sizes[:, None, None]
    return [flat(outlines[index], tuple(shades[index])) for index in order]


def tree(rng: np.random.Generator, x: float, z: float, snowy: bool, height: float | None = None) -> Item:
    """A broad-leaved tree, a poplar or a fir."""
    height = float(rng.uniform(4.5, 8.0)) if height is None else height
    kind = str(rng.choice(("round", "poplar", "fir"), p=(0.64, 0.16, 0.2)))
    colour = leaf_colour(rng) if kind != "fir" else (44, 88, 64)
    trunk = 0.36 * height if kind == "round" else 0.16 * height
    parts = [
        flat([(-0.2, 0), (0.2, 0), (0.11, trunk * 1.5), (-0.11, trunk * 1.5)], BARK),
        flat([(-0.2, 0), (-0.06, 0), (-0.05, trunk * 1.5), (-0.11, trunk * 1.5)], tone(BARK, 1.3), solid=False),
    ]
    if kind == "fir":
        parts += _fir(rng, height, trunk, colour, snowy)
    else:
        count = 80
        angle, radius = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0, 1, count))
        across, tall = (0.27 * height, 0.31 * height) if kind == "round" else (0.13 * height, 0.4 * height)
        centres = np.column_stack(
            [radius * np.cos(angle) * across, height - tall * 1.05 + radius * np.sin(angle) * tall]
        )
        parts += _tufts(rng, centres, rng.uniform(0.045, 0.085, count) * height, colour, snowy)
    return Item("vegetation", sprite(parts), x, z, 0.0, None, (0.2 * height, 0.3), soft=True)


def _fir(rng: np.random.Generator, height: float, trunk: float, colour: Colour, snowy: bool) -> list[Part]:
    """Six tiers of drooping branches with ragged hems."""
    parts = []
    for tier in np.linspace(0, 1, 7)[:-1]:
        base, tip = trunk + (height - trunk) * tier * 0.9, trunk + (height - trunk) * min(1.0, tier * 0.9 + 0.3)
        half = 0.24 * height * (1 - tier) + 0.05 * height
        hem = np.linspace(-half, half, 11)
        ragged = np.column_stack([hem, base + 0.03 * height * (np.arange(11) % 2) + rng.normal(0, 0.008 * height, 11)])
        parts.append(
            flat(np.concatenate([ragged, [[0.06 * half, tip], [-0.06 * half, tip]]]), tone(colour, 0.75 + 0.4 * tier))
        )
        bright = np.array([[-half * 0.7, base + 0.05 * height], [-half * 0.1, base + 0.04 * height], [0, tip]])
        parts.append(flat(bright, mix(tone(colour, 1.1 + 0.3 * tier), SNOW, 0.7 if snowy else 0.0), solid=False))
    return parts


def bush(rng: np.random.Generator, x: float, z: float, snowy: bool, length: float = 1.6, heading: float = 0.0) -> Item:
    """A bush, or a hedge when it is long."""
    height, count = float(rng.uniform(0.7, 1.3)), int(14 + 9 * length)
    centres = np.column_stack([rng.uniform(-length / 2, length / 2, count), rng.uniform(0.15, 1.0, count) * height])
    if length < 2.5:
        centres[:, 1] *= np.sqrt(np.clip(1 - (centres[:, 0] / (0.62 * length)) ** 2, 0.1, 1))
    parts = [
        flat(box(-length * 0.42, 0, length * 0.42, 0.4 * height), tone((58, 96, 50), 0.6)),
        *_tufts(rng, centres, rng.uniform(0.13, 0.24, count), leaf_colour(rng), snowy),
    ]
    return Item("vegetation", sprite(parts), x, z, heading, None, (length / 2, 0.3), soft=True)
