"""Loss, optimizer and update around the network, and the course of the learning rate."""

import numpy as np

from utils.model_utils.workers import ALONE, Workers
from utils.training.assembly import build_step, effective_lr
from utils.training.schedules import WarmUp, constant_schedule, cosine_schedule, poly_schedule
from utils.training.step.precision import LossScaler, apply_amp
from utils.training.step.train_step import TrainStep

from ..config import SegformerConfig
from ..dataset import CityscapesSource
from ..labels.balance import weigh_classes
from ..labels.files import ImagePair
from ..loss import SegmentationLoss
from ..segformer import Segformer, SegformerTraining
from .classes import names_of_classes

UNSCALED = ("O0", "bf16")  # the range of float32 needs no loss scale
HEAD = "head."  # beginning of the names of its parameters
# The 3x3 convolution in a block, which tells it where a pixel is; the paper does not decay it.
POSITION_CONVOLUTION = ".mlp.position."


def build_train_step(
    config: SegformerConfig,
    network: Segformer,
    amp_level: str,
    workers: Workers = ALONE,
    class_weights: tuple[float, ...] | None = None,
) -> TrainStep:
    """Puts loss, optimizer and update around the network.

    Args:
        config: the configuration.
        network: the network.
        amp_level: precision, see `apply_amp`.
        workers: the workers of the job.
        class_weights: of `weigh_training_classes`; None for those of the configuration.
    """
    loss = SegmentationLoss(
        config.class_num,
        ignore_label=config.dataset_ignore_label,
        class_weights=class_weights or config.class_weights,
        ohem_threshold=config.ohem_threshold,
        ohem_min_kept=config.ohem_min_kept,
        workers=workers,
    )
    with_loss = SegformerTraining(
        apply_amp(network, amp_level),
        loss,
        drops_paths=config.drop_path_rate > 0,
        drops_channels=config.head_dropout > 0,
    )
    return build_step(
        config,
        with_loss,
        CityscapesSource.COLUMNS,
        workers,
        loss_scaler=_loss_scaler(config, amp_level),
        undecayed=(POSITION_CONVOLUTION,),
        lr_scales={HEAD: config.head_lr_factor},
    )


def weigh_training_classes(config: SegformerConfig, pairs: tuple[ImagePair, ...]) -> tuple[float, ...] | None:
    """Returns the weights that `class_weight_power` makes of the training labels; None where it makes none."""
    if config.class_weights is not None or not config.class_weight_power:
        return None
    return weigh_classes(pairs, names_of_classes(config), config.dataset_ignore_label, config.class_weight_power)


def _loss_scaler(config: SegformerConfig, amp_level: str) -> LossScaler:
    if config.loss_scale_mode == "auto" and amp_level in UNSCALED:
        return LossScaler()
    # The scale grows about as often as in the page's log, which shows it double within an epoch of 1487 steps.
    return LossScaler(config.loss_scale, config.loss_scale_mode != "static", growth_interval=1000)


def build_schedule(config: SegformerConfig, steps_per_epoch: int, images_per_step: int) -> np.ndarray:
    """Computes the learning rate of every step, float64[epoch_size * steps_per_epoch]."""
    total = config.epoch_size * steps_per_epoch
    lr = effective_lr(config, images_per_step)
    warm_up = WarmUp(config.warmup_steps, config.warmup_ratio, is_factor=True)
    if config.lr_schedule == "poly":
        return poly_schedule(lr, total, warm_up, power=config.poly_power, lr_end=lr * config.lr_end_rate)
    if config.lr_schedule == "cosine":
        return cosine_schedule(lr, total, warm_up, lr_end=lr * config.lr_end_rate)
    return constant_schedule(lr, total, warm_up)
