"""A street seen from its side: the camera looks across the road at the fronts of the houses."""

import numpy as np

from utils.sample_data.camera import Camera
from utils.sample_data.light import Light
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
from utils.sample_data.shapes_street import bush, tree

LONG = 90.0  # metres to each side


def across_scene(rng: np.random.Generator, light: Light, height: int, width: int) -> Scene:
    """Draws what stands where.

    Args:
        rng: where the draws come from.
        light: time and weather.
        height: picture rows.
        width: picture columns.

    Returns:
        The scene.
    """
    camera = Camera(
        height,
        width,
        between(0.52, 0.66, rng) * lens(height, width),
        between(0.36, 0.45, rng) * height,
        between(2.4, 3.6, rng),
        between(-0.17, 0.17, rng),
    )
    near = between(8.2, 9.6, rng)
    far = near + between(9.0, 10.5, rng)
    front = far + between(3.2, 4.4, rng)
    crossing = between(-6.0, 6.0, rng) if rng.random() < 0.6 else None
    district = str(rng.choice(("city", "suburb", "park"), p=(0.6, 0.25, 0.15)))
    half = 0.5 * width / camera.focal
    left, right = (front * np.tan(camera.yaw + side * np.arctan(half)) + side * 7.0 for side in (-1, 1))
    backdrop = skyline(rng, 110.0) + lots(rng, Frontage(left, front, 0.0), right - left, district, light)
    stage = Stage(camera)
    _plant(rng, stage, light, far)
    fill(rng, stage, light, lambda kind: _place(rng, kind, near, far, front, crossing))
    return Scene(camera, light, _grounds(rng, light, near, far, front, crossing), backdrop, stage.items)


def _grounds(
    rng: np.random.Generator, light: Light, near: float, far: float, front: float, crossing: float | None
) -> list:
    """Grass, pavements, kerbs, the road and its markings."""

    def strip(label: str | None, low: float, high: float, colour: tuple) -> object:
        return patch(label, [(-LONG, low), (LONG, low), (LONG, high), (-LONG, high)], colour, light)

    middle = near + 0.40 * (far - near)
    grounds = [
        patch("terrain", [(-300, 0.4), (300, 0.4), (300, 400), (-300, 400)], GRASS, light),
        strip("sidewalk", near - between(2.4, 8.0, rng), near, PAVEMENT),
        strip("sidewalk", far, front, PAVEMENT),
        strip("road", near, far, ROAD),
        strip(None, near - 0.22, near, KERB),
        strip(None, far, far + 0.25, KERB),
        strip(None, far - 0.12, far, (120, 120, 120)),
    ]
    dashes = [(x, middle - 0.07, x + 1.8, middle + 0.07) for x in np.arange(-40, 40, 3.6)]
    if crossing is not None:
        dashes = [dash for dash in dashes if dash[2] < crossing - 1 or dash[0] > crossing + 5]
        stripes = np.arange(near + 0.3, far - 0.5, 1.05)
        grounds.append(marking([(crossing, z, crossing + 3.6, z + 0.55) for z in stripes], PAINT, light))
    edges = [(-LONG, near + 0.3, LONG, near + 0.4), (-LONG, far - 2.35, LONG, far - 2.27)]
    return [*grounds, marking(dashes + edges, PAINT, light)]


def _plant(rng: np.random.Generator, stage: Stage, light: Light, far: float) -> None:
    """Street trees and tubs on the far pavement."""
    snowy = light.weather == "snow"
    if rng.random() < 0.65:
        for x in np.arange(-22, 22, between(6.5, 11.0, rng)):
            if rng.random() < 0.7:
                stage.add([tree(rng, float(x) + between(-1, 1, rng), far + 0.8, snowy, between(4.0, 6.0, rng))])
    if rng.random() < 0.4:
        stage.add([bush(rng, between(-10, 10, rng), far + 3.0, snowy)])


def _place(rng: np.random.Generator, kind: str, near: float, far: float, front: float, crossing: float | None) -> Place:
    """Draws a place for a kind of scene_wishes.WISHES."""
    x, wide = between(-15.0, 15.0, rng), far - near
    if kind in ("bus", "truck", "car"):
        lanes = (
            ((0.19, 0.0), (0.57, np.pi)) if kind != "car" else ((0.19, 0.0), (0.57, np.pi), (0.87, np.pi), (0.87, 0.0))
        )
        share, heading = lanes[int(rng.integers(len(lanes)))]
        return Place(x, near + share * wide + between(-0.2, 0.2, rng), heading)
    if kind.startswith("ridden"):
        share, heading = ((0.09, 0.0), (0.2, 0.0), (0.56, np.pi), (0.68, np.pi))[int(rng.integers(4))]
        return Place(x, near + share * wide, heading + between(-0.2, 0.2, rng))
    if kind.startswith("parked"):
        z = near - between(0.8, 1.8, rng) if rng.random() < 0.45 else between(far + 0.7, front - 0.6, rng)
        return Place(x, z, float(rng.choice((0.0, np.pi))) + between(-0.25, 0.25, rng))
    if kind in ("traffic light", "stop sign", "traffic sign", "lamp"):
        z = near - 0.55 if rng.random() < (0.45 if kind != "lamp" else 0.2) else far + 0.5
        beside = crossing is not None and kind == "traffic light" and rng.random() < 0.7
        return Place(crossing + float(rng.choice((-0.6, 4.2))) if beside else x, z, float(rng.choice((0.0, np.pi))))
    if kind == "crowd":
        return Place(x, front - 0.6)
    spot = rng.random()
    if crossing is not None and spot < 0.3:
        return Place(crossing + between(0.4, 3.2, rng), between(near + 0.5, far - 0.5, rng))
    return Place(x, near - between(0.5, 2.2, rng) if spot < 0.6 else between(far + 0.6, front - 0.4, rng))
