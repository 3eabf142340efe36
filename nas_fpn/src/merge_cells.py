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
    """The first feature plus the second, weighted by channel with the sigmoid of the first one's global pool.

    Args:
        pooling: "mean" as in MMDetection, "max" as in the TPU code of the paper's authors.
    """

    def __init__(self, pooling: str = "mean") -> None:
        super().__init__()
        self.uses_max = pooling == "max"

    def construct(self, first: Tensor, second: Tensor) -> Tensor:
        """float32[N, C, H, W] twice -> float32[N, C, H, W]."""
        pooled = ops.amax(first, (2, 3), True) if self.uses_max else ops.mean(first, (2, 3), True)  # [N, C, 1, 1]
        return first + ops.sigmoid(pooled) * second
