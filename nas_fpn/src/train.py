"""The training command: data in, run folder with checkpoints, log and curves out."""

import logging

from utils.detection.data.training_source import warn_of_cut_boxes
from utils.detection.places.split_places import check_places
from utils.detection.results.evaluation_split import BEST_METRIC, best_metric
from utils.detection.results.pictures.epoch_pictures import evaluate_with_pictures
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
from utils.training.ends.expected import check_training
from utils.training.loop import Trainer
from utils.training.record.records import EpochRecord, StepRecord, TrainResult
from utils.training.run import Run, open_run

from . import build
from .config import NasFpnConfig

logger = logging.getLogger(__name__)

CHECKPOINT_PATTERN = "retinanet_nasfpn-{epoch}_{step}.ckpt"
BEST_CHECKPOINT = "retinanet_nasfpn_best.ckpt"


class LogLines:
    """The lines that the page shows, one function for each kind."""

    def step_lines(self, record: StepRecord) -> list[str]:
        """Returns the line of a step, e.g. `epoch: 2 step: 916, loss is 32.88424`; of an epoch's last, its rate too."""
        lines = [format_loss(record.epoch, record.step, record.losses["loss"])]
        return [*lines, format_lr(record.learning_rate)] if record.step == record.steps_per_epoch else lines

    def epoch_lines(self, record: EpochRecord) -> list[str]:
        """Returns the line of an epoch, e.g. `epoch time: 406803.542 ms, per step time: 444.109 ms`."""
        return [format_epoch_time(record.seconds, record.steps)]


def format_loss(epoch: int, step: int, loss: float) -> str:
    """Returns e.g. `epoch: 2 step: 916, loss is 32.88424`."""
    return f"epoch: {epoch} step: {step}, loss is {loss:.7g}"


def format_lr(learning_rate: float) -> str:
    """Returns e.g. `lr:[0.000028]`."""
    return f"lr:[{learning_rate:.6f}]"


def format_epoch_time(seconds: float, steps: int) -> str:
    """Returns e.g. `epoch time: 406803.542 ms, per step time: 444.109 ms`."""
    return f"epoch time: {seconds * 1000:.3f} ms, per step time: {seconds * 1000 / max(steps, 1):.3f} ms"


def train(config: NasFpnConfig) -> TrainResult:
    """Trains as configured.

    Raises:
        UserError: a path, the data, a checkpoint or the run folder cannot be used, the loss is not finite, or the
            metric is not the expected one.
    """
    with open_run(config, names=(CHECKPOINT_PATTERN, BEST_CHECKPOINT)) as run:
        result = _build_trainer(config, run).fit()
    check_training(config, result, BEST_METRIC)
    return result


def _build_trainer(config: NasFpnConfig, run: Run) -> Trainer:
    checkpoints = keep_checkpoints(config, run, CHECKPOINT_PATTERN, BEST_CHECKPOINT)
    beginning = find_beginning(config, checkpoints, build.SUITE, run.workers, takes_optimizer=not config.filter_weight)
    check_places(config)
    split = build.open_configured_split(config, is_training=True)
    num_classes = build.num_classes(config, split)
    evaluation_split = None
    if config.run_eval:  # before the network is built: whatever does not fit is said at once
        evaluation_split = build.open_evaluation_split(config, split.classes, split.name, trained_on=split)
    source = build.build_training_source(config, split, run.workers)
    network = build.build_network(config, num_classes)
    if run.workers.is_main:
        build.log_network(config, network)
    if beginning.continued is None and run.workers.is_main:  # the others get the weights of worker 0
        build.load_pretrained(config, network, beginning.pretrained, split.records.class_names)
    step = build.build_train_step(config, network, num_classes, run.amp_level, run.workers)
    log_plan(config, split.records.num_images, split.records.class_names, source.images_per_step)
    warn_of_cut_boxes(split.records, config.num_gts)
    if config.lr_schedule != "five_stage":  # whose warm-ups are epochs, which the configuration checks
        warn_of_long_warm_up("warmup_steps", config.warmup_steps, config.epoch_size * source.steps_per_epoch)
    pictures = keep_pictures(config, run, build.build_batch_view(config, source))
    evaluate = None
    if evaluation_split is not None:
        evaluator = build.build_evaluator(config, network, evaluation_split, run.workers, is_repeated=True)
        evaluate = evaluate_with_pictures(evaluator, pictures)
    rates = build.build_schedule(config, source.steps_per_epoch, source.images_per_step)
    return Trainer(
        step,
        source,
        plan=plan_training(config, rates),
        output=run.output(checkpoints, LogLines(), pictures),
        identity=identify_run(config, build.SUITE, split.records.class_names, split.records.category_ids),
        evaluation=plan_evaluation(config, evaluate, best_metric(evaluation_split)),
        beginning=beginning,
    )
