"""The canvas: draws items larger than the picture will be, with light, haze and texture, and traces their outlines."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from utils.sample_data.drawing.camera import Camera
from utils.sample_data.drawing.light import Light
from utils.sample_data.drawing.parts import Face, Item, Part
from utils.sample_data.drawing.textures import NEUTRAL, SIZE, texture

OVERSAMPLING = 2  # canvas pixels per picture pixel, in each direction
SHIFT = 3  # fractional bits that cv2 takes
FAR = 16000  # canvas pixels; cv2 overflows beyond
GROUND_TEXTURES = {"road": ("asphalt", 5.0), "sidewalk": ("paving", 4.0), "terrain": ("grass", 7.0)}  # metres per tile
MOSTLY = 140  # of 255: how much of a pixel an outline covers; above half, as cv2 fills its edge pixels wholly
WALL_TILE = 4.0  # metres per tile: bricks and panels look life-size beside the people (by eye)


@dataclass(frozen=True)
class Outline:
    """The silhouette of a drawn item, whether or not something stands before it.

    Args:
        item: what was drawn.
        polygon: int[N, 2], (x, y) picture pixels; pixels on the border belong to it.
        area: number of pixels inside.
    """

    item: Item
    polygon: np.ndarray
    area: int

    @property
    def label(self) -> str:
        """Name of Cityscapes' class."""
        assert self.item.label is not None, "what has no label leaves no outline"
        return self.item.label


class Canvas:
    """Draws a scene back to front, as the camera sees it in its light."""

    def __init__(self, camera: Camera, light: Light) -> None:
        self.camera = camera
        self.light = light
        self.pixels = np.zeros((camera.height * OVERSAMPLING, camera.width * OVERSAMPLING, 3), np.uint8)

    def draw(self, item: Item, *, mirrored: bool = False) -> Outline | None:
        """Draws an item, or its reflection in the ground; returns the item's outline, None when none is seen."""
        faces, distances = self._visible_faces(item)
        parts = [part for face in faces for part in face.parts]
        world = item.world(np.concatenate([part.points for part in parts]))
        if mirrored:
            world[:, 1] *= -1
        spots = self._fixed(self.camera.project(world))
        starts = np.concatenate([[0], np.cumsum([len(part.points) for part in parts])])
        polygons = [spots[start:end] for start, end in zip(starts[:-1], starts[1:], strict=True)]
        shown = self._shown(spots, starts[:-1])
        if not shown.any():
            return None
        papered = {id(wall) for wall in self._papered(faces)} if item.texture and not mirrored else ()
        colours = self._colours(item, faces, distances)
        for index in np.nonzero(shown)[0].tolist():
            cv2.fillPoly(self.pixels, [polygons[index]], colours[index], cv2.LINE_AA, SHIFT)
            if id(parts[index]) in papered:
                self._lay_texture(item, parts[index])
        if mirrored:
            return None
        mask, left, top = self._mask([polygon for polygon, part in zip(polygons, parts, strict=True) if part.solid])
        if mask is None:
            return None
        if item.soft:
            self._round_off(mask, left, top)
        return self._outline(item, mask, left, top)

    def draw_ground(self, item: Item) -> Outline | None:
        """Draws lying parts, cut off before the camera; returns the outline of the solid ones."""
        polygons = []
        for part in (part for face in item.faces for part in face.parts):
            world = self.camera.clip(item.world(part.points))
            if len(world) < 3:
                continue
            polygon = self._fixed(self.camera.project(world))
            colour = np.array(part.colour) * self.light.ambient * self.light.facing(np.array([[0.0, 1.0, 0.0]]))[0]
            cv2.fillPoly(self.pixels, [polygon], np.clip(colour, 0, 255).tolist(), cv2.LINE_AA, SHIFT)
            if part.solid:
                polygons.append(polygon)
        mask, left, top = self._mask(polygons)
        return None if mask is None else self._outline(item, mask, left, top)

    def finish_ground(self, materials: np.ndarray, names: list[str], shadow: np.ndarray) -> None:
        """Lays texture, shadows and haze over the ground, before anything stands on it.

        `materials`, int[H, W], is an index into `names`, which are Cityscapes labels; those without a texture stay as
        they are. `shadow`, uint8[H, W], is how dark each pixel is made.
        """
        first = max(0, int(np.ceil(self.camera.horizon)))
        textured = list(GROUND_TEXTURES)
        kinds = np.array([textured.index(name) if name in textured else -1 for name in names], np.int8)
        kinds = kinds[materials[first:]]
        relief = np.full(kinds.shape, NEUTRAL, np.uint8)
        for name, (pattern, tile) in GROUND_TEXTURES.items():
            np.copyto(relief, self._ground_texture(pattern, tile, first), where=kinds == textured.index(name))
        rows = np.arange(first, materials.shape[0]) + 0.5 - self.camera.horizon
        distance = self.camera.focal * self.camera.eye / np.maximum(rows, 0.5)
        clarity = np.clip(self.camera.focal / distance / 55.0, 0.12, 1.0)[:, None].astype(np.float32)
        factor = (NEUTRAL + (relief - np.float32(NEUTRAL)) * clarity) * (1 - shadow[first:] * np.float32(1 / 255))
        size = (self.pixels.shape[1], (materials.shape[0] - first) * OVERSAMPLING)
        ground = self.pixels[first * OVERSAMPLING :]
        factor = cv2.resize(np.clip(factor, 0, 255).astype(np.uint8), size, interpolation=cv2.INTER_LINEAR)
        cv2.multiply(ground, cv2.merge([factor] * 3), dst=ground, scale=1.0 / NEUTRAL)
        hazy = np.nonzero(distance > 0.1 * self.light.haze_distance)[0].max(initial=0) * OVERSAMPLING
        share = self.light.haze_share(np.repeat(distance, OVERSAMPLING)[:hazy, None, None]).astype(np.float32)
        ground[:hazy] = ground[:hazy] * (1.0 - share) + share * np.array(self.light.sky_low, np.float32)

    def reflect(self, items: Iterable[Item], wet: np.ndarray, strength: float) -> None:
        """Mirrors items, from far to near, where the ground is wet (bool[H, W]); `strength` is the mirror's share."""
        dry = self.pixels.copy()
        for item in items:
            self.draw(item, mirrored=True)
        image = cv2.addWeighted(dry, 1.0 - strength, cv2.blur(self.pixels, (5, 25)), strength, 0.0)
        mask = np.repeat(np.repeat(wet, OVERSAMPLING, axis=0), OVERSAMPLING, axis=1)
        self.pixels = np.where(mask[..., None], image, dry)

    def picture(self) -> np.ndarray:
        """uint8[H, W, 3], RGB: the canvas at the picture's size."""
        return cv2.resize(self.pixels, (self.camera.width, self.camera.height), interpolation=cv2.INTER_AREA)

    def _shown(self, spots: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """bool[P], which polygons, given as int32[N, 2] and where each begins in it, are seen and large enough."""
        low, high = np.minimum.reduceat(spots, starts) >> SHIFT, np.maximum.reduceat(spots, starts) >> SHIFT
        return ((high - low).max(axis=1) >= 1) & (high >= 0).all(axis=1) & (low < self.pixels.shape[1::-1]).all(axis=1)

    def _visible_faces(self, item: Item) -> tuple[list[Face], np.ndarray]:
        """Faces that look towards the camera, by layer and from far to near, and their distances float[F] in metres."""
        firsts = [face.parts[0].points for face in item.faces]
        sizes = np.array([len(points) for points in firsts])
        sums = np.add.reduceat(np.concatenate(firsts), np.cumsum(sizes) - sizes)
        centres = item.world(sums / sizes[:, None])
        towards = self.camera.position - centres
        free = np.array([face.normal is None for face in item.faces])
        seen = free | ((_turned(_normals(item.faces), item.heading) * towards).sum(axis=1) > 0)
        layers = np.array([face.layer for face in item.faces])
        order = [index for index in np.lexsort((-(towards**2).sum(axis=1), layers)).tolist() if seen[index]]
        return [item.faces[index] for index in order], np.maximum(self.camera.view(centres[order])[:, 2], 0.0)

    def _colours(self, item: Item, faces: list[Face], distances: np.ndarray) -> list[list[float]]:
        """Daylight colours made into what the camera sees, one RGB per part."""
        colours = np.array([part.colour for face in faces for part in face.parts])
        glow = np.array([part.glow for face in faces for part in face.parts])
        sizes = [len(face.parts) for face in faces]
        free = np.array([face.normal is None for face in faces])
        facing = np.where(free, 0.97, self.light.facing(_turned(_normals(faces), item.heading)))
        lit = np.where(glow[:, None], colours, colours * self.light.ambient * np.repeat(facing, sizes)[:, None])
        return np.clip(self.light.hazed(lit, np.repeat(distances, sizes)[:, None]), 0, 255).tolist()

    def _fixed(self, pixels: np.ndarray) -> np.ndarray:
        """Picture coordinates float[N, 2] as cv2's fixed-point canvas coordinates int32[N, 2]."""
        canvas = np.clip(pixels * OVERSAMPLING - 0.5, -FAR, FAR)
        return np.rint(canvas * (1 << SHIFT)).astype(np.int32)

    def _mask(self, polygons: list[np.ndarray]) -> tuple[np.ndarray | None, int, int]:
        """The union of polygons: uint8[h, w], 255 inside, with its left and top; None when it is not in the picture."""
        if not polygons:
            return None, 0, 0
        spots = np.concatenate(polygons) / (OVERSAMPLING << SHIFT)
        left, top = np.maximum(np.floor(spots.min(axis=0)).astype(int) - 1, 0)
        right, bottom = np.minimum(np.ceil(spots.max(axis=0)).astype(int) + 2, [self.camera.width, self.camera.height])
        if right - left < 1 or bottom - top < 1:
            return None, 0, 0
        mask = np.zeros(((bottom - top) * OVERSAMPLING, (right - left) * OVERSAMPLING), np.uint8)
        origin = np.array([left, top], np.int32) * (OVERSAMPLING << SHIFT)
        for polygon in polygons:
            cv2.fillPoly(mask, [polygon - origin], (255,), cv2.LINE_8, SHIFT)
        return mask, int(left), int(top)

    def _outline(self, item: Item, mask: np.ndarray, left: int, top: int) -> Outline | None:
        """Traces the largest connected piece of a canvas mask at the picture's size."""
        small = cv2.resize(mask, None, fx=1 / OVERSAMPLING, fy=1 / OVERSAMPLING, interpolation=cv2.INTER_AREA)
        contours, _ = cv2.findContours((small > MOSTLY).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        if not contours:
            return None
        contour = max(contours, key=cv2.contourArea)
        filled = cv2.drawContours(np.zeros_like(small), [contour], -1, (1,), cv2.FILLED)
        if len(contour) < 3:
            return None
        return Outline(item, contour[:, 0] + [left, top], int(filled.sum()))

    def _round_off(self, mask: np.ndarray, left: int, top: int) -> None:
        """Lightens the side of a silhouette that is turned to the light and darkens the other."""
        reach = max(3, min(mask.shape) // 9) | 1
        soft = cv2.blur(mask, (reach, reach)).astype(np.float32)
        from_left = 1.0 if self.light.sun[0] < 0 else -1.0
        slope = cv2.Sobel(soft, cv2.CV_32F, 1, 0, ksize=3) * from_left * 0.8
        slope += cv2.Sobel(soft, cv2.CV_32F, 0, 1, ksize=3) * 0.7
        gain = np.clip(slope * (0.0016 * reach / 4), -0.26, 0.20) * (0.55 + 0.45 * self.light.sun_strength)
        gain[mask == 0] = 0.0
        y, x = top * OVERSAMPLING, left * OVERSAMPLING
        crop = self.pixels[y : y + mask.shape[0], x : x + mask.shape[1]]
        crop[:] = np.clip(crop * (1.0 + gain[..., None]), 0, 255)

    @staticmethod
    def _papered(faces: list[Face]) -> list[Part]:
        """The walls that get the texture: upright rectangles that faces of the lower layers begin with."""
        walls = [
            face.parts[0] for face in faces if face.layer < 2 and (face.normal is None or abs(face.normal[1]) < 0.5)
        ]
        return [wall for wall in walls if len(wall.points) == 4]

    def _lay_texture(self, item: Item, part: Part) -> None:
        """Multiplies a rectangle with the item's texture."""
        along = 2 if np.ptp(part.points[:, 0]) < 1e-6 else 0
        spots = self.camera.project(item.world(part.points))
        tile = np.column_stack([part.points[:, along], -part.points[:, 1]]) * (SIZE / WALL_TILE)
        low = np.maximum(np.floor(spots.min(axis=0)).astype(int), 0)
        high = np.minimum(np.ceil(spots.max(axis=0)).astype(int), [self.camera.width, self.camera.height])
        if (high - low < 2).any():
            return
        size = (int(high[0] - low[0]), int(high[1] - low[1]))
        grey = _warped(item.texture, tile, spots - low, size)
        mask = np.zeros((size[1], size[0]), np.uint8)
        cv2.fillPoly(mask, [np.rint(np.clip(spots - low, -FAR, FAR)).astype(np.int32)], (255,))
        middle = item.world(part.points.mean(axis=0))
        clear = 1.0 - float(self.light.haze_share(max(0.0, self.camera.distance(middle[0], middle[2]))))
        grey = cv2.addWeighted(grey, clear, mask, 0.0, NEUTRAL * (1.0 - clear))
        grey[mask == 0] = NEUTRAL
        grey = cv2.resize(grey, None, fx=OVERSAMPLING, fy=OVERSAMPLING, interpolation=cv2.INTER_NEAREST)
        low, high = low * OVERSAMPLING, high * OVERSAMPLING
        crop = self.pixels[low[1] : high[1], low[0] : high[0]]
        cv2.multiply(crop, cv2.merge([grey] * 3), dst=crop, scale=1.0 / NEUTRAL)

    def _ground_texture(self, name: str, tile: float, first: int) -> np.ndarray:
        """uint8[H - first, W], a texture lying on the ground, `tile` metres wide, from picture row `first` down."""
        turn = self.camera.yaw
        x, z = np.array([(-6.0, 5.0), (6.0, 5.0), (9.0, 40.0), (-9.0, 40.0)]).T  # any four spots ahead, in metres
        world = np.column_stack([x * np.cos(turn) + z * np.sin(turn), 0 * x, z * np.cos(turn) - x * np.sin(turn)])
        pixels = self.camera.project(world) - [0.0, first]
        return _warped(name, world[:, [0, 2]] * (SIZE / tile), pixels, (self.camera.width, self.camera.height - first))


def _warped(name: str, tile: np.ndarray, spots: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8[H, W] for size (W, H), an endless texture whose four points `tile` lie at the pixels `spots`."""
    transform = cv2.getPerspectiveTransform(tile.astype(np.float32), spots.astype(np.float32))
    return cv2.warpPerspective(texture(name), transform, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def _normals(faces: Sequence[Face]) -> np.ndarray:
    """float[F, 3], zeros for faces without one."""
    return np.array([(0.0, 0.0, 0.0) if face.normal is None else face.normal for face in faces])


def _turned(normals: np.ndarray, heading: float) -> np.ndarray:
    """Local directions float[N, 3] (forward, up, across) as world directions float[N, 3]."""
    cosine, sine = np.cos(heading), np.sin(heading)
    forward, up, across = normals[:, 0], normals[:, 1], normals[:, 2]
    return np.stack([forward * cosine - across * sine, up, forward * sine + across * cosine], axis=-1)


def cast_shadow(item: Item, light: Light) -> tuple[np.ndarray, np.ndarray]:
    """What an item's solid parts shade on the ground: float[N, 3] world points, and int[P], where each part begins."""
    solid = [part.points for face in item.faces for part in face.parts if part.solid]
    world = item.world(np.concatenate(solid))
    slide = np.array([light.sun[0], 1.0, light.sun[2]]) / [light.sun[1], 1.0, light.sun[1]]
    return world - world[:, 1:2] * slide, np.cumsum([0, *(len(points) for points in solid)])[:-1]
