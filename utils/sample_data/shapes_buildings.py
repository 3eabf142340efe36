"""Buildings: a box with a roof, whose front has rows of windows, a door or a shop, balconies and a cornice.

Local metres: forward runs along the street front, across is 0 at the front and grows away from the street.
"""

from dataclasses import dataclass

import numpy as np

from utils.sample_data.lettering import lettering
from utils.sample_data.parts import (
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
    smooth,
    tone,
    upright,
)

WALLS: tuple[Colour, ...] = (
    (224, 206, 172),
    (206, 150, 118),
    (178, 92, 76),
    (196, 200, 204),
    (232, 226, 212),
    (214, 178, 120),
    (160, 176, 186),
    (190, 124, 96),
    (236, 200, 160),
    (152, 160, 140),
    (206, 186, 190),
)
ROOFS: tuple[Colour, ...] = ((160, 74, 56), (110, 70, 60), (84, 88, 98), (128, 96, 80), (70, 76, 84))
PANES: tuple[Colour, ...] = ((74, 94, 112), (96, 120, 138), (60, 76, 92), (112, 132, 146))
LIT: Colour = (255, 222, 140)
AWNINGS: tuple[Colour, ...] = ((196, 44, 48), (40, 120, 90), (36, 92, 160), (232, 160, 40), (120, 60, 130))
SHOPS = (
    "CAFE",
    "BAKERY",
    "BOOKS",
    "HOTEL",
    "PIZZA",
    "TOYS",
    "MARKET",
    "BANK",
    "FLOWERS",
    "CINEMA",
    "BIKES",
    "TEA",
    "SHOES",
)
SNOW: Colour = (238, 242, 248)
WINDOW_HEIGHT = 1.55  # metres
FLOOR = 2.9  # metres from floor to floor
DEPTH = 9.0  # metres from the front to the back
FRONT = np.array([0.0, 0.0, -1.0])


def building(
    rng: np.random.Generator,
    x: float,
    z: float,
    heading: float,
    width: float,
    *,
    storeys: int,
    lit_share: float,
    snowy: bool,
) -> Item:
    """A building with its front's left end at (x, z).

    Args:
        rng: where the draws come from.
        x: world metres.
        z: world metres.
        heading: direction of the front, in radians.
        width: length of the front, in metres.
        storeys: number of floors.
        lit_share: share of windows with light in them.
        snowy: whether snow lies on the roof.
    """
    paint: Colour = pick(rng, WALLS)
    base = 3.3
    height = base + (storeys - 1) * FLOOR + 0.35
    front = [flat(box(0, 0, width, height), paint)]
    front.append(flat(box(0, 0, width, 0.5), tone(paint, 0.72), solid=False))
    front += (
        _shop(rng, width, lit_share)
        if rng.random() < 0.55 and storeys > 1
        else _ground_floor(rng, width, paint, lit_share)
    )
    front += _upper_floors(rng, width, base, storeys, paint, lit_share)
    front += [
        flat(box(0, height - 0.3, width, height), mix(paint, WHITE, 0.35), -0.05, solid=False),
        flat(box(0, height - 0.42, width, height - 0.3), tone(paint, 0.65), -0.04, solid=False),
    ]
    if storeys > 1:
        front.append(flat(box(0, base - 0.05, width, base + 0.1), tone(paint, 0.8), -0.04, solid=False))
    faces = [Face(tuple(front), FRONT, 1)]
    for end, sign in ((0.0, -1.0), (width, 1.0)):
        gable = [upright(box(0, 0, DEPTH, height), tone(paint, 0.92), end)]
        if storeys > 1:
            gable += [
                upright(box(start, y, start + 1.0, y + 1.4), pick(rng, PANES), end, solid=False)
                for y in base + 0.8 + FLOOR * np.arange(storeys - 1)
                for start in (1.3, 4.0, 6.7)
            ]
        faces.append(Face(tuple(gable), np.array([sign, 0.0, 0.0]), 0))
    faces += _roof(rng, width, height, paint, snowy)
    return Item("building", tuple(faces), x, z, heading, texture=str(rng.choice(("brick", "plaster"))))


def _roof(rng: np.random.Generator, width: float, height: float, paint: Colour, snowy: bool) -> list[Face]:
    """Two tiled slopes between gables, with a chimney and sometimes dormers, or a flat roof behind a parapet."""
    colour: Colour = SNOW if snowy else pick(rng, ROOFS)
    x = float(rng.uniform(0.2, 0.8)) * width
    if rng.random() < 0.35:
        parapet = _block(
            (-0.06, width + 0.06), (height - 0.05, height + 0.4), (-0.05, DEPTH), SNOW if snowy else (196, 190, 180)
        )
        return parapet + _block((x - 1.2, x + 1.0), (height + 0.4, height + 1.2), (3.0, 5.0), (150, 154, 158))
    rise, ridge = float(rng.uniform(1.8, 2.8)), DEPTH / 2
    faces = []
    for end, sign in ((0.0, -1.0), (width, 1.0)):
        gable = np.array([[end, height, 0.0], [end, height + rise, ridge], [end, height, DEPTH]])
        faces.append(Face((Part(gable, tone(paint, 0.92)),), np.array([sign, 0.0, 0.0]), 1))
    for eaves, sign in ((-0.3, -1.0), (DEPTH + 0.3, 1.0)):
        faces.append(
            Face(
                tuple(_slope(width, height, rise, eaves, colour)),
                np.array([0.0, ridge, sign * rise]) / np.hypot(ridge, rise),
                1,
            )
        )
    faces += _block(
        (x - 0.35, x + 0.35), (height + 0.55 * rise, height + rise + 0.7), (ridge - 1.3, ridge - 0.6), (138, 82, 68)
    )
    if rng.random() < 0.5:
        faces += [_dormer(middle, height, pick(rng, PANES)) for middle in np.arange(1.6, width - 1.5, 3.4)]
    return faces


def _slope(width: float, height: float, rise: float, eaves: float, colour: Colour) -> list[Part]:
    """One side of a roof from the eaves at that depth up to the ridge, with rows of tiles."""
    ridge = DEPTH / 2

    def row(low: float, high: float, shade: Colour, solid: bool) -> Part:
        corners = [(-0.15, low), (width + 0.15, low), (width + 0.15, high), (-0.15, high)]
        points = [[x, height - 0.1 + (rise + 0.1) * share, eaves + (ridge - eaves) * share] for x, share in corners]
        return Part(np.array(points), shade, solid)

    return [
        row(0, 1, colour, True),
        *(row(share, share + 0.035, tone(colour, 0.84), False) for share in np.linspace(0.1, 0.9, 8)),
    ]


def _block(x: tuple[float, float], y: tuple[float, float], across: tuple[float, float], colour: Colour) -> list[Face]:
    """Front, ends and top of a box between two values each of forward, up and across."""
    faces = [Face((flat(box(x[0], y[0], x[1], y[1]), colour, across[0]),), FRONT, 2)]
    faces += [
        Face((upright(box(across[0], y[0], across[1], y[1]), colour, end),), np.array([sign, 0.0, 0.0]), 2)
        for end, sign in zip(x, (-1.0, 1.0), strict=True)
    ]
    lid = np.array([[x[0], y[1], across[0]], [x[1], y[1], across[0]], [x[1], y[1], across[1]], [x[0], y[1], across[1]]])
    return [*faces, Face((Part(lid, tone(colour, 0.8)),), np.array([0.0, 1.0, 0.0]), 2)]


def _dormer(x: float, height: float, glass: Colour) -> Face:
    """A window in the roof."""
    outline = [
        (x - 0.65, height + 0.3),
        (x + 0.65, height + 0.3),
        (x + 0.65, height + 1.2),
        (x, height + 1.65),
        (x - 0.65, height + 1.2),
    ]
    parts = (
        flat(outline, (226, 220, 208), 0.2),
        flat(box(x - 0.4, height + 0.45, x + 0.4, height + 1.15), glass, 0.19, solid=False),
        flat(box(x - 0.03, height + 0.45, x + 0.03, height + 1.15), WHITE, 0.18, solid=False),
    )
    return Face(parts, FRONT, 3)


@dataclass(frozen=True)
class WindowStyle:
    """What the windows of a building have in common.

    Args:
        frame: colour.
        lit_share: share with light in them.
        trim: "plain", "lintel" or "shutters".
    """

    frame: Colour
    lit_share: float
    trim: str


def _window(rng: np.random.Generator, corner: tuple[float, float], width: float, style: WindowStyle) -> list[Part]:
    """A window with its lower left corner at (x, y): frame, pane, reflection, bars, sill, curtains, trim."""
    (x, y), height, frame = corner, WINDOW_HEIGHT, style.frame
    lit = rng.random() < style.lit_share
    glass: Colour = tone(LIT, float(rng.uniform(0.75, 1.05))) if lit else pick(rng, PANES)
    parts = [
        flat(box(x - 0.09, y - 0.09, x + width + 0.09, y + height + 0.09), frame, -0.01, solid=False),
        flat(box(x, y, x + width, y + height), glass, -0.02, solid=False, glow=lit),
    ]
    if rng.random() < 0.4:
        curtains = (box(x, y, x + 0.2 * width, y + height), box(x + 0.8 * width, y, x + width, y + height))
        parts += [flat(cloth, mix(glass, (250, 246, 236), 0.55), -0.02, solid=False, glow=lit) for cloth in curtains]
    elif not lit:
        shares = ((0.1, 0.0), (0.45, 0.0), (0.95, 1.0), (0.6, 1.0))
        shine = [(x + along * width, y + up * height) for along, up in shares]
        parts.append(flat(shine, mix(glass, WHITE, 0.22), -0.02, solid=False))
    parts += [
        flat(box(x + width / 2 - 0.035, y, x + width / 2 + 0.035, y + height), frame, -0.03, solid=False),
        flat(box(x, y + 0.62 * height, x + width, y + 0.62 * height + 0.06), frame, -0.03, solid=False),
        flat(box(x - 0.18, y - 0.2, x + width + 0.18, y - 0.08), tone(frame, 0.78), -0.06, solid=False),
    ]
    if style.trim == "shutters":
        parts += _shutter(x - 0.52, y) + _shutter(x + width + 0.12, y)
    elif style.trim == "lintel":
        beam = box(x - 0.16, y + height + 0.09, x + width + 0.16, y + height + 0.26)
        parts.append(flat(beam, mix(frame, (190, 180, 165), 0.5), -0.04, solid=False))
    return parts


def _shutter(x: float, y: float) -> list[Part]:
    """A green shutter with slats."""
    colour, height = (70, 110, 92), WINDOW_HEIGHT
    slats = [box(x + 0.05, y + up * height, x + 0.35, y + (up + 0.05) * height) for up in (0.15, 0.35, 0.55, 0.75)]
    board = flat(box(x, y, x + 0.4, y + height), colour, -0.03, solid=False)
    return [board, *(flat(slat, tone(colour, 0.7), -0.03, solid=False) for slat in slats)]


def _upper_floors(
    rng: np.random.Generator, width: float, base: float, storeys: int, paint: Colour, lit_share: float
) -> list[Part]:
    """Rows of equal windows, some with balconies."""
    bays = max(2, int(width / float(rng.uniform(2.2, 2.9))))
    pitch, glass_width = width / bays, float(rng.uniform(0.95, 1.2))
    frame: Colour = pick(rng, ((244, 242, 236), (236, 230, 214), (92, 70, 56), (70, 76, 84)))
    style = WindowStyle(frame, lit_share, str(rng.choice(("plain", "lintel", "shutters"), p=(0.35, 0.4, 0.25))))
    balconies = rng.random() < 0.4
    parts = []
    for floor in range(storeys - 1):
        y = base + 0.75 + floor * FLOOR
        for bay in range(bays):
            x = (bay + 0.5) * pitch - glass_width / 2
            parts += _window(rng, (x, y), glass_width, style)
            if balconies and bay % 2 == 1:
                parts += _balcony(x - 0.35, y - 0.35, glass_width + 0.7, tone(paint, 0.6))
    return parts


def _balcony(x: float, y: float, width: float, colour: Colour) -> list[Part]:
    """A slab with railings."""
    parts = [
        flat(box(x, y - 0.12, x + width, y + 0.04), colour, -0.3, solid=False),
        flat(box(x, y + 0.78, x + width, y + 0.85), (52, 54, 58), -0.3, solid=False),
    ]
    return parts + [
        flat(box(bar - 0.02, y, bar + 0.02, y + 0.8), (52, 54, 58), -0.3, solid=False)
        for bar in np.linspace(x + 0.03, x + width - 0.03, 9)
    ]


def _door(rng: np.random.Generator, x: float, width: float, height: float) -> list[Part]:
    """A panelled door centred at x with a step and a fan light."""
    colour: Colour = pick(rng, ((120, 52, 40), (40, 76, 110), (52, 92, 66), (96, 66, 44), (70, 40, 70)))
    parts = [
        flat(box(x - width / 2 - 0.16, 0, x + width / 2 + 0.16, height + 0.5), (232, 228, 218), -0.01, solid=False),
        flat(box(x - width / 2, 0.12, x + width / 2, height), colour, -0.02, solid=False),
        flat(box(x - width / 2, height + 0.06, x + width / 2, height + 0.4), (150, 170, 180), -0.02, solid=False),
        flat(box(x - width / 2 - 0.3, 0, x + width / 2 + 0.3, 0.14), (180, 176, 168), -0.1, solid=False),
    ]
    for low, high in ((0.3, 0.95), (1.1, height - 0.15)):
        parts += [
            flat(box(x + start * width, low, x + (start + 0.36) * width, high), tone(colour, 0.75), -0.03, solid=False)
            for start in (-0.42, 0.06)
        ]
    return [*parts, flat(ellipse(x + 0.38 * width, 1.02, 0.05, count=8), (230, 200, 90), -0.04, solid=False)]


def _ground_floor(rng: np.random.Generator, width: float, paint: Colour, lit_share: float) -> list[Part]:
    """A door between windows."""
    bays = max(3, int(width / 2.6))
    pitch, door = width / bays, int(rng.integers(bays))
    style = WindowStyle(mix(paint, WHITE, 0.7), lit_share, "lintel")
    parts = []
    for bay in range(bays):
        middle = (bay + 0.5) * pitch
        parts += _door(rng, middle, 1.1, 2.2) if bay == door else _window(rng, (middle - 0.55, 1.0), 1.1, style)
    return parts


def _shop(rng: np.random.Generator, width: float, lit_share: float) -> list[Part]:
    """Wide shop windows with goods, a door, a striped awning and a name board."""
    board: Colour = pick(rng, AWNINGS)
    lit = lit_share > 0.2
    glass = tone(LIT, 0.92) if lit else (112, 134, 148)
    parts = [flat(box(0.25, 0, width - 0.25, 3.05), tone(board, 0.45), -0.01, solid=False)]
    door = width * float(rng.choice((0.2, 0.5, 0.8)))
    for start, end in ((0.45, door - 0.75), (door + 0.75, width - 0.45)):
        if end - start < 0.6:
            continue
        parts += [
            flat(box(start, 0.55, end, 2.35), glass, -0.02, solid=False, glow=lit),
            flat(
                [(start, 0.55), (start + 0.3, 0.55), (start + 0.9, 2.35), (start + 0.5, 2.35)],
                mix(glass, WHITE, 0.4),
                -0.02,
                solid=False,
                glow=lit,
            ),
        ]
        parts += [
            flat(
                smooth(box(goods, 0.58, goods + 0.34, 0.58 + float(rng.uniform(0.3, 0.7))), 1),
                tone(pick(rng, AWNINGS), 0.9),
                -0.03,
                solid=False,
            )
            for goods in np.arange(start + 0.15, end - 0.4, 0.55)
        ]
    parts += _door(rng, door, 1.0, 2.15)
    parts += [flat(box(0.25, 2.5, width - 0.25, 3.1), board, -0.1, solid=False)]
    parts += [
        flat(points, (250, 246, 230), -0.12, solid=False, glow=lit)
        for points in lettering(pick(rng, SHOPS), width / 2, 2.8, 0.38, 0.18)
    ]
    if rng.random() < 0.7:
        stripes = np.linspace(0.3, width - 0.3, 2 * max(3, int(width / 1.1)) + 1)
        for index, (start, end) in enumerate(zip(stripes[:-1], stripes[1:], strict=True)):
            panel = np.array([[start, 2.5, -0.1], [end, 2.5, -0.1], [end, 2.12, -1.0], [start, 2.12, -1.0]])
            hem = np.array(
                [
                    [start, 2.12, -1.0],
                    [end, 2.12, -1.0],
                    [end, 1.94, -1.0],
                    [(start + end) / 2, 1.88, -1.0],
                    [start, 1.94, -1.0],
                ]
            )
            colour = board if index % 2 else WHITE
            parts += [Part(panel, colour, False), Part(hem, tone(colour, 0.85), False)]
    return parts
