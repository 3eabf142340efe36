"""Losses, optimizer and update around the detector, and the course of the learning rate."""

import numpy as np

from utils.model_utils.workers import ALONE, Workers
from utils.training.assembly import build_step, effective_lr
from utils.training.schedules import WarmUp, cosine_schedule, step_schedule
from utils.training.step.precision import apply_amp
from utils.training.step.train_step import TrainStep

from ..config import FasterRcnnConfig
from ..dataset import TrainingSample
from ..FasterRcnn.bbox_assign_sample import SamplingRule
from ..FasterRcnn.bbox_assign_sample_stage2 import RoiSampler
from ..FasterRcnn.faster_rcnn_res2net import FasterRcnnRes2net
from ..FasterRcnn.loss import RcnnLoss, RpnLoss
from ..lr_schedule import long_cosine_schedule
from ..network_define import FasterRcnnTraining
from .network import build_extractor, build_proposal_generator


def build_sampler(config: FasterRcnnConfig, num_classes: int) -> RoiSampler:
    """Builds the assignment and sampling of proposals."""
    rule = SamplingRule(
        num_samples=config.num_expected_neg_stage2,
        num_positives=config.num_expected_pos_stage2,
        pos_iou=config.pos_iou_thr_stage2,
        neg_iou=config.neg_iou_thr_stage2,
        min_pos_iou=config.min_pos_iou_stage2,
        crowd_ignore_ioa=config.crowd_ignore_ioa,
        target_means=config.rcnn_target_means,
        target_stds=config.rcnn_target_stds,
    )
    return RoiSampler(rule, num_classes)


def build_train_step(
    config: FasterRcnnConfig,
    network: FasterRcnnRes2net,
    num_classes: int,
    amp_level: str,
    workers: Workers = ALONE,
) -> TrainStep:
    """Puts proposals, losses, optimizer and update around the detector."""
    rpn_loss = RpnLoss(
        cls_weight=config.rpn_loss_cls_weight,
        reg_weight=config.rpn_loss_reg_weight,
        beta=config.rpn_reg_beta if config.rpn_reg_loss == "smooth_l1" else 0.0,
    )
    rcnn_loss = RcnnLoss(
        num_classes,
        cls_weight=config.rcnn_loss_cls_weight,
        reg_weight=config.rcnn_loss_reg_weight,
        beta=config.rcnn_reg_beta if config.rcnn_reg_loss == "smooth_l1" else 0.0,
    )
    apply_amp(network, amp_level)  # in place: the wrapper that it returns has no RoI head
    with_loss = FasterRcnnTraining(
        network,
        build_proposal_generator(config, is_training=True),
        build_sampler(config, num_classes),
        build_extractor(config),
        rpn_loss,
        rcnn_loss,
        workers=workers,
    )
    return build_step(config, with_loss, TrainingSample.COLUMNS, workers)


def build_schedule(config: FasterRcnnConfig, steps_per_epoch: int, images_per_step: int) -> np.ndarray:
    """Computes the learning rate of every step, float64[epoch_size * steps_per_epoch]."""
    lr, epochs = effective_lr(config, images_per_step), config.epoch_size
    total, warm_up = epochs * steps_per_epoch, WarmUp(config.warmup_step, config.warmup_ratio)
    if config.lr_schedule == "long_cosine":
        return long_cosine_schedule(lr, epochs, steps_per_epoch, warm_up)
    if config.lr_schedule == "cosine":
        return cosine_schedule(lr, total, warm_up, lr_end=lr * config.lr_end_rate)
    return step_schedule(lr, total, warm_up, [epoch * steps_per_epoch for epoch in config.lr_steps], config.lr_decay)
