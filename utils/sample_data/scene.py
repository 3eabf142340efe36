"""What a scene is made of: a street with what stands along it, and the stage that keeps its objects apart."""

from dataclasses import dataclass

import numpy as np

from utils.sample_data.builder import Drawn
from utils.sample_data.drawing.camera import Camera
from utils.sample_data.drawing.light import Light
from utils.sample_data.drawing.parts import Item
from utils.sample_data.files import town

# By eye on the finished pictures: crowded streets in which nearly each target can be recognised.
MOST_COVERED = 0.45  # share of a target's frame that one other target may cover
LEAST_IN_PICTURE = 0.5  # share of a target's frame that must be inside of the picture
LEAST_SIDE = 0.02  # of the picture's height: how wide and high a target's frame must be
ELBOW_ROOM = 0.25  # metres between objects
TRIES = 18  # places that are tried for a wish


@dataclass(frozen=True)
class Scene:
    """Everything in a picture: lying `grounds` in drawing order, the `backdrop` along the street, and `items` in it."""

    camera: Camera
    light: Light
    grounds: list[Item]
    backdrop: list[Item]
    items: list[Item]
    corner: float  # z in metres at which a cross road begins behind houses, 0 without one


class Stage:
    """Takes items one by one and refuses those that run into others, hide them or are hardly in the picture."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.items: list[Item] = []
        self._frames = np.zeros((0, 4))  # left, top, right, bottom in pixels
        self._places = np.zeros((0, 4))  # x, z, half size along x, half size along z in metres
        self._depths = np.zeros(0)

    def add(self, group: list[Item], *, least_side: float = 0.0) -> bool:
        """Takes items at one place, of which the first one's footprint counts, unless they break a rule.

        Returns:
            Whether they were taken; not so, too, when their frame is less than `least_side` pixels wide or high.
        """
        spots = self.camera.project(np.concatenate([item.world(item.points) for item in group]))
        frame = np.concatenate([spots.min(axis=0), spots.max(axis=0)])
        size = frame[2:] - frame[:2]
        inside = np.minimum(frame[2:], [self.camera.width, self.camera.height]) - np.maximum(frame[:2], 0)
        if (inside <= 0).any() or inside.prod() < LEAST_IN_PICTURE * size.prod() or size.min() < least_side:
            return False
        main = group[0]
        cosine, sine = abs(np.cos(main.heading)), abs(np.sin(main.heading))
        place = np.array([main.x, main.z, *(np.array([[cosine, sine], [sine, cosine]]) @ main.footprint)])
        depth = self.camera.distance(main.x, main.z)
        if self._runs_into(place) or self._hides(frame, depth):
            return False
        self.items += group
        self._frames = np.vstack([self._frames, frame])
        self._places = np.vstack([self._places, place])
        self._depths = np.append(self._depths, depth)
        return True

    def sees(self, x: float, z: float) -> bool:
        """Whether a ground point (world metres) is ahead and between the picture's left and right edge."""
        spot = self.camera.project(np.array([x, 0.0, z]))
        return self.camera.distance(x, z) > 1.0 and 0 <= spot[0] < self.camera.width

    def _runs_into(self, place: np.ndarray) -> bool:
        gap = np.abs(self._places[:, :2] - place[:2]) - self._places[:, 2:] - place[2:]
        return bool((gap.max(axis=1) < ELBOW_ROOM).any()) if len(gap) else False

    def _hides(self, frame: np.ndarray, depth: float) -> bool:
        overlap = np.clip(
            np.minimum(self._frames[:, 2:], frame[2:]) - np.maximum(self._frames[:, :2], frame[:2]), 0, None
        ).prod(axis=1)
        own, others = (frame[2:] - frame[:2]).prod(), (self._frames[:, 2:] - self._frames[:, :2]).prod(axis=1)
        hidden = np.where(self._depths > depth, others, own)
        return bool((overlap > MOST_COVERED * hidden).any())


def draw_scene(rng: np.random.Generator, light: Light, height: int, width: int) -> Scene:
    """Draws a scene for a picture of that size: half of the streets are seen across, half along."""
    snow = light.weather == "snow"
    surroundings = {"lamps": light.lamps_on, "snowy": snow, "cold": snow, "rain": light.weather == "rain"}
    surroundings["lit"] = town("lit_windows")[light.time]
    across = rng.random() < 0.5
    twice = 2.0 * height  # the width for which focal lengths are given
    street = Drawn(rng, "street_across" if across else "street_along", surroundings, stretch=np.sqrt(width / twice))
    focal, horizon, eye, yaw = (street.scope[name] for name in ("focal", "horizon", "eye", "yaw"))
    camera = Camera(height, width, focal * float(np.sqrt(twice * width)), horizon * height, eye, yaw)
    stage = Stage(camera)
    # Trees on the far pavement stand behind most objects; those along a street would hide them.
    for furnish in (_plant, _fill) if across else (_fill, _plant):
        furnish(street, stage)
    backdrop = list(street.items("backdrop"))
    return Scene(camera, light, list(street.items()), backdrop, stage.items, street.scope["corner"])


def _plant(street: Drawn, stage: Stage) -> None:
    """Street trees, where they hide nothing."""
    for tree in street.items("trees"):
        stage.add([tree])


def _fill(street: Drawn, stage: Stage) -> None:
    """Puts a scene's wishes on the stage; what is drawn is tried at several places."""
    rng, least = street.rng, LEAST_SIDE * stage.camera.height
    for kind, wish in town("wishes").items():
        fewest, most = wish["count"]
        count = int(rng.integers(fewest, most + 1)) if rng.random() < wish["chance"] else 0
        for _ in range(count):
            drawn: dict[str | None, list[Item]] = {}
            for place in (street.place(kind) for _ in range(TRIES)):
                x, z, view = place["x"], place["z"], place["view"]
                if not stage.sees(x, z):
                    continue
                if view not in drawn:
                    drawn[view] = list(Drawn(rng, kind, street.surroundings, view).items())
                if stage.add([item.moved(x, z, place["heading"]) for item in drawn[view]], least_side=least):
                    break
