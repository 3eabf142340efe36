"""Which objects a scene gets, so that the classes come out balanced, and how they are put on the stage."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from utils.sample_data.light import Light
from utils.sample_data.parts import Item
from utils.sample_data.scene import Stage
from utils.sample_data.shapes_buses import bus
from utils.sample_data.shapes_cars import car
from utils.sample_data.shapes_people import crowd, person
from utils.sample_data.shapes_street import stop_sign, street_lamp, traffic_light, traffic_sign
from utils.sample_data.shapes_trucks import truck
from utils.sample_data.shapes_two_wheelers import parked, ridden

TRIES = 14
# kind: (fewest, most) in a scene; large ones are placed first
WISHES = {
    "bus": (0, 1),
    "truck": (0, 1),
    "car": (1, 3),
    "traffic light": (0, 2),
    "stop sign": (0, 1),
    "ridden motorcycle": (0, 1),
    "ridden bicycle": (0, 1),
    "parked motorcycle": (0, 1),
    "parked bicycle": (0, 1),
    "person": (2, 4),
    "traffic sign": (0, 2),
    "crowd": (0, 1),
    "lamp": (0, 3),
}
CHANCE = {
    "bus": 0.62,
    "truck": 0.66,
    "stop sign": 0.6,
    "ridden motorcycle": 0.5,
    "ridden bicycle": 0.7,
    "parked motorcycle": 0.45,
    "parked bicycle": 0.6,
    "crowd": 0.08,
}


@dataclass(frozen=True)
class Place:
    """Where something may stand: world metres, heading in radians; `view` ("side", "front", "back") is of riders."""

    x: float
    z: float
    heading: float = 0.0
    view: str = "side"


Places = Callable[[str], Place]


def fill(rng: np.random.Generator, stage: Stage, light: Light, places: Places) -> None:
    """Puts a scene's wishes on the stage.

    Args:
        rng: where the draws come from.
        stage: takes or refuses.
        light: for lamps, clothes and umbrellas.
        places: draws a place for a kind of WISHES.
    """
    least = 0.02 * stage.camera.height
    for kind, (fewest, most) in WISHES.items():
        count = int(rng.random() < CHANCE[kind]) if kind in CHANCE else int(rng.integers(fewest, most + 1))
        for _ in range(count):
            for _ in range(TRIES):
                if stage.add(_build(kind, rng, light, places(kind)), least_side=least):
                    break


def _build(kind: str, rng: np.random.Generator, light: Light, place: Place) -> list[Item]:
    """The items of one wish."""
    x, z, cold = place.x, place.z, light.weather == "snow"
    vehicles = {"bus": bus, "truck": truck, "car": car}
    if kind in vehicles:
        return [vehicles[kind](rng, x, z, place.heading, light.lamps_on)]
    if kind.startswith("ridden"):
        return ridden(rng, kind.removeprefix("ridden "), x, z, place.heading, place.view, cold)
    if kind.startswith("parked"):
        return [parked(rng, kind.removeprefix("parked "), x, z, place.heading)]
    if kind == "traffic light":
        return traffic_light(rng, x, z, float(rng.uniform(3.0, 3.7)))
    if kind == "stop sign":
        return stop_sign(x, z, float(rng.uniform(2.4, 2.9)))
    if kind == "traffic sign":
        return traffic_sign(rng, x, z, float(rng.uniform(2.4, 2.9)))
    if kind == "lamp":
        return [street_lamp(x, z, float(np.copysign(1.3, np.cos(place.heading))), light.lamps_on)]
    if kind == "crowd":
        return [crowd(rng, x, z, light.weather)]
    return [person(rng, x, z, light.weather, place.heading)]
