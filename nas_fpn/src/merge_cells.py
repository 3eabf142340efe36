"""The two ways in which NAS-FPN merges features (paper, section 3.2, figure 5), and the change of size before."""

from mindspore import Tensor, nn, ops


class ResizeToLevel(nn.Cell):
    """Brings a feature from one pyramid level to another: nearest up, max pool with kernel = stride = ratio down.

    Args:
        from_level: the feature's level; level l has stride 2**l.
        to_level: the level wanted.
    """

    def __init__(self, from_level: int, to_level: int) -> None:
        super().__init__()
        self.up = 2 ** max(from_level - to_level, 0)
        down = 2 ** max(to_level - from_level, 0)
        self.pool = nn.MaxPool2d(down, down, pad_mode="valid") if down > 1 else nn.Identity()

    def construct(self, feature: Tensor) -> Tensor:
        """float32[N, C, H, W] -> float32[N, C, H * up / down, W * up / down]."""
        if self.up == 1:
            return self.pool(feature)
        batch, channels, height, width = feature.shape
        feature = feature.reshape(batch, channels, height, 1, width, 1)
        feature = ops.broadcast_to(feature, (batch, channels, height, self.up, width, self.up))
        return feature.reshape(batch, channels, height * self.up, width * self.up)


class SumMerge(nn.Cell):
    """Adds two features of one size."""

    def construct(self, first: Tensor, second: Tensor) -> Tensor:
        """float32[N, C, H, W] twice -> float32[N, C, H, W]."""
        return first + second


class AttentionMerge(nn.Cell):
    """One feature plus the other, weighted by channel with the sigmoid of the first one's global pool.

    Args:
        style: "mmdetection": the finer feature is pooled, by its mean; "tpu", the code of the paper's authors: the
            coarser one, by its maximum.
    """

    def __init__(self, style: str = "mmdetection") -> None:
        super().__init__()
        self.is_tpu = style == "tpu"

    def construct(self, finer: Tensor, coarser: Tensor) -> Tensor:
        """float32[N, C, H, W] twice, already of one size -> float32[N, C, H, W]."""
        if self.is_tpu:
            return coarser + ops.sigmoid(ops.amax(coarser, (2, 3), True)) * finer  # pooled: [N, C, 1, 1]
        return finer + ops.sigmoid(ops.mean(finer, (2, 3), True)) * coarser
