"""The training command: data in, run folder with checkpoints, logs and curves out."""

import logging
from pathlib import Path

from utils.detection.data.splits import Split
from utils.detection.data.training_source import warn_of_cut_boxes, warn_of_random_weights
from utils.detection.results.evaluation import InTrainingEvaluation
from utils.model_utils.config.loading import dump_config
from utils.model_utils.device_adapter import resolve_amp_level
from utils.model_utils.workers import Workers
from utils.training.assembly import build_trainer, log_plan
from utils.training.checkpoints.checkpoint import CheckpointFolder
from utils.training.loop import Trainer
from utils.training.record.events import TrainResult
from utils.training.resume import find_state
from utils.training.run import Run, open_run

from . import build
from .config import FasterRcnnConfig
from .FasterRcnn.faster_rcnn_res2net import FasterRcnnRes2net
from .loss_log import LossLog

logger = logging.getLogger(__name__)

CHECKPOINT_FOLDER = "ckpt_0"  # of worker 0, which alone writes checkpoints
CHECKPOINT_PATTERN = "faster_rcnn-{epoch}_{step}.ckpt"
BEST_CHECKPOINT = "faster_rcnn_best.ckpt"


def train(config: FasterRcnnConfig) -> TrainResult:
    """Trains as configured.

    Raises:
        UserError: a path, the data, a checkpoint or the run folder cannot be used, or the loss is not finite.
    """
    with open_run(config, str(Path(config.save_checkpoint_path, CHECKPOINT_FOLDER))) as run:
        checkpoints = CheckpointFolder(
            run.folder.checkpoints_path,
            pattern=CHECKPOINT_PATTERN,
            best_name=BEST_CHECKPOINT,
            keep_last=config.keep_checkpoint_max,
        )
        continued = find_state(config.resume, checkpoints, run.workers)
        config = _with_earlier_network(config, continued[0] if continued else None, run.workers)
        run.folder.write_config(dump_config(config))
        lines = LossLog(run.folder.path / f"loss_{run.workers.rank}.log", continues=continued is not None)
        return _build_trainer(config, run, checkpoints, lines, begins_anew=continued is None).fit()


def _with_earlier_network(config: FasterRcnnConfig, continued: Path | None, workers: Workers) -> FasterRcnnConfig:
    """Returns the configuration of the network whose weights the run begins with; worker 0 reads their file."""
    earlier = continued or (Path(config.pre_trained) if config.pre_trained else None)
    if earlier is None:
        return config
    if workers.is_main:
        config = build.with_stored_network(config, earlier, takes_backbone=False)
    return config.model_copy(update={"res2net_stage1_pool": workers.broadcast(config.res2net_stage1_pool)})


def _build_trainer(
    config: FasterRcnnConfig,
    run: Run,
    checkpoints: CheckpointFolder,
    lines: LossLog,
    *,
    begins_anew: bool,
) -> Trainer:
    split = build.open_configured_split(config, is_training=True)
    num_classes = build.num_classes(config, split)
    source = build.build_training_source(config, split, run.workers)
    network = build.build_network(config, num_classes)
    if begins_anew and run.workers.is_main:  # the others get the weights of worker 0
        _load_first_weights(config, network)
    amp_level = resolve_amp_level(config.amp_level, run.device.target)
    step = build.build_train_step(config, network, num_classes, amp_level, run.workers)
    _log_plan(config, split, source.images_per_step, source.steps_per_epoch)
    evaluate = None
    if config.run_eval:
        evaluation_split = build.open_configured_split(config, is_training=False)
        evaluate = InTrainingEvaluation(build.build_evaluator(config, network, evaluation_split, run.workers))
    return build_trainer(
        config,
        run,
        step=step,
        source=source,
        checkpoints=checkpoints,
        earlier=build.earlier_checkpoint(config),
        learning_rates=build.build_schedule(config, source.steps_per_epoch, source.images_per_step),
        suite=build.SUITE,
        class_names=split.records.class_names,
        category_ids=split.records.category_ids,
        lines=lines,
        evaluate=evaluate,
        best_metric="mAP",
    )


def _load_first_weights(config: FasterRcnnConfig, network: FasterRcnnRes2net) -> None:
    """Loads `pre_trained`; without it says which keys are meant for pretrained weights."""
    if config.pre_trained:
        build.load_pretrained(config, network)
    else:
        warn_of_random_weights(config.frozen_stages, config.norm_statistics == "frozen")


def _log_plan(config: FasterRcnnConfig, split: Split, images_per_step: int, steps_per_epoch: int) -> None:
    records = split.records
    log_plan(records.num_images, records.class_names, build.effective_lr(config, images_per_step), images_per_step)
    warn_of_cut_boxes(records, config.num_gts)
    num_steps = config.epoch_size * steps_per_epoch
    if config.warmup_step >= num_steps > 0:
        logger.warning(
            "warmup_step is %d and the run has %d steps: the learning rate never reaches lr; lower --warmup_step",
            config.warmup_step,
            num_steps,
        )
