"""The loss of box deltas that both detectors regress with."""

import mindspore as ms
from mindspore import ops


def smooth_l1(difference: ms.Tensor, beta: float) -> ms.Tensor:
    """Computes the smooth L1 loss of each element (Fast R-CNN, eq. 3), quadratic below `beta`; `beta` 0 is L1."""
    magnitude = ops.abs(difference)
    if beta == 0:
        return magnitude
    inner = ops.minimum(magnitude, ops.full_like(magnitude, beta))  # a number in its place is laid out slowly on a CPU
    return 0.5 * inner * inner / beta + (magnitude - inner)
