"""Turns the configuration into objects; the commands themselves read only the keys that are theirs."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from functools import partial
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn

from utils.canvas import Size
from utils.checking.findings import Options, Report
from utils.detection.anchors import anchors_per_level, make_anchors, octave_scales
from utils.detection.augment import AugmentSettings, scaled_size
from utils.detection.builders import data_sets, detectors, exports, weights
from utils.detection.canvases.detectors import CanvasDetectors
from utils.detection.checking.anchors import AnchorSettings, NetworkInput
from utils.detection.checking.check import check_detection_data
from utils.detection.data.class_names import ClassTable
from utils.detection.data.splits import Split
from utils.detection.data.training_source import MindRecordSource
from utils.detection.inputs import InputSettings
from utils.detection.layers import TRAINED, NormSettings
from utils.detection.network_detector import NetworkDetector
from utils.detection.results.evaluation import DetectionEvaluator
from utils.detection.results.evaluation_split import EvaluationSplit
from utils.detection.results.picture_detector import PictureDetector
from utils.detection.show.batch_view import DetectionBatchView
from utils.detection.suppression import SelectionRule
from utils.detection.test_time import keys as test_time
from utils.detection.test_time.rules import as_described
from utils.exporting.description import ModelDescription, TensorDescription
from utils.exporting.export import ExportedModel, input_shape
from utils.model_utils.errors import BadValueError
from utils.model_utils.workers import ALONE, Workers
from utils.training.assembly import build_step, effective_lr
from utils.training.checkpoints.checkpoint import Checkpoint, load_checkpoint
from utils.training.checkpoints.class_outputs import ClassOutputs
from utils.training.checkpoints.loading import Classes
from utils.training.schedules import WarmUp, cosine_schedule, step_schedule
from utils.training.step.precision import apply_amp
from utils.training.step.train_step import TrainStep
from utils.training.summary.model_summary import log_parts

from .assignment import AssignmentRule
from .config import NasFpnConfig
from .dataset import TrainingSample
from .loss import RetinaNetLoss
from .lr_schedule import five_stage_schedule
from .nasfpn import NasFpn
from .resnet import ResNet
from .retinahead import RetinaHead
from .retinanet_nasfpn import RetinaNetInference, RetinaNetNasFpn, RetinaNetTraining, count_network
from .score import build_selection, selection
from .variants import SIZE_MULTIPLE, STRIDES

SUITE = "nas_fpn"
MINDRECORD_FOLDER = "NASFPN_MINDRECORD"  # in coco_root, where mindrecord_dir is not given
EVALUATION_BATCH_SIZE = 4  # images in a call of the network; no result depends on it
EXPORTED_TOOLS = test_time.KEYS  # those that act on what an exported detector puts out
OUTPUT_NAMES = ("boxes", "scores")  # of RetinaNetInference


def build_network(config: NasFpnConfig, num_classes: int) -> RetinaNetNasFpn:
    """Builds the detector for `num_classes` foreground classes."""
    norm = NormSettings(
        config.norm_statistics,
        momentum=config.norm_momentum,
        eps=config.norm_eps,
        is_fused=False,  # detections stay the same to the bit
    )
    width = config.resnet_width
    channels = config.nasfpn_out_channel
    return RetinaNetNasFpn(
        ResNet(config.resnet_layers, width, norm, max(config.frozen_stages, 0)),
        NasFpn((width * 8, width * 16, width * 32), channels, config.nasfpn_stack_times, norm, config.nasfpn_attention),
        RetinaHead(
            channels,
            config.head_channels or channels,
            config.head_stacked_convs,
            config.anchors_per_cell,
            num_classes + config.unused_class_outputs,
            norm,
        ),
    )


def log_network(config: NasFpnConfig, network: RetinaNetNasFpn) -> None:
    """Says how large the detector is, and what a picture of the configured size costs."""
    height, width = config.img_shape
    log_parts(count_network(network, config.img_shape), f"a {height}x{width} picture")


def build_anchors(config: NasFpnConfig, canvas: Size | None = None) -> np.ndarray:
    """Makes the anchors of an input of (height, width) `canvas`, None for the configured one, float32[A, 4]."""
    scales = octave_scales(config.anchor_base_scale, config.anchor_scales_per_octave)
    return make_anchors(*(canvas or config.img_shape), STRIDES, scales, config.anchor_ratios)


def build_inference(config: NasFpnConfig, network: RetinaNetNasFpn, canvas: Size | None = None) -> RetinaNetInference:
    """Puts the decoding for inputs of (height, width) `canvas`, None for the configured one, on top of the detector."""
    return RetinaNetInference(network, ms.Tensor(build_anchors(config, canvas)), config.unused_class_outputs)


def build_train_step(
    config: NasFpnConfig,
    network: RetinaNetNasFpn,
    num_classes: int,
    amp_level: str,
    workers: Workers = ALONE,
) -> TrainStep:
    """Puts loss, optimizer and update around the detector.

    Raises:
        BadValueError: a batch is too small for its statistics.
    """
    _check_statistics(config)
    loss = RetinaNetLoss(
        num_classes + config.unused_class_outputs,
        alpha=config.alpha,
        gamma=config.gamma,
        box_weight=config.box_loss_weight,
        box_beta=config.box_loss_beta if config.box_loss == "smooth_l1" else 0.0,
        workers=workers,
    )
    with_loss = RetinaNetTraining(apply_amp(network, amp_level), loss)
    return build_step(config, with_loss, TrainingSample.COLUMNS, workers)


def _check_statistics(config: NasFpnConfig) -> None:
    """Refuses a batch with one value for each channel of the coarsest level: the moving variance would be 0 / 0."""
    if config.norm_statistics == TRAINED and config.batch_size == 1 and config.level_sizes[-1] == (1, 1):
        raise BadValueError(
            f"batch_size is 1 and img_shape {list(config.img_shape)}: the coarsest level has one pixel, of which batch "
            "norm cannot take the variance: raise batch_size or img_shape, or set norm_statistics to frozen"
        )


def load_pretrained(
    config: NasFpnConfig, network: RetinaNetNasFpn, pretrained: Checkpoint | None, class_names: Sequence[str]
) -> None:
    """Loads the weights that a training begins with; see `weights.load_pretrained`."""
    outputs = ClassOutputs("head.classify.", groups=config.anchors_per_cell, extra=config.unused_class_outputs)
    weights.load_pretrained(
        config,
        network,
        pretrained,
        classes=Classes(class_names, (outputs,)),
        beside_backbone=("neck.", "head."),
        frozen_stages=config.frozen_stages,
        norm_statistics=config.norm_statistics,
    )


def build_schedule(config: NasFpnConfig, steps_per_epoch: int, images_per_step: int) -> np.ndarray:
    """Computes the learning rate of every step, float64[epoch_size * steps_per_epoch]."""
    lr = effective_lr(config, images_per_step)
    total = config.epoch_size * steps_per_epoch
    if config.lr_schedule == "five_stage":
        return five_stage_schedule(
            lr, config.lr_init, config.lr_end_rate, config.epoch_size, config.warmup_epochs, steps_per_epoch
        )
    warm_up = WarmUp(config.warmup_steps, config.warmup_ratio)
    if config.lr_schedule == "cosine":
        return cosine_schedule(lr, total, warm_up, lr_end=lr * config.lr_end_rate)
    return step_schedule(lr, total, warm_up, [epoch * steps_per_epoch for epoch in config.lr_steps], config.lr_decay)


def input_settings(config: NasFpnConfig) -> InputSettings:
    """Returns what the network takes."""
    return InputSettings(*config.img_shape, config.img_norm_mean, config.img_norm_std)


def build_training_source(config: NasFpnConfig, split: Split, workers: Workers = ALONE) -> MindRecordSource:
    """Builds the batches that a worker of a run trains on."""
    rule = AssignmentRule(
        num_classes=len(split.records.class_names) + config.unused_class_outputs,
        pos_iou=config.match_threshold,
        neg_iou=config.match_threshold if config.neg_iou_threshold is None else config.neg_iou_threshold,
        crowd_ignore_ioa=config.crowd_ignore_ioa,
    )
    smallest, largest = config.scale_range
    largest = largest if config.crop else min(largest, 1.0)  # at 1 the whole picture just fits: nothing is cut off
    augmentation = AugmentSettings(
        config.flip_ratio,
        (min(smallest, largest), largest),
        config.brightness,
        config.contrast,
        config.saturation,
        config.hue,
    )
    sample = TrainingSample(
        inputs=input_settings(config),
        augmentation=augmentation,
        anchors=build_anchors(config),
        rule=rule,
        num_gts=config.num_gts,
        seed=config.seed,
    )
    return data_sets.training_source(config, split, sample, workers)


def build_selection_rule(config: NasFpnConfig, canvas: Size | None = None) -> SelectionRule:
    """Returns thresholds and limits of detections on a (height, width) `canvas`, None for the configured one."""
    return SelectionRule(
        min_score=config.min_score,
        nms_threshold=config.nms_threshold,
        nms_pre=config.nms_pre,
        max_boxes=config.max_boxes,
        anchors_per_level=anchors_per_level(*(canvas or config.img_shape), STRIDES, config.anchors_per_cell),
    )


def build_batch_view(config: NasFpnConfig, source: MindRecordSource) -> DetectionBatchView:
    """Builds what shows the batches of a run."""
    return data_sets.batch_view(source, config.match_threshold)


def open_batch_view(config: NasFpnConfig) -> AbstractContextManager[DetectionBatchView]:
    """Opens the training split and yields what shows its batches; see `data_sets.open_batch_view`."""
    make_source, make_view = partial(build_training_source, config), partial(build_batch_view, config)
    return data_sets.open_batch_view(config, MINDRECORD_FOLDER, make_source, make_view)


def build_detector(
    config: NasFpnConfig, network: RetinaNetNasFpn, class_names: Sequence[str] = (), *, is_repeated: bool = False
) -> CanvasDetectors:
    """Builds what evaluation and inference ask for detections; see `detectors.canvas_detectors`."""
    rule = detectors.detection_rule(
        config,
        class_names,
        min_score=config.min_score,
        nms_threshold=config.nms_threshold,
        max_boxes=config.max_boxes,
    )

    def make(canvas: Size) -> NetworkDetector:
        select = build_selection(build_selection_rule(config, canvas), rule)
        return NetworkDetector(
            build_inference(config, network, canvas), select, second_view=detectors.second_view(rule)
        )

    return detectors.canvas_detectors(config, input_settings(config), make, is_repeated=is_repeated)


def build_evaluator(
    config: NasFpnConfig,
    network: RetinaNetNasFpn,
    split: EvaluationSplit,
    workers: Workers = ALONE,
    *,
    is_repeated: bool = False,
) -> DetectionEvaluator:
    """Builds what evaluates the detector on a split, each worker its share; `is_repeated` in a training."""
    detector = build_detector(config, network, split.match.classes.names, is_repeated=is_repeated)
    return detectors.evaluator(config, detector, split, input_settings(config), EVALUATION_BATCH_SIZE, workers)


def open_checkpoint(config: NasFpnConfig, path: Path) -> tuple[NasFpnConfig, Checkpoint]:
    """Reads a checkpoint, which says what network and classes its weights are of.

    Returns:
        The configuration of its network, and the checkpoint.

    Raises:
        MissingPathError: there is no such file.
        BadValueError: it is no checkpoint of this suite, or a value on the command line does not fit it.
    """
    stored = load_checkpoint(path, SUITE)
    return configure(config, stored), stored


def configure(config: NasFpnConfig, stored: Checkpoint) -> NasFpnConfig:
    """Returns the configuration of a checkpoint's network; see `open_checkpoint`."""
    return weights.configure_detector(config, stored)


def load_detector(config: NasFpnConfig, stored: Checkpoint) -> tuple[RetinaNetNasFpn, ClassTable]:
    """Builds the detector of a checkpoint and takes the weights out of it; see `open_checkpoint`.

    Raises:
        BadValueError: it is no checkpoint of this network, or `num_classes` or `coco_classes` contradicts it.
    """
    anchors = stored.length("head.regress.bias") // 4
    count = stored.length("head.classify.bias") // max(anchors, 1) - config.unused_class_outputs
    if anchors != config.anchors_per_cell or count < 1:
        raise BadValueError(
            f"'{stored.path}' has {anchors} anchors per cell and {count} classes beside unused ones, the configuration "
            f"has {config.anchors_per_cell} anchors: give the --config_path that it was trained with"
        )
    return weights.load_detector(config, stored, count, partial(build_network, config))


def build_picture_detector(
    config: NasFpnConfig,
    network: RetinaNetNasFpn,
    num_pictures: int,
    class_names: Sequence[str],
    *,
    is_repeated: bool = False,
) -> PictureDetector:
    """Builds what detects in image files; `is_repeated` where a canvas comes again after others."""
    detector = build_detector(config, network, class_names, is_repeated=is_repeated)
    return detectors.picture_detector(config, detector, num_pictures, input_settings(config), EVALUATION_BATCH_SIZE)


def build_exported_detector(description: ModelDescription, network: nn.Cell) -> NetworkDetector:
    """Builds what an exported file detects with; `network` is what was read of it."""
    select, rule = selection(description)
    return NetworkDetector(network, select, second_view=detectors.second_view(rule))


def build_export(config: NasFpnConfig, network: RetinaNetNasFpn, num_classes: int) -> RetinaNetInference:
    """Builds the detector of MindSpore's own operators, the only ones a file can hold, with `network`'s weights."""
    return exports.portable(network, partial(build_network, config, num_classes), partial(build_inference, config))


def input_description(config: NasFpnConfig) -> TensorDescription:
    """Describes what an exported detector takes."""
    return TensorDescription("images", "float32", input_shape(config.export_batch_size, 3, *config.img_shape))


def describe_model(config: NasFpnConfig, classes: ClassTable, model: ExportedModel) -> ModelDescription:
    """Describes an exported detector for programs that run it."""
    return exports.describe_detector(
        SUITE,
        model,
        classes,
        input_settings(config),
        tensors=(input_description(config),),
        postprocessing={**asdict(build_selection_rule(config)), **as_described(config)},
    )


def open_configured_split(
    config: NasFpnConfig, is_training: bool, *, form: str | None = None, prefix: str | None = None
) -> Split:
    """Opens the training or the evaluation split, making its MindRecord files where they are missing.

    Args:
        config: the configuration.
        is_training: which split.
        form: form of the annotations instead of the key `dataset`.
        prefix: name of the MindRecord files instead of the configured one.
    """
    return data_sets.open_detection_split(config, MINDRECORD_FOLDER, is_training=is_training, form=form, prefix=prefix)


def open_evaluation_split(config: NasFpnConfig, classes: ClassTable, model: str) -> EvaluationSplit:
    """Opens the evaluation split and matches its classes with those of the detector.

    Args:
        config: the configuration.
        classes: of the detector.
        model: where they come from, for messages.
    """
    return data_sets.open_evaluation_split(config, MINDRECORD_FOLDER, classes, model)


def check_data(config: NasFpnConfig, options: Options) -> Report:
    """Looks at the data set that a training would read; see `check_detection_data`."""
    inputs = NetworkInput(config.img_shape, SIZE_MULTIPLE, ("img_shape",), scaled_size)
    anchors = AnchorSettings(
        strides=STRIDES,
        scales=octave_scales(config.anchor_base_scale, config.anchor_scales_per_octave),
        ratios=config.anchor_ratios,
        wanted_iou=config.match_threshold,
        otherwise="training gives each of them only its nearest anchor, so they are hardly learned",
        key="anchor_base_scale",
        value=config.anchor_base_scale,
    )
    return check_detection_data(config, MINDRECORD_FOLDER, inputs, anchors, options)


def num_classes(config: NasFpnConfig, split: Split) -> int:
    """Returns the number of foreground classes of a split after checking `num_classes` against it."""
    return data_sets.count_classes(config, split)
