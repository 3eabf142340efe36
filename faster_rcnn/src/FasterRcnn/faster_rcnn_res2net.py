"""The trained parts of the detector; what goes between them, proposals and sampling, has no weights."""

import mindspore as ms
from mindspore import nn

from utils.canvas import Size
from utils.training.summary.model_summary import Applied, Part, area, count_parts

from .fpn_neck import FpnNeck
from .rcnn import Rcnn
from .res2net import Res2Net
from .rpn import Rpn

STAGE_STRIDES = (4, 8, 16, 32)  # of the backbone


class FasterRcnnRes2net(nn.Cell):
    """Backbone, pyramid, RPN and RoI head. Results are float32 in any precision of the parts."""

    def __init__(self, backbone: Res2Net, neck: FpnNeck, rpn: Rpn, rcnn: Rcnn) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.rpn = rpn
        self.rcnn = rcnn

    def construct(self, images: ms.Tensor) -> tuple[tuple[ms.Tensor, ...], ms.Tensor, ms.Tensor]:
        """Images float32[N, 3, H, W], multiples of 32 -> P2 to P6, logits float32[N, A], deltas float32[N, A, 4]."""
        pyramid = self.neck(self.backbone(images))
        objectness, deltas = self.rpn(pyramid)
        features: tuple[ms.Tensor, ...] = ()
        for feature in pyramid:
            features += (feature.astype(ms.float32),)
        return features, objectness.astype(ms.float32), deltas.astype(ms.float32)

    def classify(self, pooled: ms.Tensor) -> tuple[ms.Tensor, ms.Tensor]:
        """Pooled regions float32[M, C, size, size] -> logits float32[M, C + 1], deltas float32[M, C, 4]."""
        logits, deltas = self.rcnn(pooled)
        return logits.astype(ms.float32), deltas.astype(ms.float32)


def count_network(
    network: FasterRcnnRes2net, size: Size, strides: tuple[int, ...], num_regions: int
) -> tuple[Part, ...]:
    """Counts backbone, neck, RPN and RoI head.

    Args:
        network: the detector.
        size: (height, width) of a picture, multiples of 32.
        strides: of the pyramid's levels.
        num_regions: that the RoI head looks at.
    """
    stages = []
    for stage, stride in enumerate(STAGE_STRIDES):
        before = stride if stage == 0 else stride // 2  # a stage's stride is in its first block, after this convolution
        stages.append(Applied(rf"backbone\.stages\.{stage}\.0\.reduce\.", area(size, before)))
        stages.append(Applied(rf"backbone\.stages\.{stage}\.", area(size, stride)))
    neck = [Applied(rf"neck\.\w+\.{index}\.", area(size, stride)) for index, stride in enumerate(STAGE_STRIDES)]
    rpn = Applied(r"rpn\.", sum(area(size, stride) for stride in strides))
    stem = Applied(r"backbone\.stem\.", area(size, 2))
    return count_parts(network, (stem, *stages, *neck, rpn, Applied(r"rcnn\.", num_regions)))
