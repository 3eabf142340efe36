"""The room's tables, and writing files so that nobody ever sees half of one."""

import functools
import json
from pathlib import Path

import cv2
import numpy as np

from utils.model_utils.files import write_file

TABLES = Path(__file__).parent / "tables"


def table(name: str) -> dict:
    """Reads tables/{name}.json without its note."""
    content = json.loads((TABLES / f"{name}.json").read_text(encoding="utf-8"))
    return {key: value for key, value in content.items() if key != "note"}


@functools.cache
def town(section: str) -> dict:
    """Reads a section of tables/town.json without its note; do not write into it."""
    return {key: value for key, value in table("town")[section].items() if key != "note"}


def write_json(path: Path, content: dict) -> None:
    """Writes JSON on one line."""
    write_file(path, json.dumps(content, separators=(",", ":")).encode())


def write_encoded(path: Path, image: np.ndarray, options: list[int]) -> None:
    """Writes uint8[H, W, 3] (RGB) or uint8 / uint16[H, W] by the file's suffix; `options` are for cv2.imencode."""
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    done, encoded = cv2.imencode(path.suffix, pixels, options)
    if not done:
        raise RuntimeError(f"cv2 cannot encode {path.name}")
    write_file(path, encoded.tobytes())
