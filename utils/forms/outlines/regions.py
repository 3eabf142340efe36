"""From a label to objects: each connected region of one class is one."""

import cv2
import numpy as np

from utils.forms.content import NO_CLASS, Objects, make_objects
from utils.forms.outlines.shapes import Bitmap

_LEFT, _TOP, _WIDTH, _HEIGHT = range(4)  # columns of the statistics of OpenCV


def objects_of_label(label: np.ndarray, background: int | None) -> Objects:
    """Returns the regions of a label; pixels that share an edge and a class are connected.

    Args:
        label: uint8[H, W], class numbers and NO_CLASS.
        background: class that is no object; None where there is none.
    """
    height, width = label.shape
    is_object = label != NO_CLASS if background is None else (label != NO_CLASS) & (label != background)
    # Pixels with the bridges between them: one search for connected parts then serves all classes.
    bridged = np.zeros((2 * height - 1, 2 * width - 1), np.uint8)
    bridged[::2, ::2] = is_object
    bridged[::2, 1::2] = is_object[:, 1:] & (label[:, 1:] == label[:, :-1])
    bridged[1::2, ::2] = is_object[1:] & (label[1:] == label[:-1])
    count, numbers, statistics, _ = cv2.connectedComponentsWithStats(bridged, connectivity=4)
    numbers = numbers[::2, ::2]
    boxes = statistics[1:, [_LEFT, _TOP, _WIDTH, _HEIGHT]] // 2
    boxes[:, 2:] = boxes[:, :2] + (statistics[1:, [_WIDTH, _HEIGHT]] + 1) // 2
    parts = [
        Bitmap(numbers[top:bottom, left:right] == number, left, top)
        for number, (left, top, right, bottom) in enumerate(boxes.tolist(), start=1)
    ]
    classes = np.zeros(count, np.int64)
    classes[numbers.ravel()] = label.ravel()
    areas = np.bincount(numbers.ravel(), minlength=count)[1:]
    return make_objects(classes[1:].tolist(), parts, boxes, areas=areas)
