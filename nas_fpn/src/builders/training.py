"""Loss, optimizer and update around the detector, and the course of the learning rate."""

import numpy as np

from utils.detection.layers import TRAINED
from utils.model_utils.errors import BadValueError
from utils.model_utils.workers import ALONE, Workers
from utils.training.assembly import build_step, effective_lr
from utils.training.schedules import WarmUp, cosine_schedule, step_schedule
from utils.training.step.precision import apply_amp
from utils.training.step.train_step import TrainStep

from ..config import NasFpnConfig
from ..dataset import TrainingSample
from ..loss import RetinaNetLoss
from ..lr_schedule import five_stage_schedule
from ..retinanet_nasfpn import RetinaNetNasFpn, RetinaNetTraining


def build_train_step(
    config: NasFpnConfig,
    network: RetinaNetNasFpn,
    num_classes: int,
    amp_level: str,
    workers: Workers = ALONE,
) -> TrainStep:
    """Puts loss, optimizer and update around the detector.

    Raises:
        BadValueError: a batch is too small for its statistics.
    """
    _check_statistics(config)
    loss = RetinaNetLoss(
        num_classes + config.unused_class_outputs,
        alpha=config.alpha,
        gamma=config.gamma,
        box_weight=config.box_loss_weight,
        box_beta=config.box_loss_beta if config.box_loss == "smooth_l1" else 0.0,
        workers=workers,
    )
    with_loss = RetinaNetTraining(apply_amp(network, amp_level), loss)
    return build_step(config, with_loss, TrainingSample.COLUMNS, workers)


def _check_statistics(config: NasFpnConfig) -> None:
    """Refuses a batch with one value for each channel of the coarsest level: the moving variance would be 0 / 0."""
    if config.norm_statistics == TRAINED and config.batch_size == 1 and config.level_sizes[-1] == (1, 1):
        raise BadValueError(
            f"batch_size is 1 and img_shape {list(config.img_shape)}: the coarsest level has one pixel, of which batch "
            "norm cannot take the variance: raise batch_size or img_shape, or set norm_statistics to frozen"
        )


def build_schedule(config: NasFpnConfig, steps_per_epoch: int, images_per_step: int) -> np.ndarray:
    """Computes the learning rate of every step, float64[epoch_size * steps_per_epoch]."""
    lr = effective_lr(config, images_per_step)
    total = config.epoch_size * steps_per_epoch
    if config.lr_schedule == "five_stage":
        return five_stage_schedule(
            lr, config.lr_init, config.lr_end_rate, config.epoch_size, config.warmup_epochs, steps_per_epoch
        )
    warm_up = WarmUp(config.warmup_steps, config.warmup_ratio)
    if config.lr_schedule == "cosine":
        return cosine_schedule(lr, total, warm_up, lr_end=lr * config.lr_end_rate)
    return step_schedule(lr, total, warm_up, [epoch * steps_per_epoch for epoch in config.lr_steps], config.lr_decay)
