"""The whole detector, with the loss for training or the decoding for inference on top."""

import mindspore as ms
from mindspore import nn, ops

from utils.canvas import Size
from utils.detection.box_coder import BoxCoder
from utils.training.step.graphs import LossCell
from utils.training.summary.model_summary import Applied, Part, area, count_parts

from .loss import RetinaNetLoss
from .nasfpn import NAS_FPN_CELLS, NasFpn
from .resnet import ResNet
from .retinahead import RetinaHead
from .variants import STRIDES

STAGE_STRIDES = (4, 8, 16, 32)  # of the backbone


class RetinaNetNasFpn(nn.Cell):
    """Backbone, pyramid and head in a row."""

    def __init__(self, backbone: ResNet, neck: NasFpn, head: RetinaHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = head

    def construct(self, images: ms.Tensor) -> tuple[ms.Tensor, ms.Tensor]:
        """float32[N, 3, H, W], H and W multiples of 128 -> logits float32[N, A, C], deltas float32[N, A, 4]."""
        return self.head(self.neck(self.backbone(images)))


def count_network(network: RetinaNetNasFpn, size: Size) -> tuple[Part, ...]:
    """Counts backbone, neck and head for a picture of (height, width) `size`, multiples of 128."""
    stages = []
    for stage, stride in enumerate(STAGE_STRIDES):
        before = stride if stage == 0 else stride // 2  # a stage's stride is in its first block, after this convolution
        stages.append(Applied(rf"backbone\.stages\.{stage}\.0\.reduce\.", area(size, before)))
        stages.append(Applied(rf"backbone\.stages\.{stage}\.", area(size, stride)))
    laterals = [Applied(rf"neck\.laterals\.{index}\.", area(size, STRIDES[index])) for index in range(3)]
    # P6 and P7 are pooled after their convolutions, which see the level before.
    coarser = [Applied(rf"neck\.downsamples\.{index}\.", area(size, STRIDES[index + 2])) for index in range(2)]
    cells = [
        Applied(rf"neck\.stacks\.\d+\.merges\.{index}\.", area(size, 2 ** row[0]))
        for index, row in enumerate(NAS_FPN_CELLS)
    ]
    head = Applied(r"head\.", sum(area(size, stride) for stride in STRIDES))
    stem = Applied(r"backbone\.stem\.", area(size, 2))
    return count_parts(network, (stem, *stages, *laterals, *coarser, *cells, head))


class RetinaNetTraining(LossCell):
    """The detector with its loss, as the training step takes it."""

    def __init__(self, network: nn.Cell, loss: RetinaNetLoss) -> None:
        super().__init__(auto_prefix=False)  # parameters keep the detector's names
        self.network = network
        self.loss = loss
        self.loss_names = loss.loss_names

    def construct(
        self, images: ms.Tensor, classes: ms.Tensor, target_deltas: ms.Tensor
    ) -> tuple[ms.Tensor, ms.Tensor, ms.Tensor]:
        """Images float32[N, 3, H, W] and the targets of `RetinaNetLoss` -> its three scalars."""
        logits, deltas = self.network(images)
        return self.loss(logits, deltas, classes, target_deltas)


class RetinaNetInference(nn.Cell):
    """The detector up to scores and boxes of every anchor; thresholds and suppression follow in `select_detections`.

    Args:
        network: the detector.
        anchors: float32[A, 4], xyxy input pixels.
        unused_outputs: how many of the last class outputs belong to no class.
    """

    def __init__(self, network: RetinaNetNasFpn, anchors: ms.Tensor, unused_outputs: int = 0) -> None:
        super().__init__(auto_prefix=False)  # parameters keep the detector's names
        self.network = network
        self.anchors = anchors
        self.coder = BoxCoder()
        self.has_unused = unused_outputs > 0
        self.num_classes = network.head.num_classes - unused_outputs

    def construct(self, images: ms.Tensor) -> tuple[ms.Tensor, ms.Tensor]:
        """float32[N, 3, H, W] -> boxes float32[N, A, 4], xyxy input pixels, not clipped; scores float32[N, A, C]."""
        logits, deltas = self.network(images)
        if self.has_unused:
            logits = logits[:, :, : self.num_classes]
        return self.coder.decode(deltas.astype(ms.float32), self.anchors), ops.sigmoid(logits.astype(ms.float32))
