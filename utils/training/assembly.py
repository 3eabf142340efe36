"""What the training commands of all suites have in common: from their keys to the parts of a run."""

import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from utils.model_utils.config.loading import dump_config
from utils.model_utils.config.schema import TrainingKeys
from utils.model_utils.workers import ALONE, Workers
from utils.training.checkpoints.folder import CheckpointFolder
from utils.training.ends.time_limit import NO_LIMIT, TimeLimit
from utils.training.evaluations import EvaluationPlan
from utils.training.pictures.batch_view import BatchView
from utils.training.pictures.run_pictures import PicturePlan, RunPictures
from utils.training.plan import RunIdentity, TrainingPlan
from utils.training.record.records import Evaluated
from utils.training.run import Run
from utils.training.step.graphs import LossCell
from utils.training.step.optimizer import build_optimizer
from utils.training.step.precision import LossScaler
from utils.training.step.train_step import TrainStep
from utils.words import counted

logger = logging.getLogger(__name__)


def build_step(
    config: TrainingKeys,
    network_with_loss: LossCell,
    columns: Sequence[str],
    workers: Workers = ALONE,
    *,
    loss_scaler: LossScaler | None = None,
    undecayed: Sequence[str] = (),
    lr_scales: Mapping[str, float] | None = None,
) -> TrainStep:
    """Puts optimizer and update around a network with its loss; see `TrainStep` and `build_optimizer`.

    A `loss_scaler` takes the place of the one of the keys `loss_scale` and `loss_scale_mode`.
    """
    optimizer = build_optimizer(
        config.optimizer,
        network_with_loss.trainable_params(),
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        no_decay_norm_bias=config.no_decay_norm_bias,
        undecayed=undecayed,
        lr_scales=lr_scales,
    )
    return TrainStep(
        network_with_loss,
        optimizer,
        columns=columns,
        loss_scaler=loss_scaler or LossScaler(config.loss_scale, config.loss_scale_mode == "dynamic"),
        clip_norm=config.clip_norm,
        accumulate_steps=config.accumulate_steps,
        ema_decay=config.ema_decay,
        workers=workers,
        gradient_fusion_mb=config.gradient_fusion_mb,
    )


def keep_checkpoints(config: TrainingKeys, run: Run, pattern: str, best_name: str) -> CheckpointFolder:
    """Returns where a run keeps its checkpoints, under these file names; see `CheckpointFolder`."""
    return CheckpointFolder(
        run.folder.checkpoints_path, pattern=pattern, best_name=best_name, keep_last=config.keep_checkpoint_max
    )


def plan_training(config: TrainingKeys, learning_rates: np.ndarray) -> TrainingPlan:
    """Returns the course of a run; without `save_checkpoint` the last epoch alone is saved, and the best."""
    return TrainingPlan(
        epochs=config.epoch_size,
        learning_rates=learning_rates,
        log_interval=config.log_interval,
        save_every_epochs=config.save_checkpoint_epochs if config.save_checkpoint else config.epoch_size,
        max_bad_steps=config.max_bad_steps,
        time_limit=NO_LIMIT if config.max_hours is None else TimeLimit(config.max_hours, config.built_at),
    )


def plan_evaluation(
    config: TrainingKeys, evaluate: Callable[[int], Mapping[str, float] | Evaluated] | None, best_metric: str
) -> EvaluationPlan:
    """Returns what a run evaluates; see `EvaluationPlan`. Where it evaluates nothing, nothing is the best."""
    return EvaluationPlan(
        evaluate=evaluate,
        interval=config.eval_interval,
        start_epoch=config.eval_start_epoch,
        best_metric=best_metric if evaluate is not None else "",
        patience=config.patience if best_metric else None,
    )


def keep_pictures(config: TrainingKeys, run: Run, view: BatchView) -> RunPictures:
    """Returns what draws the pictures of a run, those of its batches as `view` shows them."""
    plan = PicturePlan(
        interval=config.picture_interval,
        first_epoch=config.eval_start_epoch or config.eval_interval,
        epochs_between=config.eval_interval,
        last_epoch=config.epoch_size,
    )
    return RunPictures(run.folder, plan, view)


def identify_run(
    config: TrainingKeys, suite: str, class_names: Sequence[str], category_ids: Sequence[int] = ()
) -> RunIdentity:
    """Returns what the checkpoints of a run store of it; see `RunIdentity`."""
    return RunIdentity(suite, config.seed, dump_config(config), tuple(class_names), tuple(map(int, category_ids)))


def effective_lr(config: TrainingKeys, images_per_step: int) -> float:
    """Returns the highest learning rate, scaled to the images in a step of all workers where `lr_base_batch` is set."""
    return config.lr if config.lr_base_batch is None else config.lr * images_per_step / config.lr_base_batch


def log_plan(config: TrainingKeys, num_images: int, class_names: Sequence[str], images_per_step: int) -> None:
    """Says what is trained on, and how; `images_per_step` counts the images of all workers."""
    images, classes = counted(num_images, "image"), counted(len(class_names), "class")
    logger.info("%s, %s: %s", images, classes, ", ".join(class_names))
    rate = effective_lr(config, images_per_step)
    logger.info("highest learning rate %g, %s in a step", rate, counted(images_per_step, "image"))


def warn_of_long_warm_up(key: str, warm_up_steps: int, num_steps: int) -> None:
    """Says when a run ends before its rate has risen to `lr`, as it does on a data set of a few images.

    Args:
        key: that sets the warm-up.
        warm_up_steps: its value.
        num_steps: of the whole run.
    """
    if warm_up_steps >= num_steps > 0:
        logger.warning(
            "%s is %d and the run has %s: the learning rate never reaches lr; lower --%s or raise --epoch_size",
            key,
            warm_up_steps,
            counted(num_steps, "step"),
            key,
        )
