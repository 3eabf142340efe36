"""Which objects a scene gets, so that the classes come out balanced, and how they are put on the stage."""

from collections.abc import Callable
from dataclasses import dataclass, replace

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

TRIES = 18
VEHICLES = {"bus": bus, "truck": truck, "car": car}
# What a scene may get, large things first, as they find room less easily: (fewest, most), and the chance of any.
WISHES = {
    "bus": (1, 1, 0.85),
    "truck": (1, 1, 0.8),
    "car": (1, 3, 1.0),
    "ridden motorcycle": (1, 1, 0.55),
    "ridden bicycle": (1, 1, 0.65),
    "traffic light": (1, 2, 0.65),
    "stop sign": (1, 1, 0.65),
    "parked motorcycle": (1, 1, 0.5),
    "parked bicycle": (1, 1, 0.55),
    "person": (1, 3, 1.0),
    "traffic sign": (1, 2, 0.65),
    "crowd": (1, 1, 0.08),
    "lamp": (1, 3, 0.75),
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
    for kind, (fewest, most, chance) in WISHES.items():
        count = int(rng.integers(fewest, most + 1)) if rng.random() < chance else 0
        for _ in range(count):
            vehicle = VEHICLES[kind](rng, 0.0, 0.0, 0.0, light.lamps_on) if kind in VEHICLES else None
            tried = (places(kind) for _ in range(TRIES))
            for place in (place for place in tried if stage.sees(place.x, place.z)):
                if vehicle is None:
                    group = _build(kind, rng, light, place)
                else:  # costly to build, so the same one is tried at each place
                    group = [replace(vehicle, x=place.x, z=place.z, heading=place.heading)]
                if stage.add(group, least_side=least):
                    break


def _build(kind: str, rng: np.random.Generator, light: Light, place: Place) -> list[Item]:
    """The items of one wish that is no vehicle."""
    x, z, cold = place.x, place.z, light.weather == "snow"
    if kind.startswith("ridden"):
        return ridden(rng, kind.removeprefix("ridden "), x, z, place.heading, view=place.view, cold=cold)
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
