"""The heads as an exported file holds them: weights multiplied with each other once, not at every call."""

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from utils.cpu_kernels.resize import ResizeBilinear

from ..segformer_head import FusingHead, MMSegmentationHead, SegformerHead


class FoldedHead(nn.Cell):
    """What a `FusingHead` computes in inference, with a 1x1 convolution for each level.

    Its fusing layer, the paper's projections and the batch norm, with its moving statistics, are in their weights;
    since interpolation keeps constants, one bias stands for those of all levels.

    Args:
        head: the head, with its weights; they are copied.
    """

    def __init__(self, head: FusingHead) -> None:
        super().__init__()
        weights, bias = _folded_weights(head)
        self.projections = nn.CellList(
            list(head.projections) if isinstance(head, MMSegmentationHead) else [nn.Identity() for _ in weights]
        )
        self.levels = nn.CellList(
            [_convolution(weight, None if level else bias) for level, weight in enumerate(weights)]
        )
        self.resize = ResizeBilinear()
        self.classifier = head.classifier

    def construct(self, features: tuple[Tensor, Tensor, Tensor, Tensor], channel_scale: Tensor | None = None) -> Tensor:
        """float32[N, widths[i], H_i, W_i] -> logits float32[N, num_classes, H_0, W_0]; `channel_scale` is None."""
        size = features[0].shape[2:]
        fused = self.levels[0](self.projections[0](features[0]))
        for level in range(1, len(features)):
            fused = fused + self.resize(self.levels[level](self.projections[level](features[level])), size)
        return self.classifier(ops.relu(fused))


def _folded_weights(head: FusingHead) -> tuple[list[np.ndarray], np.ndarray]:
    """Returns the weights of the levels, float64[D, C_i], and the bias float64[D]."""
    fuse = head.fuse.weight.asnumpy()[:, :, 0, 0].astype(np.float64)
    norm = head.norm
    scale = norm.gamma.asnumpy() / np.sqrt(norm.moving_variance.asnumpy().astype(np.float64) + norm.eps)
    bias = norm.beta.asnumpy() - norm.moving_mean.asnumpy() * scale
    parts = np.split(scale[:, None] * fuse, len(head.projections), axis=1)
    if not isinstance(head, SegformerHead):
        return parts, bias
    weights = []
    for projection, part in zip(head.projections, reversed(parts), strict=True):  # the smallest feature comes first
        weights.append(part @ projection.weight.asnumpy())
        bias = bias + part @ projection.bias.asnumpy()
    return weights, bias


def _convolution(weight: np.ndarray, bias: np.ndarray | None) -> nn.Conv2d:
    outputs, inputs = weight.shape
    return nn.Conv2d(
        inputs,
        outputs,
        1,
        has_bias=bias is not None,
        weight_init=ms.Tensor(weight[:, :, None, None], ms.float32),
        bias_init=None if bias is None else ms.Tensor(bias, ms.float32),
    )
