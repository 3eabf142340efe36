"""Convolution, batch norm, residual and ReLU in one C kernel on a CPU, where the norm's statistics do not change."""

import functools
from pathlib import Path

import mindspore as ms
from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Initializer

from utils.cpu_kernels.choice import Shape, chosen_kernel, fits_kernel, make_kernel
from utils.cpu_kernels.convolution import Convolution, convolved_shape


@functools.cache
def _norm_kernel(library: Path, stride: int, has_residual: bool) -> ops.Custom:
    """Returns (x, weight, gamma, beta, mean, variance, (eps, has_relu)[2][, residual]) -> y[N, O, H, W].

    Shapes as for `Convolution`'s kernel, the norm's [O], the residual y's. Mean and variance get zeros as gradient.
    """
    shift_backward = make_kernel(
        library, "convolution_norm_shift_backward", lambda dy, y, settings, beta: (dy, beta), 2
    )
    image_backward = make_kernel(library, "convolution_norm_image_backward", lambda dz, weight, x, *rest: x)
    weight_backward = make_kernel(
        library, "convolution_norm_weight_backward", lambda x, dz, weight, gamma, *rest: (weight, gamma), 2
    )

    def gradients(inputs: tuple[Tensor, ...], out: Tensor, dout: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        x, weight, gamma, beta, mean, variance, settings = inputs
        dz, dbeta = shift_backward(dout, out, settings, beta)
        dx = image_backward(dz, weight, x, gamma, variance, settings)
        dweight, dgamma = weight_backward(x, dz, weight, gamma, mean, variance, dbeta, settings)
        fixed = (ops.zeros_like(mean), ops.zeros_like(variance), ops.zeros_like(settings))
        return (dx, dweight, dgamma, dbeta, *fixed), dz

    def bprop_alone(
        x: Tensor,
        weight: Tensor,
        gamma: Tensor,
        beta: Tensor,
        mean: Tensor,
        variance: Tensor,
        settings: Tensor,
        out: Tensor,
        dout: Tensor,
    ) -> tuple[Tensor, ...]:
        return gradients((x, weight, gamma, beta, mean, variance, settings), out, dout)[0]

    def bprop_with_residual(
        x: Tensor,
        weight: Tensor,
        gamma: Tensor,
        beta: Tensor,
        mean: Tensor,
        variance: Tensor,
        settings: Tensor,
        residual: Tensor,
        out: Tensor,
        dout: Tensor,
    ) -> tuple[Tensor, ...]:
        of_all, dz = gradients((x, weight, gamma, beta, mean, variance, settings), out, dout)
        return (*of_all, dz)

    def out_shape(x: Shape, weight: Shape, *rest: Shape) -> list[int]:
        return convolved_shape(x, weight, stride)

    name = "convolution_norm_residual_forward" if has_residual else "convolution_norm_forward"
    bprop = bprop_with_residual if has_residual else bprop_alone
    return make_kernel(library, name, out_shape, bprop=bprop, case=str(stride))


class ConvolutionNorm(nn.Cell):
    """Convolution without bias, batch norm, and a residual and a ReLU if wanted.

    One kernel on a CPU where the norm's statistics are fixed: in evaluation, and in training if asked for. Between
    convolution and ReLU nothing is stored then, and a graph has a third of the nodes.

    Args:
        in_channels: channels of the image.
        out_channels: channels of the result.
        kernel_size: odd.
        stride: as for `Convolution`.
        has_relu: whether a ReLU ends it.
        has_fixed_statistics: whether training too takes the norm's moving statistics, which then never change.
        weight_init: initializer of the convolution.
        norm_options: `eps`, `momentum`, `gamma_init` and others of `nn.BatchNorm2d`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        *,
        has_relu: bool,
        has_fixed_statistics: bool,
        weight_init: Initializer,
        **norm_options: object,
    ) -> None:
        super().__init__()
        self.conv = Convolution(in_channels, out_channels, kernel_size, stride, weight_init=weight_init)
        self.norm = nn.BatchNorm2d(out_channels, **norm_options)
        self.relu = ops.ReLU()
        self.has_relu = has_relu
        self.has_fixed_statistics = has_fixed_statistics
        if has_fixed_statistics:
            self.fix_statistics()
        self.settings = Tensor([self.norm.eps, float(has_relu)], ms.float32)
        has_kernel = self.conv.kernel is not None
        self.kernel = chosen_kernel(_norm_kernel, stride, False) if has_kernel else None
        self.kernel_with_residual: ops.Custom = chosen_kernel(_norm_kernel, stride, True) if has_kernel else None

    def fix_statistics(self) -> None:
        """Lets training take the moving statistics from now on."""
        self.has_fixed_statistics = True
        self.norm.use_batch_statistics = False

    def construct(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        """float32[N, in, H, W] and a residual of the result's shape -> float32[N, out, H / stride, W / stride]."""
        is_fixed = self.has_fixed_statistics or not self.training
        if self.kernel is not None and is_fixed and fits_kernel(x) and self.conv.weight.dtype == ms.float32:
            norm = self.norm
            inputs = (x, self.conv.weight, norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance, self.settings)
            return self.kernel(*inputs) if residual is None else self.kernel_with_residual(*inputs, residual)
        result = self.norm(self.conv(x))
        if residual is not None:
            result = result + residual
        return self.relu(result) if self.has_relu else result
