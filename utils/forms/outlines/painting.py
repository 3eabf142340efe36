"""From objects to a label: each object paints its pixels, a later one over an earlier one."""

import numpy as np

from utils.forms.content import IGNORED, NO_CLASS, Objects
from utils.forms.outlines.shapes import box_window, window_of


def label_of_objects(objects: Objects, size: tuple[int, int], numbers: np.ndarray, unpainted: int) -> np.ndarray:
    """Returns uint8[H, W], class numbers and NO_CLASS.

    An object without an outline paints its box. A crowd and an ignored region give NO_CLASS; crowds come first, so that
    an object in one keeps its class.

    Args:
        objects: of the picture.
        size: its (height, width).
        numbers: uint8[N], the number of each class index.
        unpainted: value of pixels without an object.
    """
    label = np.full(size, unpainted, np.uint8)
    values = np.where((objects.labels == IGNORED) | objects.is_crowd, NO_CLASS, numbers[np.maximum(objects.labels, 0)])
    for row in np.argsort(~objects.is_crowd, kind="stable").tolist():
        shape, value = objects.shapes[row], values[row]
        if shape is None:
            label[box_window(objects.boxes[row], size)] = value
        else:
            window, inside = window_of(shape, size)
            label[window][inside] = value
    return label
