"""RoIAlign and its gradient in NumPy, float64: sample by sample, as the paper says it."""

import math

import numpy as np


def roi_align(features, rois, level, strides, bins, ratio, shortest=0.0):
    """Returns what RoiAlign returns, and for each output the list of its (image, level, weights[H, W]).

    Args:
        features: float[N, C, H, W] of each level.
        rois: float[N, R, 4], xyxy pixels of the input.
        level: int[N, R].
        strides: of each level.
        bins: bins along each side.
        ratio: samples along a side of a bin, 0 for as many as it has pixels.
        shortest: sides are made at least this long, in pixels of the level.
    """
    pooled, weights = [], []
    for image, (boxes, indices) in enumerate(zip(rois, level, strict=True)):
        for box, index in zip(boxes.astype(np.float64), indices, strict=True):
            height, width = features[index].shape[2:]
            x1, y1, x2, y2 = box / strides[index] - 0.5
            rows = _axis_weights(y1, max(y2 - y1, shortest), bins, ratio, height)
            columns = _axis_weights(x1, max(x2 - x1, shortest), bins, ratio, width)
            pooled.append(np.einsum("py,qx,cyx->cpq", rows, columns, features[index][image].astype(np.float64)))
            weights.append((image, index, rows, columns))
    return np.stack(pooled), weights


def roi_align_gradient(features, weights, upstream):
    """Returns the gradient of each level's features from that of the result, by the weights of `roi_align`."""
    gradients = [np.zeros(feature.shape) for feature in features]
    for (image, index, rows, columns), gradient in zip(weights, upstream, strict=True):
        gradients[index][image] += np.einsum("py,qx,cpq->cyx", rows, columns, gradient)
    return gradients


def _axis_weights(start, length, bins, ratio, size):
    """Returns float64[bins, size]: the weight of each pixel in each bin."""
    result = np.zeros((bins, size))
    samples = ratio or math.ceil(length / bins)
    for index in range(bins):
        for sample in range(samples):
            position = start + (index + (sample + 0.5) / samples) * length / bins
            if position < -1 or position > size:
                continue
            position = min(max(position, 0), size - 1)
            low = min(int(position), size - 1)
            high = min(low + 1, size - 1)
            result[index, low] += (1 - position + low) / samples
            result[index, high] += (position - low) / samples
    return result
