"""The detector, its input and anchors, and what turns its outputs into boxes."""

import mindspore as ms
import numpy as np

from utils.canvas import Size
from utils.detection.anchors import anchors_per_level, make_anchors, octave_scales
from utils.detection.inputs import InputSettings
from utils.detection.layers import NormSettings
from utils.detection.suppression import SelectionRule
from utils.training.summary.model_summary import log_parts

from ..config import NasFpnConfig
from ..nasfpn import NasFpn
from ..resnet import ResNet
from ..retinahead import RetinaHead
from ..retinanet_nasfpn import RetinaNetInference, RetinaNetNasFpn, count_network
from ..variants import STRIDES

SUITE = "nas_fpn"
OUTPUT_NAMES = ("boxes", "scores")  # of RetinaNetInference


def build_network(config: NasFpnConfig, num_classes: int) -> RetinaNetNasFpn:
    """Builds the detector for `num_classes` foreground classes."""
    norm = NormSettings(
        config.norm_statistics,
        momentum=config.norm_momentum,
        eps=config.norm_eps,
        is_fused=False,  # detections stay the same to the bit
    )
    width = config.resnet_width
    channels = config.nasfpn_out_channel
    return RetinaNetNasFpn(
        ResNet(config.resnet_layers, width, norm, max(config.frozen_stages, 0)),
        NasFpn((width * 8, width * 16, width * 32), channels, config.nasfpn_stack_times, norm, config.nasfpn_attention),
        RetinaHead(
            channels,
            config.head_channels or channels,
            config.head_stacked_convs,
            config.anchors_per_cell,
            num_classes + config.unused_class_outputs,
            norm,
        ),
    )


def log_network(config: NasFpnConfig, network: RetinaNetNasFpn) -> None:
    """Says how large the detector is, and what a picture of the configured size costs."""
    height, width = config.img_shape
    log_parts(count_network(network, config.img_shape), f"a {height}x{width} picture")


def input_settings(config: NasFpnConfig) -> InputSettings:
    """Returns what the network takes."""
    return InputSettings(*config.img_shape, config.img_norm_mean, config.img_norm_std)


def build_anchors(config: NasFpnConfig, canvas: Size | None = None) -> np.ndarray:
    """Makes the anchors of an input of (height, width) `canvas`, None for the configured one, float32[A, 4]."""
    scales = octave_scales(config.anchor_base_scale, config.anchor_scales_per_octave)
    return make_anchors(*(canvas or config.img_shape), STRIDES, scales, config.anchor_ratios)


def build_inference(config: NasFpnConfig, network: RetinaNetNasFpn, canvas: Size | None = None) -> RetinaNetInference:
    """Puts the decoding for inputs of (height, width) `canvas`, None for the configured one, on top of the detector."""
    return RetinaNetInference(network, ms.Tensor(build_anchors(config, canvas)), config.unused_class_outputs)


def build_selection_rule(config: NasFpnConfig, canvas: Size | None = None) -> SelectionRule:
    """Returns thresholds and limits of detections on a (height, width) `canvas`, None for the configured one."""
    return SelectionRule(
        min_score=config.min_score,
        nms_threshold=config.nms_threshold,
        nms_pre=config.nms_pre,
        max_boxes=config.max_boxes,
        anchors_per_level=anchors_per_level(*(canvas or config.img_shape), STRIDES, config.anchors_per_cell),
    )
