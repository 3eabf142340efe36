"""Grey-scale textures that are laid over surfaces, made once per process. 200 means unchanged."""

import functools

import cv2
import numpy as np

NEUTRAL = 200
SIZE = 512  # pixels


def clouds(rng: np.random.Generator, height: int, width: int, coarsest: int, octaves: int) -> np.ndarray:
    """float32[height, width], smooth noise of standard deviation 1; `coarsest`: rows of the first octave's grid."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        rows = coarsest * 2**octave + 2
        columns = max(2, rows * width // max(height, 1))
        grid = rng.normal(0.0, 0.5**octave, (rows, columns)).astype(np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return total / max(float(total.std()), 1e-6)


@functools.cache
def texture(name: str) -> np.ndarray:
    """uint8[SIZE, SIZE]: "asphalt", "paving" (slabs), "grass", "brick" or "plaster"; the same in every process."""
    rng = np.random.default_rng(["asphalt", "paving", "grass", "brick", "plaster"].index(name))
    fine = rng.normal(0.0, 1.0, (SIZE, SIZE)).astype(np.float32)
    coarse = _seamless(rng, 24)
    grain = {"asphalt": 9.0, "paving": 5.0, "grass": 16.0, "brick": 4.0, "plaster": 3.5}[name]
    blots = 3.0 if name in ("brick", "plaster") else 7.0
    grey = NEUTRAL + grain * cv2.GaussianBlur(fine, (0, 0), 0.8) * 2 + blots * coarse
    if name == "paving":
        grey += _joints(4, 4, 3) * -34
    if name == "brick":
        grey += _joints(16, 6, 2) * -20 + np.repeat(np.repeat(rng.normal(0, 6, (16, 8)), SIZE // 16, 0), SIZE // 8, 1)
    if name == "grass":
        grey += 12 * _seamless(rng, 5)
    return np.clip(grey, 0, 255).astype(np.uint8)


def _seamless(rng: np.random.Generator, size: float) -> np.ndarray:
    """float32[SIZE, SIZE], smooth noise of standard deviation 1 with blots of `size` pixels that fits when tiled."""
    tiled = np.tile(rng.standard_normal((SIZE, SIZE), dtype=np.float32), (3, 3))
    smooth = cv2.GaussianBlur(tiled, (0, 0), size)[SIZE : 2 * SIZE, SIZE : 2 * SIZE]
    return smooth / smooth.std()


def _joints(rows: int, columns: int, width: int) -> np.ndarray:
    """float32[SIZE, SIZE], 1 where there is mortar between blocks that are laid in a running bond."""
    mask = np.zeros((SIZE, SIZE), np.float32)
    step, length = SIZE // rows, SIZE / columns
    for row in range(rows):
        mask[row * step : row * step + width] = 1.0
        shift = length / 2 * (row % 2)
        for joint in np.arange(columns) * length + shift:
            mask[row * step : (row + 1) * step, int(joint) : int(joint) + width] = 1.0
    return mask
