"""People: a head, a torso, arms and legs with joints, dressed in random clothes. Metres, for a height of 1.75 m."""

from collections.abc import Sequence

import numpy as np

from utils.sample_data.clothes import Clothes, draw_clothes
from utils.sample_data.parts import (
    BLACK,
    Colour,
    Item,
    Part,
    box,
    ellipse,
    flat,
    limb,
    mix,
    moved,
    pick,
    smooth,
    sprite,
    stroke,
    tone,
)
from utils.sample_data.shapes_heads import head

UMBRELLAS: tuple[Colour, ...] = (
    (206, 40, 50),
    (40, 84, 160),
    (240, 190, 50),
    (46, 50, 58),
    (90, 160, 110),
    (190, 80, 150),
)
Point = tuple[float, float]


def two_links(start: Sequence[float], end: Sequence[float], first: float, second: float, bend: int) -> np.ndarray:
    """float[2], where the knee or elbow is between two joints (metres); `bend` is the side, +1 or -1."""
    start, end = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    gap = end - start
    length = max(float(np.hypot(*gap)), 1e-6)
    reach = min(length, first + second - 1e-6)
    along = (first**2 - second**2 + reach**2) / (2 * reach)
    aside = np.sqrt(max(first**2 - along**2, 0.0))
    unit = gap / length
    return start + unit * along + bend * aside * np.array([-unit[1], unit[0]])


def _leg(hip: Point, thigh: float, bend: float, clothes: Clothes, shade: float) -> list[Part]:
    """One leg from the side; angles in radians, `thigh` forward from straight down, `bend` of the knee."""
    knee = (hip[0] + 0.43 * np.sin(thigh), hip[1] - 0.43 * np.cos(thigh))
    ankle = (knee[0] + 0.43 * np.sin(thigh - bend), knee[1] - 0.43 * np.cos(thigh - bend))
    cloth, skin = tone(clothes.legs, shade), tone(clothes.skin, shade)
    bare = clothes.cut in ("shorts", "dress")
    tilt = 0.4 * (thigh - bend)
    toe = (ankle[0] + 0.17 * np.cos(tilt), ankle[1] - 0.045 + 0.17 * np.sin(tilt))
    shoe = limb((ankle[0] - 0.03, ankle[1] - 0.03), toe, 0.05, 0.035)
    return [
        flat(limb(knee, ankle, 0.062, 0.042), skin if bare else cloth),
        flat(limb(hip, knee, 0.092, 0.068), cloth if clothes.cut != "dress" else skin),
        flat(shoe, tone(clothes.shoes, shade)),
    ]


def arm(shoulder: Point, elbow: Sequence[float], hand: Sequence[float], clothes: Clothes, shade: float) -> list[Part]:
    """One arm with a sleeve and a hand."""
    sleeve, skin = tone(clothes.top, shade), tone(clothes.skin, shade)
    bare = clothes.cut in ("shorts", "dress")
    return [
        flat(limb(elbow, hand, 0.042, 0.034), skin if bare else sleeve),
        flat(limb(shoulder, elbow, 0.06, 0.046), sleeve),
        flat(ellipse(hand[0], hand[1], 0.045, count=10), skin),
    ]


def walker(rng: np.random.Generator, clothes: Clothes, umbrella: bool) -> list[Part]:
    """Somebody who walks forward, seen from the side."""
    phase = float(rng.uniform(-1.0, 1.0))
    swing = 0.5 * (phase if abs(phase) > 0.35 else np.copysign(0.35, phase))
    hip, shoulder = (0.0, 0.9 - 0.06 * abs(swing)), (0.03, 1.42 - 0.06 * abs(swing))
    bends = (0.12 + 0.5 * max(-swing, 0.0), 0.12 + 0.5 * max(swing, 0.0))
    parts = _leg((hip[0] + 0.02, hip[1]), -swing, bends[1], clothes, 0.72)
    reach = [
        (shoulder[0] + 0.29 * np.sin(angle), shoulder[1] - 0.05 - 0.29 * np.cos(angle))
        for angle in (swing * 0.9, -swing * 0.9)
    ]
    hands = [
        (elbow[0] + 0.26 * np.sin(angle + 0.35), elbow[1] - 0.26 * np.cos(angle + 0.35))
        for elbow, angle in zip(reach, (swing * 0.9, -swing * 0.9), strict=True)
    ]
    parts += arm((shoulder[0], shoulder[1] - 0.05), reach[0], hands[0], clothes, 0.75)
    if clothes.bag == "backpack":
        parts.append(flat(smooth([(-0.1, 1.38), (-0.26, 1.34), (-0.3, 1.0), (-0.12, 0.96)], 2), clothes.hat))
    parts += (
        _leg(hip, swing, bends[0], clothes, 1.0)
        + _torso_side(hip, shoulder, clothes)
        + head((shoulder[0] + 0.03, shoulder[1] + 0.22), clothes, "side")
    )
    elbow, hand = reach[1], hands[1]
    if umbrella:
        elbow, hand = (0.1, shoulder[1] - 0.3), (0.3, shoulder[1] - 0.12)
        parts += _umbrella(hand, pick(rng, UMBRELLAS))
    parts += arm((shoulder[0] - 0.01, shoulder[1] - 0.05), elbow, hand, clothes, 1.12)
    if clothes.bag == "handbag" and not umbrella:
        parts += [
            flat(box(hand[0] - 0.13, hand[1] - 0.34, hand[0] + 0.13, hand[1] - 0.1), tone(clothes.hat, 0.75)),
            *(
                flat(rod, tone(clothes.hat, 0.5))
                for rod in stroke([(hand[0] - 0.08, hand[1] - 0.1), hand, (hand[0] + 0.08, hand[1] - 0.1)], 0.02)
            ),
        ]
    return parts


def _torso_side(hip: Point, shoulder: Point, clothes: Clothes) -> list[Part]:
    """Trunk from the side, with a hem when it is a coat or a dress."""
    hem = {"coat": 0.42, "dress": 0.38}.get(clothes.cut, 0.06)
    flare = 0.06 if hem > 0.1 else 0.0
    outline = [
        (shoulder[0] - 0.09, shoulder[1] + 0.04),
        (shoulder[0] + 0.08, shoulder[1] + 0.03),
        (shoulder[0] + 0.12, shoulder[1] - 0.18),
        (hip[0] + 0.12, hip[1] + 0.08),
        (hip[0] + 0.12 + flare, hip[1] - hem),
        (hip[0] - 0.12 - flare, hip[1] - hem),
        (hip[0] - 0.12, hip[1] + 0.1),
        (shoulder[0] - 0.13, shoulder[1] - 0.15),
    ]
    belt = (
        []
        if hem < 0.1
        else [
            flat(box(hip[0] - 0.12, hip[1] + 0.08, hip[0] + 0.12, hip[1] + 0.12), tone(clothes.top, 0.6), solid=False)
        ]
    )
    return [flat(smooth(outline, 2), clothes.top), *belt]


def _umbrella(hand: Point, colour: Colour) -> list[Part]:
    """An open umbrella held in the hand."""
    x, y = hand
    dome = [(x + 0.58 * np.cos(angle), y + 0.62 + 0.36 * np.sin(angle)) for angle in np.linspace(0, np.pi, 14)]
    hem = [
        (x + shift, y + 0.62 + (0.06 if index % 2 else 0.0)) for index, shift in enumerate(np.linspace(-0.58, 0.58, 9))
    ]
    panel = [(x - 0.2, y + 0.63), (x - 0.02, y + 0.98), (x + 0.02, y + 0.98), (x + 0.2, y + 0.63)]
    return [
        flat(limb(hand, (x, y + 0.98), 0.014), (60, 60, 64)),
        flat(dome + hem[1:-1], colour),
        flat(panel, mix(colour, (255, 255, 255), 0.25), solid=False),
    ]


def stander(rng: np.random.Generator, clothes: Clothes, umbrella: bool, facing: str) -> list[Part]:
    """Somebody seen from the front or the back, standing or in mid-step."""
    step = float(rng.uniform(0.0, 0.06))
    hem = {"coat": 0.42, "dress": 0.38}.get(clothes.cut, 0.02)
    bare = clothes.cut in ("shorts", "dress")
    parts = []
    for side in (-1, 1):
        lift = step if side > 0 else 0.0
        hip, knee, ankle = (side * 0.09, 0.9), (side * 0.11, 0.5 + lift), (side * 0.115, 0.09 + lift)
        parts += [
            flat(limb(knee, ankle, 0.066, 0.048), clothes.skin if bare else clothes.legs),
            flat(limb(hip, knee, 0.095, 0.072), clothes.legs if clothes.cut != "dress" else clothes.skin),
            flat(ellipse(side * 0.125, 0.05 + lift, 0.07, 0.05, 12), clothes.shoes),
        ]
    if not bare and hem < 0.1:
        parts.append(flat(box(-0.01, 0.55, 0.01, 0.84), tone(clothes.legs, 0.6), solid=False))
    waist = 0.17 + 0.1 * (hem > 0.1)
    trunk = smooth(
        [
            (-0.2, 1.45),
            (0.2, 1.45),
            (0.23, 1.3),
            (0.165, 1.08),
            (waist, 0.88 - hem),
            (-waist, 0.88 - hem),
            (-0.165, 1.08),
            (-0.23, 1.3),
        ],
        2,
    )
    pose = "umbrella" if umbrella else str(rng.choice(("down", "wave", "phone", "hip"), p=(0.52, 0.14, 0.2, 0.14)))
    parts.append(flat(trunk, clothes.top))
    parts += _front_details(clothes, facing, hem)
    hands = {
        "down": ((0.29, 1.12), (0.3, 0.86)),
        "wave": ((0.42, 1.42), (0.46, 1.72)),
        "phone": ((0.3, 1.14), (0.14, 1.3)),
        "hip": ((0.4, 1.15), (0.2, 0.95)),
        "umbrella": ((0.32, 1.16), (0.26, 1.32)),
    }
    if umbrella:
        parts += _umbrella((0.26, 1.32), pick(rng, UMBRELLAS))
    parts += head((0.0, 1.62), clothes, facing)
    parts += arm((-0.21, 1.38), (-0.28, 1.12), (-0.29, 0.86), clothes, 0.86) + arm(
        (0.21, 1.38), *hands[pose], clothes, 0.94
    )
    if pose == "phone" and facing == "front":
        parts.append(flat(box(0.1, 1.29, 0.17, 1.41), BLACK, solid=False))
    if clothes.bag == "handbag":
        parts.append(flat(box(-0.4, 0.56, -0.18, 0.8), tone(clothes.hat, 0.75)))
    return parts


def _front_details(clothes: Clothes, facing: str, hem: float) -> list[Part]:
    """Zip and collar, or the backpack when seen from behind."""
    if facing == "back":
        pack = [
            flat(smooth([(-0.16, 1.42), (0.16, 1.42), (0.18, 1.0), (-0.18, 1.0)], 2), clothes.hat, solid=False),
            flat(box(-0.11, 1.05, 0.11, 1.18), tone(clothes.hat, 0.75), solid=False),
        ]
        return pack if clothes.bag == "backpack" else []
    parts = [flat([(-0.07, 1.46), (0.07, 1.46), (0.0, 1.36)], tone(clothes.skin, 0.9), solid=False)]
    if clothes.cut in ("coat", "trousers"):
        parts.append(flat(box(-0.008, 0.9 - hem, 0.008, 1.36), tone(clothes.top, 0.6), solid=False))
    if clothes.bag == "backpack":
        parts += [
            flat(limb((side * 0.14, 1.44), (side * 0.15, 1.12), 0.025), tone(clothes.hat, 0.8), solid=False)
            for side in (-1, 1)
        ]
    return parts


def figure(rng: np.random.Generator, weather: str, view: str) -> list[Part]:
    """A pedestrian of random age, clothes and pose, seen from "side", "front" or "back"."""
    clothes = draw_clothes(rng, weather == "snow")
    umbrella = weather == "rain" and rng.random() < 0.6
    parts = walker(rng, clothes, umbrella) if view == "side" else stander(rng, clothes, umbrella, view)
    height = rng.uniform(1.15, 1.35) if rng.random() < 0.14 else rng.uniform(1.62, 1.92)
    return moved(parts, scale=float(height) / 1.75)


def person(rng: np.random.Generator, x: float, z: float, weather: str, turned: float = 0.0) -> Item:
    """A pedestrian at (x, z) metres; `turned` is the direction across the street of view, in radians."""
    view = str(rng.choice(("side", "front", "back"), p=(0.55, 0.28, 0.17)))
    heading = turned + (np.pi if view == "side" and rng.random() < 0.5 else 0.0)
    return Item("person", sprite(figure(rng, weather, view)), x, z, heading, "person", (0.28, 0.22), soft=True)


def crowd(rng: np.random.Generator, x: float, z: float, weather: str) -> Item:
    """Seven people close together, far away: one region that nobody would separate."""
    parts = []
    for shift in rng.permutation(np.linspace(-1.6, 1.6, 7)) + rng.uniform(-0.12, 0.12, 7):
        parts += moved(figure(rng, weather, str(rng.choice(("side", "front", "back")))), forward=float(shift))
    return Item("persongroup", sprite(parts), x, z, 0.0, "person", (2.2, 0.3), soft=True, crowd=True)
