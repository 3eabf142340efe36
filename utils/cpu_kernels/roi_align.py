"""RoIAlign over the levels of a feature pyramid: each region pooled once, on its own level."""

import functools
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.ops import constexpr

from utils.cpu_kernels.choice import Shape, Shapes, chosen_kernel, fits_kernel, make_kernel

# Of MindSpore's operator where the kernel would take as many samples as a bin has pixels: it rounds their number down,
# and divides by 0 for bins of less than a pixel.
STOCK_SAMPLING_RATIO = 2
SMALLEST_SIDE = 1e-3  # pixels of a level; float32 tells it from 0 up to 8,192 pixels from the corner


@functools.cache
def _roi_align_kernels(library: Path, output_size: int, num_levels: int) -> tuple[ops.Custom, ops.Custom]:
    """Returns RoIAlign and its gradient as two primitives: a `bprop` of `ops.Custom` takes a fixed number of inputs.

    (rois[N, R, 4], level int32[N, R], settings[1 + levels], features[N, C, H, W]...) -> [N * R, C, s, s], and
    (rois, level, settings, dy, features...) -> the gradients of the features. The settings are the sampling ratio and,
    for each level, its pixels for one of the input.
    """

    def out_shape(rois: Shape, level: Shape, settings: Shape, *features: Shape) -> list[int]:
        return [rois[0] * rois[1], features[0][1], output_size, output_size]

    def gradient_shapes(rois: Shape, level: Shape, settings: Shape, dy: Shape, *features: Shape) -> Shapes:
        return features if num_levels > 1 else features[0]

    return (
        make_kernel(library, "roi_align_forward", out_shape, case=str(output_size)),
        make_kernel(library, "roi_align_backward", gradient_shapes, num_levels, case=str(num_levels)),
    )


class _KernelRoiAlign(nn.Cell):
    """`RoiAlign` as a C kernel."""

    def __init__(self, library: Path, strides: tuple[int, ...], output_size: int, sampling_ratio: int) -> None:
        super().__init__()
        self.settings = Tensor([sampling_ratio, *(1.0 / stride for stride in strides)], ms.float32)
        self.forward_kernel, self.backward_kernel = _roi_align_kernels(library, output_size, len(strides))
        self.has_one_level = len(strides) == 1

    def construct(self, features: tuple[Tensor, ...], rois: Tensor, level: Tensor) -> Tensor:
        return self.forward_kernel(rois, level, self.settings, *features)

    def bprop(
        self,
        features: tuple[Tensor, ...],
        rois: Tensor,
        level: Tensor,
        out: Tensor,
        dout: Tensor,
    ) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        gradients = self.backward_kernel(rois, level, self.settings, dout, *features)
        if self.has_one_level:
            gradients = (gradients,)
        return gradients, ops.zeros_like(rois), ops.zeros_like(level)


class RoiAlign(nn.Cell):
    """RoIAlign with aligned pixels (He et al. 2017; `aligned=True` of MMDetection and torchvision).

    A coordinate x of the input lies at x / stride - 0.5 on a level. Each of output_size x output_size bins is the mean
    of bilinear samples; samples up to a pixel outside a level take its border, those farther out are 0. The gradient
    goes to the features, none to the boxes.

    MindSpore's operator pools every region on one map, so the levels are laid into one, each with its border pixels
    repeated around it. A sampling ratio of 0 it cannot do: then it takes 2. ONNX's operator makes sides shorter than a
    pixel of their level one pixel long.

    Args:
        strides: pixels of the input for one of each level.
        output_size: bins along each side.
        sampling_ratio: samples along each side of a bin; 0 for as many as the bin has pixels, rounded up.
    """

    def __init__(self, strides: tuple[int, ...], output_size: int, sampling_ratio: int) -> None:
        super().__init__()
        self.scales = Tensor(1.0 / np.asarray(strides).reshape(-1, 1), ms.float32)
        # The end mode of the operator stays 1, which adds a pixel to the far corner: mode 0 has a wrong gradient on a
        # CPU (MindSpore 2.10). The pixel is taken off again in `_placement`.
        self.align = ops.ROIAlign(output_size, output_size, 1.0, sampling_ratio or STOCK_SAMPLING_RATIO, 1)
        self.kernel = chosen_kernel(_KernelRoiAlign, strides, output_size, sampling_ratio)

    def construct(self, features: tuple[Tensor, ...], rois: Tensor, level: Tensor) -> Tensor:
        """Pools the regions.

        Args:
            features: float32[N, C, H, W] of each level.
            rois: float32[N, R, 4], xyxy pixels of the input, 0 <= x1 <= x2 and 0 <= y1 <= y2. Of a region without area
                (an empty slot) the result is finite and means nothing.
            level: int32[N, R], index into `features`.

        Returns:
            float32[N * R, C, output_size, output_size].
        """
        if self.kernel is not None and fits_kernel(features[0]):
            return self.kernel(features, rois, level)
        batch, count, _ = rois.shape
        index = level.reshape(-1)
        heights: tuple[int, ...] = ()
        for feature in features:
            heights += (feature.shape[2],)
        corners = rois.reshape(-1, 4) * ops.gather(self.scales, index, 0) + ops.gather(_placement(heights), index, 0)
        # Engines take no sample of a region without area, and divide by their number.
        far = ops.maximum(corners[:, 2:], corners[:, :2] + (SMALLEST_SIDE - 1.0))
        regions = ops.concat((_image_of_each(batch, count), corners[:, :2], far), 1)  # [N * R, 5]
        return self.align(self.atlas(features), ops.stop_gradient(regions))

    def atlas(self, features: tuple[Tensor, ...]) -> Tensor:
        """Lays the levels of each image below each other: float32[N, C, sum of (H + 2), largest W + 2]."""
        width = 0
        for feature in features:
            width = max(width, feature.shape[3])
        strips: tuple[Tensor, ...] = ()
        for feature in features:
            strips += (self.framed(feature, width),)
        return ops.concat(strips, 2)

    def framed(self, feature: Tensor, width: int) -> Tensor:
        """Repeats the pixels at the border once; zeros fill up to width + 2 columns."""
        rows = ops.concat((feature[:, :, :1], feature, feature[:, :, -1:]), 2)
        columns: tuple[Tensor, ...] = (rows[:, :, :, :1], rows, rows[:, :, :, -1:])
        missing = width - feature.shape[3]
        if missing > 0:
            columns += (ops.zeros((rows.shape[0], rows.shape[1], rows.shape[2], missing), rows.dtype),)
        return ops.concat(columns, 3)


@constexpr
def _placement(heights: tuple[int, ...]) -> Tensor:
    """Returns float32[levels, 4]: what leads from x1, y1, x2, y2 of a level to the operator's of the atlas."""
    tops = np.cumsum([1, *(height + 2 for height in heights[:-1])])  # of each level's own pixels
    aligned = np.stack([np.full(len(tops), 1.0), tops, np.full(len(tops), 1.0), tops], axis=1) - 0.5
    return Tensor(aligned - [0, 0, 1, 1], ms.float32)


@constexpr
def _image_of_each(batch: int, count: int) -> Tensor:
    """Returns float32[batch * count, 1]: the index of the image that a region belongs to."""
    return Tensor(np.repeat(np.arange(batch), count).reshape(-1, 1), ms.float32)
