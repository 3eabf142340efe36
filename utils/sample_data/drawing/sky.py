"""The sky, and weather in the air before the lens. Pictures are uint8[H, W, 3], RGB."""

from collections.abc import Sequence

import cv2
import numpy as np

from utils.sample_data.drawing.light import Light
from utils.sample_data.drawing.parts import Colour
from utils.sample_data.drawing.textures import clouds

COARSE = 4  # canvas pixels per pixel in which clouds are worked out
STARS, DROPS = 90, 420  # in a picture: a clear night and steady rain that leave objects visible (taste)
MOON, CRATERS = 34, ((-9, -8, 9), (10, 6, 7), (-4, 14, 5))  # radius; (x, y, radius) of spots; pixels of 2048 columns
FLAKES = ((420, 0.0011, 0.6), (110, 0.0022, 1.2), (22, 0.005, 2.6))  # count, radius / width, blur in pixels of 1024


def sky(rng: np.random.Generator, light: Light, height: int, width: int, horizon: float) -> np.ndarray:
    """Paints a gradient with clouds, at dusk a glow and at night stars and a moon; `horizon` is its row."""
    rows, columns = height // COARSE, width // COARSE
    low, top = np.array(light.sky_low, np.float32), np.array(light.sky_top, np.float32)
    up = np.clip(1.0 - (np.arange(rows) + 0.5) / max(horizon / COARSE, 1.0), 0.0, 1.0)[:, None, None].astype(np.float32)
    picture = np.broadcast_to(low + (top - low) * up**0.8, (rows, columns, 3)).copy()
    x, y = np.meshgrid(np.arange(columns) / columns, np.arange(rows) / rows)
    if light.time == "dusk" and light.weather == "dry":
        centre = float(rng.uniform(0.15, 0.85))
        glow = np.exp(-(((x - centre) / 0.28) ** 2 + ((y - horizon / height) / 0.22) ** 2))[..., None]
        picture += glow * np.array([60, 52, 14], np.float32)
    noise = cv2.resize(clouds(rng, rows, columns // 3, 6, 4), (columns, rows), interpolation=cv2.INTER_CUBIC)
    threshold = float(np.quantile(noise, 1.0 - light.cloud_cover))
    cover = np.clip((noise - threshold) / 1.1, 0, 1)[..., None] * np.clip(up * 2.5, 0.1, 1)
    lower = cv2.GaussianBlur(noise, (0, 0), rows / 40)
    shade = 1.0 - 0.05 * np.clip(lower - noise + 0.5, -0.5, 2.0)[..., None]
    picture += (np.array(light.cloud, np.float32) * shade - picture) * cover * (0.9 if light.cloud_cover < 0.6 else 0.6)
    picture = cv2.resize(np.clip(picture, 0, 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    if light.time == "night" and light.weather == "dry":
        _stars(rng, picture, horizon)
    return picture


def _stars(rng: np.random.Generator, picture: np.ndarray, horizon: float) -> None:
    """Puts stars and a moon into the upper sky."""
    width, unit = picture.shape[1], picture.shape[1] / 2048
    for x, y, size in rng.uniform((0, 0, 1.0), (width, 0.8 * horizon, 2.4), (STARS, 3)):
        _dot(picture, (x, y), max(0.6, size * unit), (206, 212, 226))
    centre = np.array([rng.uniform(0.1, 0.9) * width, rng.uniform(0.12, 0.35) * horizon])
    _dot(picture, centre, MOON * unit, (238, 236, 218))
    for x, y, size in CRATERS:
        _dot(picture, centre + (x * unit, y * unit), size * unit, (222, 219, 200))


def _dot(picture: np.ndarray, centre: np.ndarray | tuple, radius: float, colour: Sequence[float]) -> None:
    """Draws a disc with fractions of a pixel."""
    cv2.circle(picture, (int(centre[0] * 8), int(centre[1] * 8)), max(4, int(radius * 8)), colour, -1, cv2.LINE_AA, 3)


def add_halos(picture: np.ndarray, halos: list[tuple[float, float, float, Colour]]) -> np.ndarray:
    """Adds the glow around lamps: (x, y, radius) in pixels and colour of each."""
    height, width = picture.shape[:2]
    light = np.zeros(picture.shape, np.float32)
    for x, y, radius, colour in halos:
        left, right = max(0, int(x - 3 * radius)), min(width, int(x + 3 * radius) + 1)
        top, bottom = max(0, int(y - 3 * radius)), min(height, int(y + 3 * radius) + 1)
        if right <= left or bottom <= top:
            continue
        across = np.exp(-(((np.arange(left, right) + 0.5 - x) / radius) ** 2))
        down = np.exp(-(((np.arange(top, bottom) + 0.5 - y) / radius) ** 2))
        light[top:bottom, left:right] += (down[:, None] * across)[..., None] * np.array(colour, np.float32) * 0.45
    return np.clip(picture + light, 0, 255).astype(np.uint8)


def add_weather(rng: np.random.Generator, picture: np.ndarray, light: Light) -> np.ndarray:
    """Adds falling rain or snow, a vignette and the grain of the sensor."""
    height, width = picture.shape[:2]
    if light.weather == "rain":
        picture = _rain(rng, picture)
    if light.weather == "snow":
        picture = _snow(rng, picture)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    shade = (255.5 * (1.0 - 0.09 * (x * x + y * y))).astype(np.uint8)
    grain = rng.standard_normal((height, width), dtype=np.float32) * (2.4 if light.time == "night" else 1.6)
    shaded = cv2.multiply(picture, cv2.merge([shade] * 3), scale=1 / 255)
    return cv2.add(shaded, cv2.merge([grain.astype(np.int16)] * 3), dtype=cv2.CV_8U)


def _rain(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Slanting streaks."""
    height, width = picture.shape[:2]
    layer = np.zeros((height, width), np.uint8)
    lengths = rng.uniform(0.012, 0.035, DROPS) * width
    starts = rng.uniform((-0.1, -0.1), (1.1, 1.0), (DROPS, 2)) * (width, height)
    ends = starts + np.column_stack([lengths * rng.uniform(-0.3, 0.3), lengths])
    streaks = (np.hstack([starts, ends]) * 8).astype(int).tolist()
    for (*start, x, y), strength in zip(streaks, rng.uniform(40, 130, DROPS), strict=True):
        cv2.line(layer, start, (x, y), (float(strength),), 1, cv2.LINE_AA, 3)
    return _veil(picture, layer, (214, 222, 230), 0.75)


def _snow(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Flakes, the near ones larger and blurred."""
    height, width = picture.shape[:2]
    for count, radius, blur in FLAKES:
        layer = np.zeros((height, width), np.uint8)
        for x, y, size in rng.uniform((0, 0, 0.7), (width, height, 1.4), (count, 3)):
            _dot(layer, (x, y), size * radius * width, (235,))
        picture = _veil(picture, cv2.GaussianBlur(layer, (0, 0), blur * width / 1024 + 0.2), (250, 251, 255), 0.85)
    return picture


def _veil(picture: np.ndarray, layer: np.ndarray, colour: Colour, strength: float) -> np.ndarray:
    """Blends a colour over the picture where uint8[H, W] says how much."""
    share = layer[..., None].astype(np.float32) * (strength / 255.0)
    return np.clip(picture + (np.array(colour, np.float32) - picture) * share, 0, 255).astype(np.uint8)
