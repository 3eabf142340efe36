"""MMDetection's configurations of both detectors: as published, and of networks that this repository trained."""

from collections.abc import Mapping
from pathlib import Path

import mmdet
from mmengine.config import Config

PUBLISHED = {
    "faster_rcnn": "res2net/faster-rcnn_res2net-101_fpn_2x_coco.py",
    "nas_fpn": "nas_fpn/retinanet_r50_nasfpn_crop640-50e_coco.py",
}


def published_config(suite: str) -> Config:
    """Returns the configuration file of a suite's published network, as MMDetection ships it."""
    config = Config.fromfile(Path(mmdet.__file__).parent / ".mim/configs" / PUBLISHED[suite])
    config.model.backbone.init_cfg = None  # the file has the weights
    return config


def trained_config(suite: str, keys: Mapping, num_classes: int, sides: tuple[int, int]) -> Config:
    """Returns the configuration of a network that was trained here.

    Args:
        suite: `faster_rcnn` or `nas_fpn`.
        keys: the configuration of the training.
        num_classes: foreground classes.
        sides: `scale` of the test pipeline, the longest long and short side in pixels.
    """
    config = published_config(suite)
    {"faster_rcnn": _trained_faster_rcnn, "nas_fpn": _trained_nas_fpn}[suite](config.model, keys, num_classes)
    for step in config.test_dataloader.dataset.pipeline:
        if step.type == "Resize":
            step.scale = sides
    return config


def _trained_faster_rcnn(model: Config, keys: Mapping, num_classes: int) -> None:
    from mmdet.models.backbones.res2net import Bottle2neck, Res2Net

    width, channels = keys["res2net_width"], keys["fpn_out_channels"]
    Res2Net.arch_settings[-1] = (Bottle2neck, tuple(keys["res2net_layers"]))
    model.backbone.update(
        depth=-1,
        base_channels=width,
        stem_channels=width,
        base_width=keys["res2net_base_width"],
        frozen_stages=-1,
    )
    model.neck.update(in_channels=[width * 4 * 2**stage for stage in range(4)], out_channels=channels)
    model.rpn_head.update(in_channels=channels, feat_channels=keys["rpn_feat_channels"])
    model.rpn_head.anchor_generator.update(scales=keys["anchor_scales"], ratios=keys["anchor_ratios"])
    model.roi_head.bbox_roi_extractor.update(out_channels=channels, finest_scale=keys["roi_align_finest_scale"])
    model.roi_head.bbox_head.update(
        in_channels=channels, fc_out_channels=keys["rcnn_fc_out_channels"], num_classes=num_classes
    )
    model.test_cfg.rpn.update(nms_pre=keys["rpn_nms_pre"], max_per_img=keys["rpn_max_num"])
    model.test_cfg.rpn.nms.update(iou_threshold=keys["rpn_nms_thr"])
    model.test_cfg.rcnn.update(score_thr=keys["test_score_thr"], max_per_img=keys["test_max_per_img"])
    model.test_cfg.rcnn.nms.update(iou_threshold=keys["test_iou_thr"])


def _trained_nas_fpn(model: Config, keys: Mapping, num_classes: int) -> None:
    from mmdet.models.backbones.resnet import Bottleneck, ResNet

    width, channels = keys["resnet_width"], keys["nasfpn_out_channel"]
    ResNet.arch_settings[-1] = (Bottleneck, tuple(keys["resnet_layers"]))
    model.backbone.update(depth=-1, base_channels=width, stem_channels=width, frozen_stages=-1)
    model.neck.update(
        in_channels=[width * 4 * 2**stage for stage in range(4)],
        out_channels=channels,
        stack_times=keys["nasfpn_stack_times"],
    )
    model.bbox_head.update(
        num_classes=num_classes,
        in_channels=channels,
        feat_channels=channels,
        stacked_convs=keys["head_stacked_convs"],
    )
    model.bbox_head.anchor_generator.update(octave_base_scale=keys["anchor_base_scale"])
    model.test_cfg.update(score_thr=keys["min_score"], max_per_img=keys["max_boxes"])
    model.test_cfg.nms.update(iou_threshold=keys["nms_threshold"])
