"""The training command: data in, run folder with checkpoints, logs and curves out."""

import logging
from pathlib import Path

from utils.detection.data.splits import Split
from utils.detection.data.training_source import warn_of_cut_boxes
from utils.detection.places.split_places import check_places
from utils.detection.results.evaluation_split import BEST_METRIC, best_metric
from utils.detection.results.pictures.epoch_pictures import evaluate_with_pictures
from utils.model_utils.workers import Workers
from utils.training.assembly import (
    identify_run,
    keep_checkpoints,
    keep_pictures,
    log_plan,
    plan_evaluation,
    plan_training,
    warn_of_long_warm_up,
)
from utils.training.beginning import find_beginning
from utils.training.checkpoints.checkpoint import Checkpoint
from utils.training.ends.expected import check_training
from utils.training.loop import Trainer
from utils.training.record.records import TrainResult
from utils.training.run import Run, open_run

from . import build
from .config import FasterRcnnConfig
from .loss_log import LossLog
from .stored_network import with_stored_network

logger = logging.getLogger(__name__)

CHECKPOINT_FOLDER = "ckpt_0"  # of worker 0, which alone writes checkpoints
CHECKPOINT_PATTERN = "faster_rcnn-{epoch}_{step}.ckpt"
BEST_CHECKPOINT = "faster_rcnn_best.ckpt"


def train(config: FasterRcnnConfig) -> TrainResult:
    """Trains as configured.

    Raises:
        UserError: a path, the data, a checkpoint or the run folder cannot be used, the loss is not finite, or the
            metric is not the expected one.
    """
    folder = str(Path(config.save_checkpoint_path, CHECKPOINT_FOLDER))
    with open_run(config, folder, (CHECKPOINT_PATTERN, BEST_CHECKPOINT)) as run:
        result = _build_trainer(config, run).fit()
    check_training(config, result, BEST_METRIC)
    return result


def _build_trainer(config: FasterRcnnConfig, run: Run) -> Trainer:
    workers = run.workers
    checkpoints = keep_checkpoints(config, run, CHECKPOINT_PATTERN, BEST_CHECKPOINT)
    beginning = find_beginning(config, checkpoints, build.SUITE, workers, takes_optimizer=not config.filter_weight)
    config = _with_earlier_network(config, beginning.checkpoint, workers)
    continued = beginning.continued
    goes_on_after = (continued.epoch, continued.step_in_epoch) if continued is not None else None
    lines = LossLog(run.folder.path / f"loss_{workers.rank}.log", goes_on_after)
    check_places(config)
    split = build.open_configured_split(config, is_training=True)
    num_classes = build.num_classes(config, split)
    evaluation_split = None
    if config.run_eval:  # before the network is built: whatever does not fit is said at once
        evaluation_split = build.open_evaluation_split(config, split.classes, split.name, trained_on=split)
    source = build.build_training_source(config, split, workers)
    network = build.build_network(config, num_classes)
    if workers.is_main:
        build.log_network(config, network)
    if workers.is_main and continued is None:  # the others get the weights of worker 0
        build.load_pretrained(config, network, beginning.pretrained, split.records.class_names)
    step = build.build_train_step(config, network, num_classes, run.amp_level, workers)
    _log_plan(config, split, source.images_per_step, source.steps_per_epoch)
    pictures = keep_pictures(config, run, build.build_batch_view(config, source))
    evaluate = None
    if evaluation_split is not None:
        evaluator = build.build_evaluator(config, network, evaluation_split, workers, is_repeated=True)
        evaluate = evaluate_with_pictures(evaluator, pictures)
    return Trainer(
        step,
        source,
        plan=plan_training(config, build.build_schedule(config, source.steps_per_epoch, source.images_per_step)),
        output=run.output(checkpoints, lines, pictures),
        identity=identify_run(config, build.SUITE, split.records.class_names, split.records.category_ids),
        evaluation=plan_evaluation(config, evaluate, best_metric(evaluation_split)),
        beginning=beginning,
    )


def _with_earlier_network(
    config: FasterRcnnConfig, checkpoint: Checkpoint | None, workers: Workers
) -> FasterRcnnConfig:
    """Returns the configuration of the network whose weights the run begins with; worker 0 alone has them."""
    if checkpoint is not None and workers.is_main:
        config = with_stored_network(config, checkpoint)
    pool = workers.broadcast(config.res2net_stage1_pool)
    return config if pool == config.res2net_stage1_pool else config.model_copy(update={"res2net_stage1_pool": pool})


def _log_plan(config: FasterRcnnConfig, split: Split, images_per_step: int, steps_per_epoch: int) -> None:
    records = split.records
    log_plan(config, records.num_images, records.class_names, images_per_step)
    warn_of_cut_boxes(records, config.num_gts)
    warn_of_long_warm_up("warmup_step", config.warmup_step, config.epoch_size * steps_per_epoch)
