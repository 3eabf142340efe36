"""Takes over what a checkpoint holds: where a run goes on, and what a new run has from an earlier one."""

import logging

from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.checkpoint import Checkpoint, TrainingState, refuse_bad_optimizer
from utils.training.checkpoints.loading import restore_parameters
from utils.training.step.train_step import TrainStep
from utils.words import counted

logger = logging.getLogger(__name__)


def take_position(found: Checkpoint, wanted: TrainingState) -> None:
    """Sets epoch, step and best metric of `wanted`, the state of this run, from a checkpoint's.

    The place in an epoch is kept in images: with other images in a step, by other workers or another batch size, the
    run goes on with the first step that begins at or before that place.

    Raises:
        BadValueError: if the checkpoint is of other classes, or stopped in the middle of an epoch of other images.
    """
    if _has_other_classes(found, wanted):
        raise BadValueError(
            f"'{found.path}' was trained with the classes {list(found.class_names)}, this run has "
            f"{list(wanted.class_names)}: resume with the same data, or load it as pretrained weights in a new run"
        )
    if found.seed != wanted.seed:
        logger.warning(
            "resuming %s with seed %d, it was made with seed %d: order and augmentation of the data change",
            found.path,
            wanted.seed,
            found.seed,
        )
    wanted.epoch, wanted.step_in_epoch, wanted.global_step = found.epoch, found.step_in_epoch, found.global_step
    wanted.epoch_done, wanted.best = found.epoch_done, found.best
    wanted.evaluations_without_better = found.evaluations_without_better
    if found.images_per_step in (0, wanted.images_per_step) and found.steps_per_epoch == wanted.steps_per_epoch:
        if found.num_workers != wanted.num_workers:
            logger.info(
                "resuming with %s instead of %d, a step has the same images",
                counted(wanted.num_workers, "worker"),
                found.num_workers,
            )
        return
    if found.step_in_epoch == found.steps_per_epoch:
        wanted.step_in_epoch = wanted.steps_per_epoch
    elif found.images_per_step == 0 or _is_of_other_images(found, wanted):
        raise BadValueError(
            f"'{found.path}' stopped at step {found.step_in_epoch} of {found.steps_per_epoch} in epoch {found.epoch}, "
            f"this run has {counted(wanted.steps_per_epoch, 'step')} per epoch; resume with the same images, or from "
            "the end of an epoch"
        )
    else:
        done = found.step_in_epoch * found.images_per_step
        wanted.step_in_epoch = min(done // wanted.images_per_step, wanted.steps_per_epoch)
    wanted.global_step = (wanted.epoch - 1) * wanted.steps_per_epoch + wanted.step_in_epoch
    logger.info("%s", format_changes(found, wanted))


def format_changes(found: TrainingState, wanted: TrainingState) -> str:
    """Formats what is another in a run that goes on with other images in a step than its checkpoint was made with."""
    done, goes_on = (state.step_in_epoch * state.images_per_step for state in (found, wanted))
    is_whole = found.step_in_epoch == found.steps_per_epoch
    again = (
        "" if is_whole or done <= goes_on else f", {counted(done - goes_on, 'image')} of the epoch trained on once more"
    )
    return (
        f"resuming with {counted(wanted.images_per_step, 'image')} in a step on "
        f"{counted(wanted.num_workers, 'worker')} instead of {found.images_per_step} on {found.num_workers}: step "
        f"{found.step_in_epoch} of {found.steps_per_epoch} in epoch {found.epoch} is step {wanted.step_in_epoch} of "
        f"{wanted.steps_per_epoch}, global step {found.global_step} is {wanted.global_step}, whose learning rate is "
        f"used{again}"
    )


def _has_other_classes(found: TrainingState, wanted: TrainingState) -> bool:
    """Whether both say their classes, and these are others or in another order."""
    return bool(found.class_names and wanted.class_names) and tuple(found.class_names) != tuple(wanted.class_names)


def _is_of_other_images(found: TrainingState, wanted: TrainingState) -> bool:
    """Whether the training set must be another: the images of whole epochs, give or take a step, are not the same."""
    (least, most), (other_least, other_most) = (
        ((state.steps_per_epoch - 1) * state.images_per_step, (state.steps_per_epoch + 1) * state.images_per_step)
        for state in (found, wanted)
    )
    return most <= other_least + 1 or other_most <= least + 1


def take_over(checkpoint: Checkpoint, step: TrainStep, first_epoch: int, wanted: TrainingState) -> None:
    """Begins a new run with all that a checkpoint holds for it: weights, optimizer state, averages, loss scale.

    A file of weights only, or of other classes than `wanted`, the state of this run, or of another network or
    optimizer, changes nothing; the log says so, and where the checkpoint is not from the end of the epoch before
    `first_epoch`.
    """
    path = checkpoint.path
    if not checkpoint.has_training_state:
        logger.info("%s holds weights only: the optimizer starts anew", path)
        return
    if _has_other_classes(checkpoint, wanted):
        logger.warning(
            "the optimizer starts anew, only weights are taken: %s has the classes %s", path, checkpoint.class_names
        )
        return
    try:
        refuse_bad_optimizer(checkpoint)
        restore_parameters(checkpoint, step.parameters())
    except BadValueError as error:
        logger.warning("the optimizer starts anew, only weights are taken: %s", error)
        return
    restore_loss_scale(checkpoint, step)
    if (checkpoint.epoch, checkpoint.step_in_epoch) != (first_epoch - 1, checkpoint.steps_per_epoch):
        logger.warning(
            "%s was saved at step %d of %d in epoch %d, this run begins with epoch %d",
            path,
            checkpoint.step_in_epoch,
            checkpoint.steps_per_epoch,
            checkpoint.epoch,
            first_epoch,
        )
    logger.info("took weights, optimizer state and averages from %s", path)


def restore_loss_scale(state: TrainingState, step: TrainStep) -> None:
    """Sets a dynamic loss scale as it was; a static one is the configuration's."""
    if step.loss_scaler.dynamic:
        step.loss_scaler.scale, step.loss_scaler.good_steps = state.loss_scale, state.loss_scale_good_steps
