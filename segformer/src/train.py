"""The training command: data in, run folder with checkpoints, log and curves out."""

import logging
import shlex
from functools import partial
from pathlib import Path

import numpy as np

from utils.model_utils.errors import MissingPathError
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
from utils.training.pictures.run_pictures import RunPictures
from utils.training.record.records import EpochRecord, Evaluated, StepRecord, TrainResult
from utils.training.run import Run, open_run

from . import build
from .config import SUITE_DIR, SegformerConfig
from .results.epoch_pictures import NUM_PICTURES, draw_evaluation
from .results.evaluation import SegmentationEvaluator, segmentation_metrics
from .results.report import format_absent, format_result, iou_by_class
from .segformer import Segformer

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
        f"loss:{np.float32(record.losses['loss'])!s}, overflow:{not record.is_finite}, loss_scale:{record.loss_scale}, "
        f"step cost:{record.data_ms + record.step_ms:.0f}ms"
    )


def checkpoint_name(backbone: str, epoch: int | str) -> str:
    """Returns e.g. `segformer_mit_b1_12.ckpt`."""
    return f"segformer_{backbone}_{epoch}.ckpt"


def evaluate_epoch(evaluator: SegmentationEvaluator, backbone: str, pictures: RunPictures, epoch: int) -> Evaluated:
    """Evaluates after an epoch and logs the block of the page, with the name of the epoch's checkpoint.

    Where they are due, predictions are drawn.

    Returns:
        mIoU, mean accuracy and pixel accuracy, and the IoU of each class.
    """
    evaluation = evaluator.evaluate(NUM_PICTURES if pictures.are_due(epoch) else 0)
    if evaluation.pictures:
        pictures.add_predictions(epoch, lambda: draw_evaluation(evaluation, evaluator.class_names))
    block = format_result(evaluation.matrix, evaluator.class_names, checkpoint_name(backbone, epoch)).splitlines()
    if evaluation.matrix.is_unlabelled().any():
        block.append(format_absent(evaluation.matrix, evaluator.class_names))
    for line in block if evaluator.workers.is_main else ():
        logger.info("%s", line)
    return Evaluated(segmentation_metrics(evaluation), {"IoU": iou_by_class(evaluation.matrix, evaluator.class_names)})


def train(config: SegformerConfig) -> TrainResult:
    """Trains as configured.

    Raises:
        UserError: a path, the data, a checkpoint or the run folder cannot be used, the loss is not finite, or the
            metric is not the expected one.
    """
    any_size = [checkpoint_name("mit_b?", word) for word in ("{epoch}", "best")]
    with open_run(config, names=any_size) as run:
        result = _build_trainer(config, run).fit()
    check_training(config, result, BEST_METRIC)
    return result


def find_pretrained(config: SegformerConfig) -> Path | None:
    """Returns the file of pretrained weights, None where none are wanted.

    Raises:
        MissingPathError: it is wanted and missing.
    """
    if not config.load_ckpt:
        return None
    if config.pre_trained and Path(config.pre_trained).is_file():
        return Path(config.pre_trained)
    state = f"'{config.pre_trained}' is no file" if config.pre_trained else "is not set"
    raise MissingPathError(
        f"pretrained_ckpt_path {state} ({config.origin('pre_trained')}) and load_ckpt is true: make it with `python "
        f"{shlex.quote(str(SUITE_DIR))}/tools/convert_model.py --pt_model_path=FILE --ms_model_path=FILE`, or begin "
        "with random weights by --load_ckpt=False"
    )


def _build_trainer(config: SegformerConfig, run: Run) -> Trainer:
    workers = run.workers
    names = [checkpoint_name(config.backbone, word) for word in ("{epoch}", "best")]
    checkpoints = keep_checkpoints(config, run, *names)
    beginning = find_beginning(config, checkpoints, build.SUITE, workers, find_pretrained=find_pretrained)
    pairs = build.open_split(config, is_training=True)
    source = build.build_training_source(config, pairs, workers)
    network = build.build_network(config)
    if workers.is_main:
        build.log_network(config, network)
    if workers.is_main and beginning.continued is None:  # the others get the weights of worker 0
        _load_first_weights(config, network, beginning.pretrained)
    weights = build.weigh_training_classes(config, pairs)
    step = build.build_train_step(config, network, run.amp_level, workers, weights)
    class_names = build.names_of_classes(config)
    log_plan(config, len(pairs), class_names, source.images_per_step)
    warn_of_long_warm_up("warmup_steps", config.warmup_steps, config.epoch_size * source.steps_per_epoch)
    build.log_scales(config, [pair.image for pair in pairs], "training")
    pictures = keep_pictures(config, run, build.build_batch_view(config, source))
    evaluate = None
    if config.run_eval:
        evaluation_pairs = build.open_split(config, is_training=False)
        images = [pair.image for pair in evaluation_pairs]
        build.log_scales(config, images, "evaluation", build.scale_in_training(config))
        evaluator = build.build_evaluator(
            config, build.build_predictor(config, network), evaluation_pairs, class_names, workers
        )
        evaluate = partial(evaluate_epoch, evaluator, config.backbone, pictures)
    return Trainer(
        step,
        source,
        plan=plan_training(config, build.build_schedule(config, source.steps_per_epoch, source.images_per_step)),
        output=run.output(checkpoints, LogLines(), pictures),
        identity=identify_run(config, build.SUITE, class_names),
        evaluation=plan_evaluation(config, evaluate, BEST_METRIC if config.save_best_ckpt else ""),
        beginning=beginning,
    )


def _load_first_weights(config: SegformerConfig, network: Segformer, pretrained: Checkpoint | None) -> None:
    """Loads pretrained weights; without them says what a key is meant for."""
    if pretrained is not None:
        build.load_pretrained(config, network, pretrained)
    elif config.norm_statistics == "frozen":
        logger.warning(
            "norm_statistics is frozen without pretrained weights: the head normalises nothing; set --load_ckpt=True, "
            "or --norm_statistics=trained"
        )
