"""The loss of box deltas against hand-worked numbers."""

import mindspore as ms
import numpy as np

from utils.detection.box_loss import smooth_l1


def test_smooth_l1_by_hand():
    """beta 2: below it x^2 / 4, above it |x| - 1; beta 0 is |x|."""
    difference = ms.Tensor([-1.0, 0.5, 3.0], ms.float32)
    np.testing.assert_allclose(smooth_l1(difference, 2.0).asnumpy(), [0.25, 0.0625, 2.0])
    np.testing.assert_allclose(smooth_l1(difference, 0.0).asnumpy(), [1.0, 0.5, 3.0])
