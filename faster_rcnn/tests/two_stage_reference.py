"""What tests compare the graph with: boxes one after the other, in plain loops, in float32 and NumPy."""

import math

import numpy as np


def intersection(a, b):
    width = max(min(a[2], b[2]) - max(a[0], b[0]), np.float32(0))
    height = max(min(a[3], b[3]) - max(a[1], b[1]), np.float32(0))
    return width * height


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def iou(a, b):
    shared = intersection(a, b)
    return shared / (area(a) + area(b) - shared)


def encode(box, reference, stds):
    """Faster R-CNN, eq. 2, written with centres and sizes."""
    width, height = reference[2] - reference[0], reference[3] - reference[1]
    dx = ((box[0] + box[2]) / 2 - (reference[0] + reference[2]) / 2) / width
    dy = ((box[1] + box[3]) / 2 - (reference[1] + reference[3]) / 2) / height
    values = (dx, dy, math.log((box[2] - box[0]) / width), math.log((box[3] - box[1]) / height))
    return [value / std for value, std in zip(values, stds, strict=True)]


def decode(delta, reference, stds, height, width):
    """Inverse of `encode`, clipped to an image; no side changes by more than the factor 1000 / 16."""
    dx, dy, dw, dh = (value * std for value, std in zip(delta, stds, strict=True))
    limit = math.log(1000 / 16)
    old_width, old_height = reference[2] - reference[0], reference[3] - reference[1]
    x = (reference[0] + reference[2]) / 2 + dx * old_width
    y = (reference[1] + reference[3]) / 2 + dy * old_height
    half_width = old_width * math.exp(max(min(dw, limit), -limit)) / 2
    half_height = old_height * math.exp(max(min(dh, limit), -limit)) / 2
    return [
        min(max(x - half_width, 0), width),
        min(max(y - half_height, 0), height),
        min(max(x + half_width, 0), width),
        min(max(y + half_height, 0), height),
    ]


def greedy_nms(boxes, threshold):
    """Boxes best first -> the indices of those that no better kept one overlaps by more than the threshold."""
    kept = []
    for index, box in enumerate(boxes):
        if all(iou(box, boxes[other]) <= threshold for other in kept):
            kept.append(index)
    return kept
