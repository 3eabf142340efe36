"""The whole network, with the loss for training or the enlargement to the image's size for inference on top.

Names of parameters, which checkpoints hold: `backbone.` and those of mix_transformer.py, `head.` and those of
segformer_head.py.
"""

import mindspore as ms
from mindspore import Tensor, nn, ops

from utils.canvas import Size
from utils.cpu_kernels.resize import ResizeBilinear
from utils.training.step.graphs import LossCell
from utils.training.summary.model_summary import Applied, Part, area, count_parts

from .loss import SegmentationLoss
from .mix_transformer import MixTransformer
from .segformer_head import FusingHead
from .variants import NUM_STAGES, REDUCTIONS

STAGE_STRIDES = (4, 8, 16, 32)


class Segformer(nn.Cell):
    """Encoder and head in a row."""

    def __init__(self, backbone: MixTransformer, head: FusingHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.head: nn.Cell = head  # an export takes another

    def construct(
        self, images: Tensor, path_scale: Tensor | None = None, channel_scale: Tensor | None = None
    ) -> Tensor:
        """Computes logits at a quarter of the image's size.

        Args:
            images: float32[N, 3, H, W], RGB, normalised; any size of which a quarter has 8 pixels (29 on).
            path_scale: float32[N, 2 * num_blocks], see `MixTransformer`; None for inference.
            channel_scale: float32[N, decoder channels], see `SegformerHead`; None for inference.

        Returns:
            float32[N, num_classes, ceil(H / 4), ceil(W / 4)].
        """
        return self.head(self.backbone(images, path_scale), channel_scale)


def count_network(network: Segformer, size: Size, widths: tuple[int, ...], depths: tuple[int, ...]) -> tuple[Part, ...]:
    """Counts encoder and head, as published.

    The paper's head fuses its levels at a quarter of the picture's size. Here each is fused at its own size, to the
    same result in fewer multiply-adds, see `FusingHead`; the count stays comparable with that of others.

    Args:
        network: the network.
        size: (height, width) of a picture.
        widths: channels of the encoder's stages.
        depths: their blocks.
    """
    tokens = [area(size, stride) for stride in STAGE_STRIDES]
    keys = [area(size, stride * by) for stride, by in zip(STAGE_STRIDES, REDUCTIONS, strict=True)]
    stages = []
    for stage in range(NUM_STAGES):
        attention = rf"backbone\.stages\.{stage}\.blocks\.\d+\.attention\."
        stages.append(Applied(rf"{attention}(key|value|reduction)\.", keys[stage]))
        stages.append(Applied(rf"backbone\.stages\.{stage}\.", tokens[stage]))
    levels = [Applied(rf"head\.projections\.{level}\.", tokens[level]) for level in range(NUM_STAGES)]
    # queries with keys, and their weights with values
    products = sum(
        2 * depth * width * own * other for depth, width, own, other in zip(depths, widths, tokens, keys, strict=True)
    )
    return count_parts(network, (*stages, *levels, Applied(r"head\.", tokens[0])), {"backbone": products})


class SegformerTraining(LossCell):
    """The network with its loss, as the training step takes it.

    Args:
        network: the network.
        loss: of logits and labels.
        drops_paths: whether the path scales count; where none is ever dropped, multiplying costs time for nothing.
        drops_channels: whether the channel scales count, likewise.
    """

    def __init__(
        self, network: nn.Cell, loss: SegmentationLoss, *, drops_paths: bool = True, drops_channels: bool = True
    ) -> None:
        super().__init__(auto_prefix=False)  # parameters keep the network's names
        self.network = network
        self.loss = loss
        self.loss_names = loss.loss_names
        self.drops_paths, self.drops_channels = drops_paths, drops_channels

    def construct(
        self, images: Tensor, labels: Tensor, path_scale: Tensor | None = None, channel_scale: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Images float32[N, 3, H, W], labels int32[N, H, W] and the scales of `Segformer` -> the loss's scalars."""
        paths = path_scale if self.drops_paths else None
        channels = channel_scale if self.drops_channels else None
        return self.loss(self.network(images, paths, channels).astype(ms.float32), labels)


class SegformerInference(nn.Cell):
    """The network with logits at the image's size."""

    def __init__(self, network: Segformer) -> None:
        super().__init__(auto_prefix=False)  # parameters keep the network's names
        self.network = network
        self.resize = ResizeBilinear()

    def construct(self, images: Tensor) -> Tensor:
        """float32[N, 3, H, W] -> logits float32[N, num_classes, H, W]."""
        return self.resize(self.network(images).astype(ms.float32), images.shape[2:])


class SegformerClasses(nn.Cell):
    """The network with the class of each pixel: at 512x1024 half a megabyte in place of 40 of logits."""

    def __init__(self, network: Segformer) -> None:
        super().__init__(auto_prefix=False)  # parameters keep the network's names
        self.inference = SegformerInference(network)
        self.highest = ops.Argmax(axis=1)

    def construct(self, images: Tensor) -> Tensor:
        """float32[N, 3, H, W] -> uint8[N, H, W], the index of the highest logit, of equal ones the first."""
        return ops.cast(self.highest(self.inference(images)), ms.uint8)
