"""Writing files so that nobody ever sees half of one."""

import json
from pathlib import Path

import cv2
import numpy as np

from utils.model_utils.files import write_bytes


def write_json(path: Path, content: dict) -> None:
    """Writes JSON on one line."""
    write_bytes(path, json.dumps(content, separators=(",", ":")).encode())


def write_image(path: Path, image: np.ndarray, options: list[int]) -> None:
    """Encodes uint8[H, W, 3] (RGB) or uint8 / uint16[H, W] by the file's suffix and writes it.

    Args:
        path: where.
        image: the pixels.
        options: for cv2.imencode.
    """
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    done, encoded = cv2.imencode(path.suffix, pixels, options)
    if not done:
        raise RuntimeError(f"cv2 cannot encode {path.name}")
    write_bytes(path, encoded.tobytes())
