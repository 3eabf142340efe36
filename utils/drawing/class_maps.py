"""Pictures of a class for each pixel: in the colours of the classes, laid over a photograph, as files."""

import io

import cv2
import numpy as np
from PIL import Image

OPACITY = 0.6  # classes are told apart and the picture is still seen


def colorize(classes: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Returns uint8[H, W, 3] RGB of uint8[H, W], by a table uint8[256, 3]."""
    return np.take(colours, classes, axis=0)


def overlay(image: np.ndarray, classes: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Lays the colours of the classes uint8[H, W] over a picture uint8[H, W, 3]."""
    return cv2.addWeighted(colorize(classes, colours), OPACITY, image, 1 - OPACITY, 0)


def encode_gray(classes: np.ndarray) -> bytes:
    """Returns uint8[H, W] as the bytes of a grey PNG file."""
    return cv2.imencode(".png", classes)[1].tobytes()


def encode_palette_png(classes: np.ndarray, colours: np.ndarray) -> bytes:
    """Returns uint8[H, W] as the bytes of a PNG file that looks like `colorize` and takes a third of the space."""
    picture = Image.fromarray(np.ascontiguousarray(classes), "P")
    picture.putpalette(colours.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def encode_overlap(image: np.ndarray, classes: np.ndarray, colours: np.ndarray) -> bytes:
    """Returns what `overlay` makes of a picture and its classes as the bytes of a PNG file."""
    picture = cv2.cvtColor(overlay(image, classes, colours), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", picture)[1].tobytes()
