"""The features of each region, pooled once, on the pyramid level of its size (Lin et al. 2017, eq. 1)."""

import mindspore as ms
from mindspore import nn, ops

from utils.cpu_kernels.roi_align import RoiAlign

from .graph_tools import box_area, filled


class RoiExtractor(nn.Cell):
    """Chooses the level of each region and pools it there.

    Args:
        strides: pixels of the input for one of each level that is pooled from, finest first.
        finest_scale: regions with a smaller geometric mean of their sides than twice this, in pixels, are pooled from
            the finest level; each doubling takes the next level.
        roi_size: height and width of the pooled features.
        sampling_ratio: see `RoiAlign`.
    """

    def __init__(
        self,
        strides: tuple[int, ...],
        finest_scale: float,
        roi_size: int,
        sampling_ratio: int,
    ) -> None:
        super().__init__()
        self.num_levels = len(strides)
        self.finest_scale = finest_scale
        self.doublings = tuple(2.0**level for level in range(1, len(strides)))
        self.pool = RoiAlign(tuple(strides), roi_size, sampling_ratio)

    def construct(self, pyramid: tuple[ms.Tensor, ...], rois: ms.Tensor) -> ms.Tensor:
        """Pools the regions; levels of the pyramid beyond the strides are left out.

        Args:
            pyramid: float32[N, C, H, W] of each level.
            rois: float32[N, R, 4], xyxy pixels; no gradient flows to them.

        Returns:
            float32[N * R, C, roi_size, roi_size].
        """
        rois = ops.stop_gradient(rois)
        return self.pool(pyramid[: self.num_levels], rois, self.level(rois))

    def level(self, rois: ms.Tensor) -> ms.Tensor:
        """Computes floor(log2(sqrt(w * h) / finest_scale + 1e-6)), clamped to the levels, without a logarithm.

        float32[N, R, 4], xyxy pixels -> int32[N, R], index of the level.
        """
        size = ops.div(ops.sqrt(box_area(rois)), self.finest_scale) + 1e-6
        level = filled(size.shape, 0, ms.int32)
        for doubling in self.doublings:
            level = level + (size >= doubling).astype(ms.int32)
        return level
