"""Initial weights after MMDetection: Xavier for the pyramid, N(0, 0.01) for the head; He, in `ConvNorm`, elsewhere."""

import math

from mindspore.common.initializer import Initializer, Normal, XavierUniform

HEAD_STANDARD_DEVIATION = 0.01
PRIOR_PROBABILITY = 0.01  # the paper's pi


def pyramid_init() -> Initializer:
    """Returns the Xavier uniform initializer of the pyramid.

    MMDetection's counts the inputs only, which is the same where a convolution keeps its channels: everywhere but in
    the three laterals, which begin smaller there (0.87, 0.79 and 0.75 times).
    """
    return XavierUniform()


def head_init() -> Initializer:
    """Returns the N(0, 0.01) initializer of the head (Lin et al. 2017, section 4.1)."""
    return Normal(sigma=HEAD_STANDARD_DEVIATION)


def focal_prior_bias() -> float:
    """Returns the bias that makes every anchor foreground with `PRIOR_PROBABILITY` (Lin et al. 2017, section 4.1)."""
    return -math.log((1.0 - PRIOR_PROBABILITY) / PRIOR_PROBABILITY)
