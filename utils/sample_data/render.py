"""From (seed, split, index) to a picture with the outlines of what is in it."""

from dataclasses import dataclass

import cv2
import numpy as np

from utils.sample_data.drawing.canvas import OVERSAMPLING, Canvas, Outline, cast_shadow
from utils.sample_data.drawing.light import draw_light
from utils.sample_data.drawing.parts import Item
from utils.sample_data.drawing.sky import add_halos, add_weather, sky
from utils.sample_data.geometry import circle
from utils.sample_data.labels import paint_indices
from utils.sample_data.scene import Scene, draw_scene

SPLITS = ("train", "val")
# By eye on pictures of 512 x 1024: shadows and mirrors are seen and what lies in them still has its colour.
MIRRORING = 0.38  # share of the mirrored colour on wet ground
CAST, TOUCH = 105, 150  # of 255: how dark the sun's shadows and those right under objects are
SHADED = 0.2  # least strength of the sun that casts shadows
FAR = 8000  # pixels; cv2 overflows beyond


@dataclass(frozen=True)
class Picture:
    """A drawn scene.

    Args:
        image: uint8[H, W, 3], RGB.
        outlines: silhouettes in drawing order, back to front; the first is the sky's.
        indices: int32[H, W], which outline is seen at each pixel.
    """

    image: np.ndarray
    outlines: list[Outline]
    indices: np.ndarray


def draw_picture(seed: int, split: str, index: int, height: int, width: int) -> Picture:
    """Draws picture `index` of `split` ("train" or "val"); the same arguments always give the same pixels."""
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    return render(rng, draw_scene(rng, draw_light(rng), height, width))


def render(rng: np.random.Generator, scene: Scene) -> Picture:
    """Draws a scene: sky, ground with shadows, street fronts, objects from far to near, lamps, weather."""
    camera, light = scene.camera, scene.light
    canvas = Canvas(camera, light)
    rows, columns = canvas.pixels.shape[:2]
    canvas.pixels[:] = sky(rng, light, rows, columns, camera.horizon * OVERSAMPLING)
    corners = np.array([[0, 0], [camera.width - 1, 0], [camera.width - 1, camera.height - 1], [0, camera.height - 1]])
    outlines = [Outline(Item("sky", ()), corners, camera.height * camera.width)]
    for item in scene.grounds:
        outline = canvas.draw_ground(item)
        if outline is not None and item.label is not None:
            outlines.append(outline)
    backdrop = sorted(scene.backdrop, key=_remoteness, reverse=True)
    items = sorted(scene.items, key=lambda item: camera.distance(item.x, item.z), reverse=True)
    standing = []
    for beyond in (True, False):  # the houses before a corner hide what is in the cross road
        standing += [item for item in backdrop if (_remoteness(item)[0] > scene.corner) == beyond]
        standing += [item for item in items if (item.z > scene.corner) == beyond]
    materials = paint_indices(outlines, camera.height, camera.width)
    names = [outline.label for outline in outlines]
    canvas.finish_ground(materials, names, _shadows(scene))
    if light.weather == "rain":
        paved = np.array([name in ("road", "sidewalk") for name in names])
        canvas.reflect(standing, paved[materials], MIRRORING)
    outlines += [outline for outline in map(canvas.draw, standing) if outline is not None]
    indices = paint_indices(outlines, camera.height, camera.width)
    picture = add_halos(canvas.picture(), _halos(scene, outlines, indices))
    return Picture(add_weather(rng, picture, light), outlines, indices)


def _remoteness(item: Item) -> tuple[float, float]:
    """How far an item is by its first part: z to a millimetre, and how far to the side, for a row of houses.

    A house counts by its far end, so that its garden comes after it; a fence, which hides that, by its near end.
    """
    x, _, z = item.world(item.faces[0].parts[0].points).T
    return round(z.max() if item.label == "building" else z.min(), 3), abs(x.mean())


def _shadows(scene: Scene) -> np.ndarray:
    """uint8[H, W], how dark objects make the ground: a dim cast shadow, and a dark one where they touch it."""
    camera, light = scene.camera, scene.light
    cast, touch = np.zeros((2, camera.height, camera.width), np.uint8)

    def spots(world: np.ndarray) -> np.ndarray:
        return np.rint(np.clip(camera.project(world), -FAR, FAR) * 8).astype(np.int32)

    for item in scene.items:
        if light.sun_strength > SHADED:
            world, starts = cast_shadow(item, light)
            for polygon in np.split(spots(world), starts[1:]):
                cv2.fillPoly(cast, [polygon], (CAST * light.sun_strength,), cv2.LINE_8, 3)
        if item.footprint[0] > 0:
            rim = np.insert(circle(24, 0.0) * item.footprint * (1.08, 1.15), 1, 0.0, axis=1)  # a little more than it
            cv2.fillPoly(touch, [spots(item.world(rim))], (TOUCH,), cv2.LINE_AA, 3)
    blur = max(1.0, camera.width / 400)
    return np.maximum(cv2.GaussianBlur(cast, (0, 0), blur * 0.5), cv2.GaussianBlur(touch, (0, 0), blur))


def _halos(scene: Scene, outlines: list[Outline], indices: np.ndarray) -> list[tuple[float, float, float, tuple]]:
    """Lit lamps that face the camera and are not hidden: (x, y, radius) in pixels and colour."""
    camera, halos = scene.camera, []
    for number, outline in enumerate(outlines) if scene.light.lamps_on else ():
        item = outline.item
        if item.category in ("car", "bus", "truck") and np.sin(item.heading) > 0.5:  # head lamps that look away
            continue
        for point, radius, colour in item.halos:
            spot = item.world(np.array(point))
            x, y = camera.project(spot)
            row, column = int(y), int(x)
            if 0 <= row < camera.height and 0 <= column < camera.width and indices[row, column] == number:
                halos.append((x, y, radius * camera.focal / camera.distance(spot[0], spot[2]), colour))
    return halos
