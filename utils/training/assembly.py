"""What the training commands of all suites have in common: from their keys and parts to the loop, and its plan."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from utils.model_utils.config.loading import dump_config
from utils.model_utils.config.schema import TrainingKeys
from utils.model_utils.workers import ALONE, Workers
from utils.sharding import ShardedEpochs
from utils.training.checkpoints.checkpoint import CheckpointFolder
from utils.training.loop import Trainer
from utils.training.record.events import BatchSource, LineFormats
from utils.training.run import Run
from utils.training.step.train_step import TrainStep

logger = logging.getLogger(__name__)


def build_trainer(
    config: TrainingKeys,
    run: Run,
    *,
    step: TrainStep,
    source: BatchSource,
    learning_rates: np.ndarray,
    checkpoints: CheckpointFolder,
    earlier: Path | None,
    suite: str,
    class_names: Sequence[str],
    category_ids: Sequence[int] = (),
    lines: LineFormats,
    evaluate: Callable[[int], Mapping[str, float]] | None,
    best_metric: str,
) -> Trainer:
    """Builds the loop of a run. What the keys of every suite say is read here; the rest is as `Trainer` takes it.

    Args:
        config: the effective configuration, which checkpoints store.
        run: what the run has.
        step: makes the optimizer steps.
        source: yields the batches.
        learning_rates: float[epochs * steps per epoch].
        checkpoints: where they are kept.
        earlier: checkpoint whose optimizer state a run that starts anew goes on with.
        suite: name of the suite.
        class_names: name of each class index.
        category_ids: the data set's own id of each class index.
        lines: the suite's documented log lines.
        evaluate: called with the epoch, returns metrics; None where nothing is evaluated.
        best_metric: by which the best checkpoint is chosen; "" for none.
    """
    return Trainer(
        step=step,
        source=source,
        learning_rates=learning_rates,
        epochs=config.epoch_size,
        run=run.folder,
        on_saved=run.on_saved,
        profiler=run.profiler,
        checkpoints=checkpoints,
        save_every_epochs=config.save_checkpoint_epochs if config.save_checkpoint else config.epoch_size,
        resume=config.resume,
        first_epoch=config.pre_trained_epoch_size + 1,
        earlier=earlier,
        suite=suite,
        seed=config.seed,
        config_text=dump_config(config),
        class_names=class_names,
        category_ids=category_ids,
        log_interval=config.log_interval,
        lines=lines,
        max_bad_steps=config.max_bad_steps,
        evaluate=evaluate,
        eval_interval=config.eval_interval,
        eval_start_epoch=config.eval_start_epoch,
        best_metric=best_metric if evaluate is not None else "",
    )


def shard_epochs(config: TrainingKeys, num_images: int, workers: Workers = ALONE) -> ShardedEpochs:
    """Says which of the images of a training set a worker trains on, and when."""
    return ShardedEpochs(
        num_images=num_images,
        batch_size=config.batch_size,
        seed=config.seed,
        accumulate_steps=config.accumulate_steps,
        workers=workers,
        drop_remainder=config.drop_remainder,
    )


def log_plan(num_images: int, class_names: Sequence[str], highest_rate: float, images_per_step: int) -> None:
    """Says what is trained on, and how.

    Args:
        num_images: images of the split.
        class_names: name of each class index.
        highest_rate: the highest learning rate.
        images_per_step: images of an optimizer step, over all workers.
    """
    logger.info("%d images, %d classes: %s", num_images, len(class_names), ", ".join(class_names))
    logger.info("highest learning rate %g, %d images in a step", highest_rate, images_per_step)
