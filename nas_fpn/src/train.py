"""The training command: data in, run folder with checkpoints, log and curves out."""

import logging

from utils.detection.data.splits import Split
from utils.detection.data.training_source import warn_of_cut_boxes, warn_of_random_weights
from utils.detection.layers import FROZEN
from utils.detection.results.evaluation import InTrainingEvaluation
from utils.model_utils.device_adapter import resolve_amp_level
from utils.training.assembly import build_trainer, log_plan
from utils.training.checkpoints.checkpoint import CheckpointFolder
from utils.training.loop import Trainer
from utils.training.record.events import EpochRecord, StepRecord, TrainResult
from utils.training.resume import AUTO
from utils.training.run import Run, open_run

from . import build
from .config import NasFpnConfig
from .retinanet_nasfpn import RetinaNetNasFpn

logger = logging.getLogger(__name__)

CHECKPOINT_PATTERN = "retinanet_nasfpn-{epoch}_{step}.ckpt"
BEST_CHECKPOINT = "retinanet_nasfpn_best.ckpt"


class LogLines:
    """The lines that the page shows, one function for each kind."""

    def step_lines(self, record: StepRecord) -> list[str]:
        """Returns the line of a step, e.g. `epoch: 2 step: 916, loss is 32.88424`, and its learning rate."""
        return [format_loss(record.epoch, record.step, record.losses["loss"]), format_lr(record.learning_rate)]

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
        UserError: a path, the data, a checkpoint or the run folder cannot be used, or the loss is not finite.
    """
    with open_run(config) as run:
        return _build_trainer(config, run).fit()


def _build_trainer(config: NasFpnConfig, run: Run) -> Trainer:
    split = build.open_configured_split(config, is_training=True)
    num_classes = build.num_classes(config, split)
    source = build.build_training_source(config, split, run.workers)
    network = build.build_network(config, num_classes)
    checkpoints = CheckpointFolder(
        run.folder.checkpoints_path,
        pattern=CHECKPOINT_PATTERN,
        best_name=BEST_CHECKPOINT,
        keep_last=config.keep_checkpoint_max,
    )
    begins_anew = not config.resume or (config.resume == AUTO and not checkpoints.files())
    if begins_anew and run.workers.is_main:  # the others get the weights of worker 0
        _load_first_weights(config, network)
    amp_level = resolve_amp_level(config.amp_level, run.device.target)
    step = build.build_train_step(config, network, num_classes, amp_level, run.workers)
    _log_plan(config, split, source.images_per_step)
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
        lines=LogLines(),
        evaluate=evaluate,
        best_metric="mAP",
    )


def _load_first_weights(config: NasFpnConfig, network: RetinaNetNasFpn) -> None:
    """Loads `pre_trained`; without it says which keys are meant for pretrained weights."""
    if config.pre_trained:
        build.load_pretrained(config, network)
    else:
        warn_of_random_weights(config.frozen_stages, config.norm_statistics == FROZEN)


def _log_plan(config: NasFpnConfig, split: Split, images_per_step: int) -> None:
    records = split.records
    log_plan(records.num_images, records.class_names, build.effective_lr(config, images_per_step), images_per_step)
    warn_of_cut_boxes(records, config.num_gts)
