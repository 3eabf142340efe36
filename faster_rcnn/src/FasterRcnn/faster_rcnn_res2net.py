"""The trained parts of the detector; what goes between them, proposals and sampling, has no weights."""

import mindspore as ms
from mindspore import nn

from .fpn_neck import FpnNeck
from .rcnn import Rcnn
from .res2net import Res2Net
from .rpn import Rpn


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
