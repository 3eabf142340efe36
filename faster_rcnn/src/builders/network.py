"""The detector, its input and anchors, and what turns its outputs into boxes."""

from typing import Any

import numpy as np

from utils.canvas import Size
from utils.detection.anchors import anchors_per_level, make_anchors
from utils.detection.inputs import InputSettings
from utils.detection.layers import NormSettings
from utils.training.summary.model_summary import log_parts
from utils.words import counted

from ..config import FasterRcnnConfig
from ..FasterRcnn.detection_selector import DetectionRule
from ..FasterRcnn.faster_rcnn_res2net import FasterRcnnRes2net, count_network
from ..FasterRcnn.fpn_neck import FpnNeck
from ..FasterRcnn.proposal_generator import ProposalGenerator
from ..FasterRcnn.rcnn import Rcnn
from ..FasterRcnn.res2net import Res2Net
from ..FasterRcnn.roi_align import RoiExtractor
from ..FasterRcnn.rpn import Rpn
from ..network_define import FasterRcnnInference

SUITE = "faster_rcnn"
OUTPUT_NAMES = ("boxes", "scores", "labels")  # of FasterRcnnInference


def build_network(config: FasterRcnnConfig, num_classes: int) -> FasterRcnnRes2net:
    """Builds the detector for `num_classes` foreground classes."""
    norm = NormSettings(config.norm_statistics, momentum=config.norm_momentum, eps=config.norm_eps)
    backbone = Res2Net(
        config.layers,
        config.res2net_width,
        config.res2net_base_width,
        norm=norm,
        frozen_stages=max(config.frozen_stages, 0),
        stage1_pool=bool(config.res2net_stage1_pool),
    )
    channels = config.fpn_out_channels
    return FasterRcnnRes2net(
        backbone,
        FpnNeck(backbone.out_channels, channels, config.fpn_num_outs),
        Rpn(channels, config.rpn_feat_channels, config.anchors_per_cell),
        Rcnn(channels, config.roi_size, config.rcnn_fc_out_channels, num_classes=num_classes),
    )


def log_network(config: FasterRcnnConfig, network: FasterRcnnRes2net) -> None:
    """Says how large the detector is, and what a picture of the configured size costs in an evaluation."""
    (height, width), num_regions = input_settings(config).size, config.rpn_max_num
    parts = count_network(network, (height, width), config.anchor_strides, num_regions)
    log_parts(parts, f"a {height}x{width} picture with {counted(num_regions, 'region')}")


def input_settings(config: FasterRcnnConfig) -> InputSettings:
    """Returns what the network takes."""
    return InputSettings(
        config.img_height, config.img_width, config.img_norm_mean, config.img_norm_std, config.keep_ratio
    )


def build_anchors(config: FasterRcnnConfig, canvas: Size | None = None) -> np.ndarray:
    """Makes the anchors of an input of (height, width) `canvas`, None for the configured one, float32[A, 4]."""
    size = canvas or input_settings(config).size
    return make_anchors(*size, config.anchor_strides, config.anchor_scales, config.anchor_ratios)


def build_proposal_generator(
    config: FasterRcnnConfig, is_training: bool, canvas: Size | None = None
) -> ProposalGenerator:
    """Builds the step from the RPN's output to proposals.

    Args:
        config: the configuration.
        is_training: with the limits of training, or of inference.
        canvas: (height, width) of the input; None for the configured one.
    """
    limits: dict[str, Any] = (
        {
            "nms_pre": config.rpn_proposal_nms_pre,
            "max_proposals": config.rpn_proposal_max_num,
            "nms_threshold": config.rpn_proposal_nms_thr,
            "min_size": config.rpn_proposal_min_bbox_size,
        }
        if is_training
        else {
            "nms_pre": config.rpn_nms_pre,
            "max_proposals": config.rpn_max_num,
            "nms_threshold": config.rpn_nms_thr,
            "min_size": config.rpn_min_bbox_min_size,
        }
    )
    return ProposalGenerator(
        build_anchors(config, canvas),
        anchors_per_level(*(canvas or input_settings(config).size), config.anchor_strides, config.anchors_per_cell),
        target_means=config.rpn_target_means,
        target_stds=config.rpn_target_stds,
        **limits,
    )


def build_extractor(config: FasterRcnnConfig) -> RoiExtractor:
    """Builds the pooling of regions."""
    return RoiExtractor(
        config.roi_align_featmap_strides, config.roi_align_finest_scale, config.roi_size, config.roi_sampling_ratio
    )


def build_inference(
    config: FasterRcnnConfig, network: FasterRcnnRes2net, canvas: Size | None = None, *, suppresses: bool = True
) -> FasterRcnnInference:
    """Puts proposals and the selection of detections around the detector.

    Args:
        config: the configuration.
        network: the detector.
        canvas: (height, width) of the input; None for the configured one.
        suppresses: see `DetectionRule`.
    """
    rule = DetectionRule(
        min_score=config.test_score_thr,
        nms_threshold=config.test_iou_thr,
        candidates=config.test_candidates,
        max_boxes=config.test_max_per_img,
        target_means=config.rcnn_target_means,
        target_stds=config.rcnn_target_stds,
        suppresses=suppresses,
    )
    proposals = build_proposal_generator(config, is_training=False, canvas=canvas)
    return FasterRcnnInference(network, proposals, build_extractor(config), rule)
