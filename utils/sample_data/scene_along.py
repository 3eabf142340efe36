"""A street seen along its length, from a vehicle in the right lane; often with a crossing ahead."""

import numpy as np

from utils.sample_data.camera import Camera
from utils.sample_data.light import Light
from utils.sample_data.parts import Item
from utils.sample_data.scene import (
    GRASS,
    KERB,
    PAINT,
    PAVEMENT,
    ROAD,
    Frontage,
    Scene,
    Stage,
    between,
    lens,
    lots,
    marking,
    patch,
    skyline,
)
from utils.sample_data.scene_wishes import Place, fill
from utils.sample_data.shapes_street import tree

START, END, FAR = 0.4, 95.0, 70.0  # metres
CROSS_ROAD = 7.0  # metres wide
AWAY, TOWARDS = np.pi / 2, -np.pi / 2


def along_scene(rng: np.random.Generator, light: Light, height: int, width: int) -> Scene:
    """Draws what stands where; arguments and result as in `across_scene`."""
    camera = Camera(
        height,
        width,
        between(0.55, 0.72, rng) * lens(height, width),
        between(0.41, 0.48, rng) * height,
        between(1.6, 2.4, rng),
        between(-0.07, 0.07, rng),
    )
    centre, half = -1.7 + between(-0.5, 0.5, rng), between(5.4, 6.3, rng)
    pavement = between(2.6, 3.6, rng)
    crossing = between(13.0, 20.0, rng) if rng.random() < 0.65 else None
    district = str(rng.choice(("city", "suburb", "park"), p=(0.62, 0.25, 0.13)))
    edge = half + pavement
    backdrop = skyline(rng, 130.0)
    for low, high in [(2.2, FAR)] if crossing is None else [(2.2, crossing - 1.5), (crossing + CROSS_ROAD + 1.5, FAR)]:
        backdrop += lots(rng, Frontage(centre + edge, high, TOWARDS), high - low, district, light)
        backdrop += lots(rng, Frontage(centre - edge, low, AWAY), high - low, district, light)
    stage = Stage(camera)
    fill(rng, stage, light, lambda kind: _place(rng, kind, centre, half, pavement, crossing))
    _plant(rng, stage, light, centre, half, crossing)
    return Scene(camera, light, _grounds(light, centre, half, pavement, crossing), backdrop, stage.items)


def _grounds(light: Light, centre: float, half: float, pavement: float, crossing: float | None) -> list[Item]:
    """Grass, pavements, kerbs, roads and markings."""

    def strip(label: str | None, left: float, right: float, low: float, high: float, colour: tuple) -> Item:
        return patch(label, [(left, low), (right, low), (right, high), (left, high)], colour, light)

    stretches = [(START, END)] if crossing is None else [(START, crossing), (crossing + CROSS_ROAD, END)]
    grounds = [strip("terrain", -300, 300, START, 400, GRASS)]
    for low, high in stretches:
        for side in (-1, 1):
            inner, outer = centre + side * half, centre + side * (half + pavement)
            grounds += [
                strip("sidewalk", inner, outer, low, high, PAVEMENT),
                strip(None, inner, inner + side * 0.2, low, high, KERB),
            ]
    if crossing is not None:
        for low, high in ((crossing - 1.8, crossing), (crossing + CROSS_ROAD, crossing + CROSS_ROAD + 1.8)):
            grounds += [
                strip("sidewalk", centre + side * half, centre + side * 70, low, high, PAVEMENT) for side in (-1, 1)
            ]
        grounds.append(strip("road", -70, 70, crossing, crossing + CROSS_ROAD, ROAD))
    grounds.append(strip("road", centre - half, centre + half, START, END, ROAD))
    marks = [
        (centre - 0.07, z, centre + 0.07, z + 1.8)
        for z in np.arange(1.0, END, 3.8)
        if crossing is None or not crossing - 6 < z < crossing + CROSS_ROAD
    ]
    parking = [
        (
            centre + side * (half - 2.2) - 0.05,
            low,
            centre + side * (half - 2.2) + 0.05,
            high - 5 * (crossing is not None and high < END),
        )
        for low, high in stretches
        for side in (-1, 1)
    ]
    if crossing is not None:
        marks += [
            (x, crossing - 3.9, x + 0.5, crossing - 1.0)
            for x in np.arange(centre - half + 0.4, centre + half - 0.5, 1.0)
        ]
        marks.append((centre + 0.2, crossing - 5.3, centre + half - 0.3, crossing - 4.85))
    return [*grounds, marking(marks + parking, PAINT, light)]


def _plant(
    rng: np.random.Generator, stage: Stage, light: Light, centre: float, half: float, crossing: float | None
) -> None:
    """Rows of street trees."""
    if rng.random() < 0.4:
        return
    for side in (-1, 1):
        for z in np.arange(between(8, 14, rng), 60, between(7.0, 11.0, rng)):
            if crossing is None or not crossing - 4 < z < crossing + CROSS_ROAD + 2:
                stage.add(
                    [tree(rng, centre + side * (half + 0.8), float(z), light.weather == "snow", between(4.5, 6.5, rng))]
                )


def _ahead(rng: np.random.Generator, nearest: float, farthest: float) -> float:
    """A distance in metres such that sizes in the picture come out even."""
    return 1.0 / between(1.0 / farthest, 1.0 / nearest, rng)


def _place(
    rng: np.random.Generator, kind: str, centre: float, half: float, pavement: float, crossing: float | None
) -> Place:
    """Draws a place for a kind of scene_wishes.WISHES."""
    side = int(rng.choice((-1, 1)))
    if kind in ("bus", "truck", "car") or kind.startswith("ridden"):
        if crossing is not None and rng.random() < 0.5:
            lane, heading = ((1.9, 0.0), (5.2, np.pi))[int(rng.integers(2))]
            return Place(between(-11, 11, rng), crossing + lane, heading)
        if kind.startswith("ridden"):
            return Place(
                centre + side * (half - 2.75),
                _ahead(rng, 6.0, 18.0),
                between(-0.25, 0.25, rng),
                "back" if side > 0 else "front",
            )
        lane = (half - 1.15) if kind == "car" and rng.random() < 0.5 else 1.75
        nearest = {"car": 7.5, "truck": 11.0, "bus": 12.0}[kind]
        return Place(centre + side * lane, _ahead(rng, nearest, 34.0), AWAY if side > 0 else TOWARDS)
    beside = centre + side * (half + between(0.8, pavement - 0.5, rng))
    if kind.startswith("parked"):
        return Place(beside, _ahead(rng, 7.0, 16.0), float(rng.choice((0.0, np.pi))) + between(-0.5, 0.5, rng))
    if kind in ("traffic light", "stop sign", "traffic sign", "lamp"):
        corner = crossing is not None and rng.random() < 0.6
        z = crossing + float(rng.choice((-0.6, CROSS_ROAD + 0.6))) if corner else _ahead(rng, 8.0, 22.0)
        return Place(centre + side * (half + 0.45), z, 0.0 if side < 0 else np.pi)
    if kind == "crowd":
        return Place(beside, between(28, 38, rng))
    if crossing is not None and rng.random() < 0.4:
        return Place(centre + between(-half, half, rng), crossing - between(1.2, 3.6, rng))
    return Place(beside, _ahead(rng, 6.0, 24.0))
