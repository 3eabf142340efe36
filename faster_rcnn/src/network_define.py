"""The detector with its losses, as the training step takes it, and with the selection of detections, for inference."""

import mindspore as ms
from mindspore import nn, ops

from utils.model_utils.workers import ALONE, Workers
from utils.training.step.graphs import LossCell
from utils.training.step.reductions import sum_over_workers

from .FasterRcnn.bbox_assign_sample_stage2 import RoiSampler
from .FasterRcnn.detection_selector import DetectionRule, DetectionSelector
from .FasterRcnn.faster_rcnn_res2net import FasterRcnnRes2net
from .FasterRcnn.loss import RcnnLoss, RpnLoss, num_sampled
from .FasterRcnn.proposal_generator import ProposalGenerator
from .FasterRcnn.roi_align import RoiExtractor


class FasterRcnnTraining(LossCell):
    """The detector with its losses.

    Args:
        network: the detector.
        proposal_generator: with the limits of training.
        sampler: draws what the RoI head learns from.
        extractor: pools it.
        rpn_loss: loss of the RPN.
        rcnn_loss: loss of the RoI head.
        workers: the processes that share a batch. Each has the terms of its own images, divided by the counts of all.
    """

    loss_names = (
        "total_loss",
        "rpn_loss",
        "rcnn_loss",
        "rpn_cls_loss",
        "rpn_reg_loss",
        "rcnn_cls_loss",
        "rcnn_reg_loss",
    )

    def __init__(
        self,
        network: FasterRcnnRes2net,
        proposal_generator: ProposalGenerator,
        sampler: RoiSampler,
        extractor: RoiExtractor,
        rpn_loss: RpnLoss,
        rcnn_loss: RcnnLoss,
        workers: Workers = ALONE,
    ) -> None:
        super().__init__(auto_prefix=False)  # parameters keep the detector's names
        self.network = network
        self.proposal_generator, self.sampler, self.extractor = proposal_generator, sampler, extractor
        self.rpn_loss, self.rcnn_loss = rpn_loss, rcnn_loss
        self.total = sum_over_workers(workers)

    def construct(
        self,
        images: ms.Tensor,
        content: ms.Tensor,
        gt_boxes: ms.Tensor,
        gt_labels: ms.Tensor,
        gt_is_crowd: ms.Tensor,
        rpn_index: ms.Tensor,
        rpn_label: ms.Tensor,
        rpn_deltas: ms.Tensor,
        priority: ms.Tensor,
    ) -> tuple[ms.Tensor, ...]:
        """Computes the losses of a batch, or with several workers this one's share in them.

        Takes a batch of what `TrainingSample` makes and returns the float32 scalars that `loss_names` names.
        """
        pyramid, objectness, deltas = self.network(images)
        proposals, is_valid = self.proposal_generator(objectness, deltas, content)
        rois, labels, targets = self.sampler(proposals, is_valid, gt_boxes, gt_labels, gt_is_crowd, priority)
        roi_logits, roi_deltas = self.network.classify(self.extractor(pyramid, rois))

        anchors, regions = self.total(ops.stack((num_sampled(rpn_label), num_sampled(labels))))
        rpn_cls, rpn_reg = self.rpn_loss(objectness, deltas, rpn_index, rpn_label, rpn_deltas, anchors)
        rcnn_cls, rcnn_reg = self.rcnn_loss(roi_logits, roi_deltas, labels, targets, regions)
        rpn, rcnn = rpn_cls + rpn_reg, rcnn_cls + rcnn_reg
        return rpn + rcnn, rpn, rcnn, rpn_cls, rpn_reg, rcnn_cls, rcnn_reg


class FasterRcnnInference(nn.Cell):
    """The detector with everything up to detections in pixels of the original images.

    Args:
        network: the detector.
        proposal_generator: with the limits of inference.
        extractor: pools the proposals.
        rule: which candidates become detections.
    """

    def __init__(
        self,
        network: FasterRcnnRes2net,
        proposal_generator: ProposalGenerator,
        extractor: RoiExtractor,
        rule: DetectionRule,
    ) -> None:
        super().__init__(auto_prefix=False)  # parameters keep the detector's names
        self.network = network
        self.proposal_generator, self.extractor = proposal_generator, extractor
        self.selector = DetectionSelector(rule, network.rcnn.num_classes)

    def construct(self, images: ms.Tensor, image_metas: ms.Tensor) -> tuple[ms.Tensor, ms.Tensor, ms.Tensor]:
        """Detects in a batch.

        Args:
            images: float32[N, 3, H, W].
            image_metas: float32[N, 4], see `image_metas` of detect.py.

        Returns:
            Boxes, probabilities and classes, see `DetectionSelector`.
        """
        pyramid, objectness, deltas = self.network(images)
        rois, is_valid = self.proposal_generator(objectness, deltas, content_sizes(image_metas))
        logits, roi_deltas = self.network.classify(self.extractor(pyramid, rois))
        return self.selector(rois, is_valid, logits, roi_deltas, image_metas)


def content_sizes(image_metas: ms.Tensor) -> ms.Tensor:
    """Returns height and width of each resized image without its padding, float32[N, 2].

    The scales are resized size / original size (`resize_to_input`, and Preprocess of the C++ program), so that the
    products are whole numbers but for float32's rounding, however the resize rounds its halves.

    Args:
        image_metas: float32[N, 4], see `image_metas` of detect.py.
    """
    return ops.floor(image_metas[:, :2] * image_metas[:, 2:] + 0.5)
