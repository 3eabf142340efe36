"""What a scene is made of, and the stage that keeps its objects apart."""

from dataclasses import dataclass

import numpy as np

from utils.sample_data.camera import Camera
from utils.sample_data.light import Light
from utils.sample_data.parts import Colour, Face, Item, box, flat, ground, pick, sprite, tone
from utils.sample_data.shapes_buildings import building
from utils.sample_data.shapes_street import bush, fence, tree, wall

ROAD: Colour = (92, 94, 98)
PAVEMENT: Colour = (168, 162, 154)
KERB: Colour = (196, 194, 188)
GRASS: Colour = (96, 136, 62)
PAINT: Colour = (226, 226, 220)
SNOWY = {"road": (176, 180, 188), "sidewalk": (214, 218, 226), "terrain": (232, 237, 244)}
MOST_COVERED = 0.45  # share of a target's frame that one other target may cover
LEAST_IN_PICTURE = 0.5  # share of a target's frame that must be inside of the picture


@dataclass(frozen=True)
class Scene:
    """Everything in a picture.

    Args:
        camera: where it is seen from.
        light: time and weather.
        grounds: lying items in drawing order.
        backdrop: what stands along the street, drawn before the street's own items.
        items: what stands in the street.
    """

    camera: Camera
    light: Light
    grounds: list[Item]
    backdrop: list[Item]
    items: list[Item]


class Stage:
    """Takes items one by one and refuses those that run into others or hide them.

    Args:
        camera: where it is seen from.
    """

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.items: list[Item] = []
        self._frames = np.zeros((0, 4))  # left, top, right, bottom in pixels
        self._places = np.zeros((0, 4))  # x, z, half size along x, half size along z in metres
        self._depths = np.zeros(0)

    def add(self, group: list[Item], *, least_side: float = 0.0) -> bool:
        """Adds items that belong together.

        Args:
            group: items at one place; the first one's footprint counts.
            least_side: pixels that the frame must be wide and high.

        Returns:
            Whether they were taken.
        """
        frame = self._frame(group)
        size = frame[2:] - frame[:2]
        inside = np.minimum(frame[2:], [self.camera.width, self.camera.height]) - np.maximum(frame[:2], 0)
        if (inside <= 0).any() or inside.prod() < LEAST_IN_PICTURE * size.prod() or size.min() < least_side:
            return False
        main = group[0]
        half_length, half_width = main.footprint
        cosine, sine = abs(np.cos(main.heading)), abs(np.sin(main.heading))
        place = np.array(
            [main.x, main.z, half_length * cosine + half_width * sine, half_length * sine + half_width * cosine]
        )
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

    def _frame(self, group: list[Item]) -> np.ndarray:
        world = [
            item.world(np.concatenate([part.points for face in item.faces for part in face.parts])) for item in group
        ]
        spots = self.camera.project(np.concatenate(world))
        return np.concatenate([spots.min(axis=0), spots.max(axis=0)])

    def _runs_into(self, place: np.ndarray) -> bool:
        gap = np.abs(self._places[:, :2] - place[:2]) - self._places[:, 2:] - place[2:]
        return bool((gap.max(axis=1) < 0.25).any()) if len(gap) else False

    def _hides(self, frame: np.ndarray, depth: float) -> bool:
        overlap = np.clip(
            np.minimum(self._frames[:, 2:], frame[2:]) - np.maximum(self._frames[:, :2], frame[:2]), 0, None
        ).prod(axis=1)
        own, others = (frame[2:] - frame[:2]).prod(), (self._frames[:, 2:] - self._frames[:, :2]).prod(axis=1)
        hidden = np.where(self._depths > depth, others, own)
        return bool((overlap > MOST_COVERED * hidden).any())


def patch(label: str | None, corners: list[tuple[float, float]], colour: Colour, light: Light) -> Item:
    """A lying polygon with corners (x, z) in world metres; snow covers ground that has a label."""
    if light.weather == "snow" and label in SNOWY:
        colour = SNOWY[label]
    elif light.weather == "rain":
        colour = tone(colour, 0.78)
    return Item(label, sprite([ground(corners, colour)]))


def marking(boxes: list[tuple[float, float, float, float]], colour: Colour, light: Light) -> Item:
    """Painted rectangles (x low, z low, x high, z high) on the road, in world metres; half worn off under snow."""
    shade = tone(colour, 1.0) if light.weather != "snow" else (200, 203, 208)
    return Item(None, sprite([ground(box(*sides), shade) for sides in boxes]))


def lens(height: int, width: int) -> float:
    """The length in pixels that focal lengths are given in: the width of a picture twice as wide as high."""
    return float(np.sqrt(2.0 * height * width))


def between(low: float, high: float, rng: np.random.Generator) -> float:
    """A uniform draw."""
    return float(rng.uniform(low, high))


def skyline(rng: np.random.Generator, distance: float) -> list[Item]:
    """Far houses and trees behind everything."""
    items, x = [], -170.0
    while x < 170.0:
        width, height = between(7, 18, rng), between(7, 19, rng)
        colour = pick(rng, ((150, 140, 132), (170, 158, 148), (136, 140, 150), (160, 132, 120)))
        parts = [flat(box(0, 0, width, height), colour)]
        parts += [
            flat(box(0.8, y, width - 0.8, y + 1.2), tone(colour, 0.84), solid=False)
            for y in np.arange(2.0, height - 1.5, 3.0)
        ]
        items.append(Item("building", (Face(tuple(parts)),), x, distance))
        x += width * between(0.9, 1.5, rng)
    return items + [bush_row(rng, distance * 0.8)]


def bush_row(rng: np.random.Generator, distance: float) -> Item:
    """A belt of far trees."""
    x = np.linspace(-150, 150, 90)
    top = 4.5 + 2.0 * np.sin(x / 9.0 + between(0, 6, rng)) + rng.uniform(-1.4, 1.4, 90)
    outline = np.concatenate([np.column_stack([x, top]), [[150.0, 0.0], [-150.0, 0.0]]])
    lower = np.concatenate([np.column_stack([x, top * 0.55]), [[150.0, 0.0], [-150.0, 0.0]]])
    return Item(
        "vegetation", sprite([flat(outline, (92, 124, 76)), flat(lower, (72, 102, 62), solid=False)]), 0.0, distance
    )


@dataclass(frozen=True)
class Frontage:
    """The line along which lots stand: from (x, z) metres in direction `heading`; the street is on its right."""

    x: float
    z: float
    heading: float

    def spot(self, along: float, back: float) -> tuple[float, float]:
        """World (x, z) of a point `along` the line and `back` metres behind it."""
        cosine, sine = np.cos(self.heading), np.sin(self.heading)
        return float(self.x + along * cosine - back * sine), float(self.z + along * sine + back * cosine)


def lots(rng: np.random.Generator, frontage: Frontage, length: float, district: str, light: Light) -> list[Item]:
    """Fills a frontage with buildings, houses with gardens, parks and walls.

    Args:
        rng: where the draws come from.
        frontage: where.
        length: metres to fill.
        district: "city", "suburb" or "park".
        light: for lit windows and snow.

    Returns:
        The items, unsorted.
    """
    chances = {"city": (0.76, 0.08, 0.08, 0.08), "suburb": (0.22, 0.5, 0.16, 0.12), "park": (0.2, 0.2, 0.45, 0.15)}[
        district
    ]
    snowy, lit = light.weather == "snow", {"night": 0.55, "dusk": 0.35}.get(light.time, 0.0)
    items, along = [], 0.0
    while along < length - 3.0:
        kind = str(rng.choice(("block", "house", "park", "wall"), p=chances))
        width = min(
            between(*{"block": (7.0, 12.0), "house": (9.0, 12.0), "park": (6.0, 12.0), "wall": (6.0, 10.0)}[kind], rng),
            length - along,
        )
        if kind == "block" and width > 5.0:
            x, z = frontage.spot(along, 0.0)
            items.append(
                building(
                    rng, x, z, frontage.heading, width, storeys=int(rng.integers(3, 6)), lit_share=lit, snowy=snowy
                )
            )
        elif kind == "house" and width > 7.0:
            x, z = frontage.spot(along + 0.8, 4.0)
            items.append(
                building(
                    rng,
                    x,
                    z,
                    frontage.heading,
                    width - 1.6,
                    storeys=int(rng.integers(1, 3)),
                    lit_share=lit,
                    snowy=snowy,
                )
            )
            items += _garden(rng, frontage, along, width, snowy)
        else:
            items += _green(rng, frontage, along, width, snowy, walled=kind == "wall")
        along += width
    return items


def _garden(rng: np.random.Generator, frontage: Frontage, along: float, width: float, snowy: bool) -> list[Item]:
    """A fence or hedge, a bush and perhaps a small tree before a house."""
    x, z = frontage.spot(along, 0.15)
    edge = (
        fence(rng, x, z, width, frontage.heading)
        if rng.random() < 0.7
        else bush(rng, *frontage.spot(along + width / 2, 0.2), snowy, width, frontage.heading)
    )
    items = [edge, bush(rng, *frontage.spot(along + between(1, width - 1, rng), 1.6), snowy)]
    if rng.random() < 0.6:
        items.append(
            tree(rng, *frontage.spot(along + between(0.5, width - 0.5, rng), 2.2), snowy, between(3.2, 5.0, rng))
        )
    return items


def _green(
    rng: np.random.Generator, frontage: Frontage, along: float, width: float, snowy: bool, *, walled: bool
) -> list[Item]:
    """Trees and bushes behind a wall, railings or nothing."""
    x, z = frontage.spot(along, 0.15)
    items = [tree(rng, *frontage.spot(along + between(0, width, rng), back), snowy) for back in (9.0, 6.5, 4.0, 2.6)]
    items += [bush(rng, *frontage.spot(along + between(0, width, rng), between(1.2, 5, rng)), snowy) for _ in range(2)]
    if walled:
        items.append(wall(rng, x, z, width, frontage.heading))
    elif rng.random() < 0.6:
        items.append(fence(rng, x, z, width, frontage.heading))
    return items
