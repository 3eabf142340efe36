"""The training command: data in, run folder with checkpoints, log and curves out."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from utils.model_utils.device_adapter import resolve_amp_level
from utils.training.assembly import build_trainer, log_plan
from utils.training.checkpoints.checkpoint import CheckpointFolder
from utils.training.loop import Trainer
from utils.training.record.events import EpochRecord, StepRecord, TrainResult
from utils.training.resume import AUTO
from utils.training.run import Run, open_run

from . import build
from .config import SegformerConfig
from .evaluation import Evaluator, metrics_of
from .report import format_result

logger = logging.getLogger(__name__)

BEST_METRIC = "mIoU"


class LogLines:
    """The line of a step that the page shows; it shows none for an epoch."""

    def step_lines(self, record: StepRecord) -> list[str]:
        """Returns the line of a step."""
        return [format_step(record)]

    def epoch_lines(self, _record: EpochRecord) -> list[str]:
        """Returns nothing."""
        return []


def format_step(record: StepRecord) -> str:
    """Returns e.g. `Epoch 12/200, step:100/1487, loss:0.08269882, overflow:False, loss_scale:32768.0, step cost:182ms`.

    The cost is that of this step, waiting for its data included.
    """
    return (
        f"Epoch {record.epoch}/{record.epochs}, step:{record.step}/{record.steps_per_epoch}, "
        f"loss:{np.float32(record.losses['loss'])!s}, overflow:{not record.is_finite}, "
        f"loss_scale:{record.loss_scale}, step cost:{record.data_ms + record.step_ms:.0f}ms"
    )


def checkpoint_name(backbone: str, epoch: int | str) -> str:
    """Returns e.g. `segformer_mit_b1_12.ckpt`."""
    return f"segformer_{backbone}_{epoch}.ckpt"


@dataclass(frozen=True, eq=False)
class InTrainingEvaluation:
    """Evaluates after an epoch and logs the block of the page.

    Attributes:
        evaluator: of the evaluation split.
        backbone: for the checkpoint's name in the block.
    """

    evaluator: Evaluator
    backbone: str

    def __call__(self, epoch: int) -> Mapping[str, float]:
        """Returns mIoU, mean accuracy and pixel accuracy."""
        evaluation = self.evaluator.evaluate()
        block = format_result(evaluation.matrix, self.evaluator.class_names, checkpoint_name(self.backbone, epoch))
        for line in block.splitlines() if self.evaluator.workers.is_main else ():
            logger.info("%s", line)
        return metrics_of(evaluation)


def train(config: SegformerConfig) -> TrainResult:
    """Trains as configured.

    Raises:
        UserError: a path, the data, a checkpoint or the run folder cannot be used, or the loss is not finite.
    """
    with open_run(config) as run:
        return _build_trainer(config, run).fit()


def _build_trainer(config: SegformerConfig, run: Run) -> Trainer:
    workers = run.workers
    checkpoints = CheckpointFolder(
        run.folder.checkpoints_path,
        pattern=checkpoint_name(config.backbone, "{epoch}"),
        best_name=checkpoint_name(config.backbone, "best"),
        keep_last=config.keep_checkpoint_max,
    )
    begins_anew = not config.resume or (config.resume == AUTO and not workers.broadcast(checkpoints.files()))
    pretrained = build.find_pretrained(config) if begins_anew else None
    pairs = build.open_split(config, is_training=True)
    source = build.build_training_source(config, pairs, workers)
    network = build.build_network(config)
    if pretrained is not None:
        build.load_pretrained(config, network, pretrained)
    elif begins_anew and config.norm_statistics == "frozen":
        logger.warning(
            "norm_statistics is frozen without pretrained weights: the head normalises nothing; set "
            "--load_ckpt=True, or --norm_statistics=trained"
        )
    step = build.build_train_step(config, network, resolve_amp_level(config.amp_level, run.device.target), workers)
    names = build.names_of_classes(config)
    log_plan(len(pairs), names, build.effective_lr(config, source.images_per_step), source.images_per_step)
    evaluate = None
    if config.run_eval:
        evaluation_pairs = build.open_split(config, is_training=False)
        evaluator = build.build_evaluator(config, network, evaluation_pairs, names, workers)
        evaluate = InTrainingEvaluation(evaluator, config.backbone)
    return build_trainer(
        config,
        run,
        step=step,
        source=source,
        checkpoints=checkpoints,
        earlier=pretrained if config.pre_trained_epoch_size else None,
        learning_rates=build.build_schedule(config, source.steps_per_epoch, source.images_per_step),
        suite=build.SUITE,
        class_names=names,
        lines=LogLines(),
        evaluate=evaluate,
        best_metric=BEST_METRIC if config.save_best_ckpt else "",
    )
