"""Batch norm by moving statistics and the ReLU after it, as one C kernel on a CPU."""

import mindspore as ms
from mindspore import Tensor, nn, ops

from utils.cpu_kernels.custom import fixed_norm_kernel
from utils.cpu_kernels.operators import chosen_library, fits_kernel


class FixedNorm(nn.Cell):
    """(x - mean) / sqrt(variance + eps) * gamma + beta of each channel, followed by a ReLU if wanted.

    The gradient goes to x, gamma and beta.

    Args:
        eps: added to the variance.
        has_relu: whether a ReLU follows.
    """

    def __init__(self, eps: float, has_relu: bool) -> None:
        super().__init__()
        self.normalise = ops.BatchNorm(is_training=False, epsilon=eps)
        self.has_relu = has_relu
        self.settings = Tensor([eps, has_relu], ms.float32)
        library = chosen_library()
        self.kernel = fixed_norm_kernel(library) if library else None

    def construct(self, x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        """Normalises.

        Args:
            x: float32[N, C, H, W].
            gamma: float32[C].
            beta: float32[C].
            mean: float32[C].
            variance: float32[C].

        Returns:
            float32[N, C, H, W].
        """
        if self.kernel is not None and fits_kernel(x) and gamma.dtype == ms.float32:
            return self.kernel(x, gamma, beta, mean, variance, self.settings)
        y = self.normalise(x, gamma, beta, mean, variance)[0]
        return ops.relu(y) if self.has_relu else y
