"""Which level a region is pooled from; the pooling itself has its tests beside the kernels."""

import math

import numpy as np
import pytest

from faster_rcnn.src.FasterRcnn.roi_align import RoiExtractor
from faster_rcnn.src.variants import ROI_STRIDES
from utils.detection.tests.in_graph import InGraph

SIDES = (1, 55, 111, 112, 113, 223, 224, 447, 448, 500)


def _pyramid():
    """P2 to P6 of an input of 512 x 512, two images; level l of image n holds 10 n + l everywhere."""
    return [
        np.broadcast_to(
            np.asarray([level, 10 + level], np.float32)[:, None, None, None], (2, 3, 512 >> level + 2, 512 >> level + 2)
        ).copy()
        for level in range(5)
    ]


def _pooled(rois, strides=ROI_STRIDES, finest_scale=56, roi_size=7):
    extractor = RoiExtractor(strides, finest_scale, roi_size, sampling_ratio=0)

    def extract(rois, *pyramid):
        return extractor(pyramid, rois)

    return InGraph(extract).run(np.asarray(rois, np.float32), *_pyramid())[0]


@pytest.mark.parametrize("ratio", [1, 4])
def test_each_region_is_pooled_on_the_level_of_its_size(ratio):
    """Level floor(log2(sqrt(w h) / 56 + 1e-6)) of 0 to 3: from 112, 224 and 448 pixels on the next one."""
    root = math.sqrt(ratio)
    rois = [[0, 0, side / root, side * root] for side in SIDES if side * root <= 512]
    expected = [min(max(math.floor(math.log2(math.sqrt(x * y) / 56 + 1e-6)), 0), 3) for _, _, x, y in rois]
    pooled = _pooled([rois, rois[::-1]])
    assert pooled.shape == (2 * len(rois), 3, 7, 7)
    expected += [10 + level for level in expected[::-1]]
    np.testing.assert_allclose(pooled.max(axis=(1, 2, 3)), expected, rtol=1e-6)
    np.testing.assert_allclose(pooled.min(axis=(1, 2, 3)), pooled.max(axis=(1, 2, 3)), rtol=1e-6)


def test_finest_scale_and_the_number_of_levels_are_free():
    rois = [[[0, 0, 60, 60], [0, 0, 130, 130], [0, 0, 500, 500]]] * 2
    pooled = _pooled(rois, strides=(4, 8), finest_scale=60, roi_size=3)
    assert pooled.shape == (6, 3, 3, 3)
    np.testing.assert_allclose(pooled[:3, 0, 0, 0], [0, 1, 1], rtol=1e-6)


def test_empty_slots_give_finite_features():
    assert np.isfinite(_pooled([[[0, 0, 0, 0]], [[0, 0, 0, 0]]])).all()
