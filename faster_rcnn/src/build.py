"""Turns the configuration into objects; the commands themselves read only the keys that are theirs."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mindspore import nn

from utils.canvas import Size
from utils.checking.findings import Options, Report
from utils.detection.anchors import anchors_per_level, make_anchors
from utils.detection.augment import scaled_size
from utils.detection.builders import data_sets, detectors, exports, weights
from utils.detection.canvases.detectors import CanvasDetectors
from utils.detection.checking.anchors import AnchorSettings, NetworkInput
from utils.detection.checking.check import check_detection_data
from utils.detection.data.class_names import ClassTable
from utils.detection.data.splits import Split
from utils.detection.data.training_source import MindRecordSource
from utils.detection.inputs import InputSettings
from utils.detection.layers import NormSettings
from utils.detection.network_detector import NetworkDetector
from utils.detection.results.evaluation import DetectionEvaluator
from utils.detection.results.evaluation_split import EvaluationSplit
from utils.detection.results.picture_detector import PictureDetector
from utils.detection.show.batch_view import DetectionBatchView
from utils.detection.test_time.rules import as_described
from utils.detection.test_time.selection import Selection
from utils.exporting.description import ModelDescription, TensorDescription
from utils.exporting.export import ExportedModel
from utils.model_utils.workers import ALONE, Workers
from utils.training.assembly import build_step, effective_lr
from utils.training.checkpoints.checkpoint import Checkpoint, load_checkpoint
from utils.training.checkpoints.class_outputs import ClassOutputs
from utils.training.checkpoints.loading import Classes
from utils.training.schedules import WarmUp, cosine_schedule, step_schedule
from utils.training.step.precision import apply_amp
from utils.training.step.train_step import TrainStep
from utils.training.summary.model_summary import log_parts
from utils.words import counted

from .config import FasterRcnnConfig
from .dataset import ExpandSettings, TrainingSample
from .detect import detections_of, image_metas
from .FasterRcnn.bbox_assign_sample import RpnRule, SamplingRule
from .FasterRcnn.bbox_assign_sample_stage2 import RoiSampler
from .FasterRcnn.detection_selector import DetectionRule
from .FasterRcnn.faster_rcnn_res2net import FasterRcnnRes2net, count_network
from .FasterRcnn.fpn_neck import FpnNeck
from .FasterRcnn.loss import RcnnLoss, RpnLoss
from .FasterRcnn.proposal_generator import ProposalGenerator
from .FasterRcnn.rcnn import Rcnn
from .FasterRcnn.res2net import Res2Net
from .FasterRcnn.roi_align import RoiExtractor
from .FasterRcnn.rpn import Rpn
from .lr_schedule import long_cosine_schedule
from .network_define import FasterRcnnInference, FasterRcnnTraining
from .score import selection
from .stored_network import keys_of_weights, with_stored_network
from .variants import SIZE_MULTIPLE

SUITE = "faster_rcnn"
MINDRECORD_FOLDER = "FASTERRCNN_MINDRECORD"
EXPORTED_TOOLS = ("only_classes",)  # of TestTimeKeys, those that act on what an exported detector puts out
OUTPUT_NAMES = ("boxes", "scores", "labels")  # of FasterRcnnInference
CLASS_OUTPUTS = (ClassOutputs("rcnn.classify.", extra=1), ClassOutputs("rcnn.regress.", values=4))


def build_network(config: FasterRcnnConfig, num_classes: int) -> FasterRcnnRes2net:
    """Builds the detector for `num_classes` foreground classes."""
    norm = NormSettings(config.norm_statistics, momentum=config.norm_momentum, eps=config.norm_eps)
    backbone = Res2Net(
        config.layers,
        config.res2net_width,
        config.res2net_base_width,
        norm=norm,
        frozen_stages=max(config.frozen_stages, 0),
        stage1_pool=bool(config.res2net_stage1_pool),
    )
    channels = config.fpn_out_channels
    return FasterRcnnRes2net(
        backbone,
        FpnNeck(backbone.out_channels, channels, config.fpn_num_outs),
        Rpn(channels, config.rpn_feat_channels, config.anchors_per_cell),
        Rcnn(channels, config.roi_size, config.rcnn_fc_out_channels, num_classes=num_classes),
    )


def log_network(config: FasterRcnnConfig, network: FasterRcnnRes2net) -> None:
    """Says how large the detector is, and what a picture of the configured size costs in an evaluation."""
    (height, width), num_regions = input_settings(config).size, config.rpn_max_num
    parts = count_network(network, (height, width), config.anchor_strides, num_regions)
    log_parts(parts, f"a {height}x{width} picture with {counted(num_regions, 'region')}")


def build_anchors(config: FasterRcnnConfig, canvas: Size | None = None) -> np.ndarray:
    """Makes the anchors of an input of (height, width) `canvas`, None for the configured one, float32[A, 4]."""
    size = canvas or input_settings(config).size
    return make_anchors(*size, config.anchor_strides, config.anchor_scales, config.anchor_ratios)


def build_rpn_rule(config: FasterRcnnConfig) -> RpnRule:
    """Returns how anchors are assigned and sampled."""
    return RpnRule(
        num_samples=config.num_expected_neg,
        num_positives=config.num_expected_pos,
        pos_iou=config.pos_iou_thr,
        neg_iou=config.neg_iou_thr,
        min_pos_iou=config.min_pos_iou,
        allowed_border=config.rpn_allowed_border,
        crowd_ignore_ioa=config.crowd_ignore_ioa,
        target_means=config.rpn_target_means,
        target_stds=config.rpn_target_stds,
    )


def build_proposal_generator(
    config: FasterRcnnConfig, is_training: bool, canvas: Size | None = None
) -> ProposalGenerator:
    """Builds the step from the RPN's output to proposals.

    Args:
        config: the configuration.
        is_training: with the limits of training, or of inference.
        canvas: (height, width) of the input; None for the configured one.
    """
    limits: dict[str, Any] = (
        {
            "nms_pre": config.rpn_proposal_nms_pre,
            "max_proposals": config.rpn_proposal_max_num,
            "nms_threshold": config.rpn_proposal_nms_thr,
            "min_size": config.rpn_proposal_min_bbox_size,
        }
        if is_training
        else {
            "nms_pre": config.rpn_nms_pre,
            "max_proposals": config.rpn_max_num,
            "nms_threshold": config.rpn_nms_thr,
            "min_size": config.rpn_min_bbox_min_size,
        }
    )
    return ProposalGenerator(
        build_anchors(config, canvas),
        anchors_per_level(*(canvas or input_settings(config).size), config.anchor_strides, config.anchors_per_cell),
        target_means=config.rpn_target_means,
        target_stds=config.rpn_target_stds,
        **limits,
    )


def build_extractor(config: FasterRcnnConfig) -> RoiExtractor:
    """Builds the pooling of regions."""
    return RoiExtractor(
        config.roi_align_featmap_strides, config.roi_align_finest_scale, config.roi_size, config.roi_sampling_ratio
    )


def build_inference(
    config: FasterRcnnConfig, network: FasterRcnnRes2net, canvas: Size | None = None, *, suppresses: bool = True
) -> FasterRcnnInference:
    """Puts proposals and the selection of detections around the detector.

    Args:
        config: the configuration.
        network: the detector.
        canvas: (height, width) of the input; None for the configured one.
        suppresses: see `DetectionRule`.
    """
    rule = DetectionRule(
        min_score=config.test_score_thr,
        nms_threshold=config.test_iou_thr,
        candidates=config.test_candidates,
        max_boxes=config.test_max_per_img,
        target_means=config.rcnn_target_means,
        target_stds=config.rcnn_target_stds,
        suppresses=suppresses,
    )
    proposals = build_proposal_generator(config, is_training=False, canvas=canvas)
    return FasterRcnnInference(network, proposals, build_extractor(config), rule)


def build_sampler(config: FasterRcnnConfig, num_classes: int) -> RoiSampler:
    """Builds the assignment and sampling of proposals."""
    rule = SamplingRule(
        num_samples=config.num_expected_neg_stage2,
        num_positives=config.num_expected_pos_stage2,
        pos_iou=config.pos_iou_thr_stage2,
        neg_iou=config.neg_iou_thr_stage2,
        min_pos_iou=config.min_pos_iou_stage2,
        crowd_ignore_ioa=config.crowd_ignore_ioa,
        target_means=config.rcnn_target_means,
        target_stds=config.rcnn_target_stds,
    )
    return RoiSampler(rule, num_classes)


def build_train_step(
    config: FasterRcnnConfig,
    network: FasterRcnnRes2net,
    num_classes: int,
    amp_level: str,
    workers: Workers = ALONE,
) -> TrainStep:
    """Puts proposals, losses, optimizer and update around the detector."""
    rpn_loss = RpnLoss(
        cls_weight=config.rpn_loss_cls_weight,
        reg_weight=config.rpn_loss_reg_weight,
        beta=config.rpn_reg_beta if config.rpn_reg_loss == "smooth_l1" else 0.0,
    )
    rcnn_loss = RcnnLoss(
        num_classes,
        cls_weight=config.rcnn_loss_cls_weight,
        reg_weight=config.rcnn_loss_reg_weight,
        beta=config.rcnn_reg_beta if config.rcnn_reg_loss == "smooth_l1" else 0.0,
    )
    apply_amp(network, amp_level)  # in place: the wrapper that it returns has no RoI head
    with_loss = FasterRcnnTraining(
        network,
        build_proposal_generator(config, is_training=True),
        build_sampler(config, num_classes),
        build_extractor(config),
        rpn_loss,
        rcnn_loss,
        workers=workers,
    )
    return build_step(config, with_loss, TrainingSample.COLUMNS, workers)


def load_pretrained(
    config: FasterRcnnConfig, network: FasterRcnnRes2net, pretrained: Checkpoint | None, class_names: Sequence[str]
) -> None:
    """Loads the weights that a training begins with; see `weights.load_pretrained`."""
    weights.load_pretrained(
        config,
        network,
        pretrained,
        classes=Classes(class_names, CLASS_OUTPUTS),
        beside_backbone=("neck.", "rpn.", "rcnn."),
        frozen_stages=config.frozen_stages,
        norm_statistics=config.norm_statistics,
    )


def build_schedule(config: FasterRcnnConfig, steps_per_epoch: int, images_per_step: int) -> np.ndarray:
    """Computes the learning rate of every step, float64[epoch_size * steps_per_epoch]."""
    lr, epochs = effective_lr(config, images_per_step), config.epoch_size
    total, warm_up = epochs * steps_per_epoch, WarmUp(config.warmup_step, config.warmup_ratio)
    if config.lr_schedule == "long_cosine":
        return long_cosine_schedule(lr, epochs, steps_per_epoch, warm_up)
    if config.lr_schedule == "cosine":
        return cosine_schedule(lr, total, warm_up, lr_end=lr * config.lr_end_rate)
    return step_schedule(lr, total, warm_up, [epoch * steps_per_epoch for epoch in config.lr_steps], config.lr_decay)


def input_settings(config: FasterRcnnConfig) -> InputSettings:
    """Returns what the network takes."""
    return InputSettings(
        config.img_height, config.img_width, config.img_norm_mean, config.img_norm_std, config.keep_ratio
    )


def build_training_source(config: FasterRcnnConfig, split: Split, workers: Workers = ALONE) -> MindRecordSource:
    """Builds the batches of a worker of a run."""
    augmentation = ExpandSettings(
        flip_ratio=config.flip_ratio,
        expand_ratio=config.expand_ratio,
        scale_range=config.scale_range,
        brightness=config.brightness,
        contrast=config.contrast,
        saturation=config.saturation,
        hue=config.hue,
    )
    sample = TrainingSample(
        inputs=input_settings(config),
        augmentation=augmentation,
        anchors=build_anchors(config),
        rule=build_rpn_rule(config),
        num_gts=config.num_gts,
        num_priorities=config.rpn_proposal_max_num + config.num_gts,
        seed=config.seed,
    )
    return data_sets.training_source(config, split, sample, workers)


def build_batch_view(config: FasterRcnnConfig, source: MindRecordSource) -> DetectionBatchView:
    """Builds what shows the batches of a run."""
    return data_sets.batch_view(source, config.pos_iou_thr, config.min_pos_iou)


def open_batch_view(config: FasterRcnnConfig) -> DetectionBatchView:
    """Opens the training split and builds what shows its batches; see `data_sets.open_batch_view`."""
    make_source, make_view = partial(build_training_source, config), partial(build_batch_view, config)
    return data_sets.open_batch_view(config, MINDRECORD_FOLDER, make_source, make_view)


def build_detector(
    config: FasterRcnnConfig, network: FasterRcnnRes2net, class_names: Sequence[str] = (), *, is_repeated: bool = False
) -> CanvasDetectors:
    """Builds what evaluation and inference ask for detections; see `detectors.canvas_detectors`.

    The graph suppresses itself, but where a key of `TestTimeKeys` asks for something else.
    """
    rule = detectors.detection_rule(
        config,
        class_names,
        min_score=config.test_score_thr,
        nms_threshold=config.test_iou_thr,
        max_boxes=config.test_max_per_img,
    )

    def make(canvas: Size) -> NetworkDetector:
        inference = build_inference(config, network, canvas, suppresses=rule.is_plain)
        select = detections_of if rule.is_plain else Selection(detections_of, rule)
        return NetworkDetector(inference, select, image_metas, detectors.second_view(rule))

    return detectors.canvas_detectors(config, input_settings(config), make, is_repeated=is_repeated)


def build_evaluator(
    config: FasterRcnnConfig,
    network: FasterRcnnRes2net,
    split: EvaluationSplit,
    workers: Workers = ALONE,
    *,
    is_repeated: bool = False,
) -> DetectionEvaluator:
    """Builds what evaluates the detector on a split, each worker its share; `is_repeated` in a training."""
    detector = build_detector(config, network, split.match.classes.names, is_repeated=is_repeated)
    return detectors.evaluator(config, detector, split, input_settings(config), config.test_batch_size, workers)


def build_picture_detector(
    config: FasterRcnnConfig,
    network: FasterRcnnRes2net,
    num_pictures: int,
    class_names: Sequence[str],
    *,
    is_repeated: bool = False,
) -> PictureDetector:
    """Builds what detects in image files; `is_repeated` where a canvas comes again after others."""
    detector = build_detector(config, network, class_names, is_repeated=is_repeated)
    return detectors.picture_detector(config, detector, num_pictures, input_settings(config), config.test_batch_size)


def build_exported_detector(description: ModelDescription, network: nn.Cell) -> NetworkDetector:
    """Builds what an exported file detects with; `network` is what was read of it."""
    return NetworkDetector(network, selection(description), image_metas)


def open_checkpoint(config: FasterRcnnConfig, path: Path) -> tuple[FasterRcnnConfig, Checkpoint]:
    """Reads a checkpoint, which says what network and classes its weights are of.

    Returns:
        The configuration of its network, and the checkpoint.

    Raises:
        MissingPathError: there is no such file.
        BadValueError: it is no checkpoint of this suite, or a value on the command line does not fit it.
    """
    stored = load_checkpoint(path, SUITE)
    return configure(config, stored), stored


def configure(config: FasterRcnnConfig, stored: Checkpoint) -> FasterRcnnConfig:
    """Returns the configuration of a checkpoint's network; see `open_checkpoint`."""
    config = weights.configure_detector(config, stored, keys_of_weights(stored))
    return with_stored_network(config, stored)


def load_detector(config: FasterRcnnConfig, stored: Checkpoint) -> tuple[FasterRcnnRes2net, ClassTable]:
    """Builds the detector of a checkpoint and takes the weights out of it; see `open_checkpoint`.

    Raises:
        BadValueError: it is no checkpoint of this network, or `num_classes` or `coco_classes` contradicts it.
    """
    count = stored.length("rcnn.classify.bias") - 1
    return weights.load_detector(config, stored, count, partial(build_network, config))


def build_export(config: FasterRcnnConfig, network: FasterRcnnRes2net, num_classes: int) -> FasterRcnnInference:
    """Builds the detector of MindSpore's own operators, the only ones a file can hold, with `network`'s weights.

    Args:
        config: from `open_checkpoint`.
        network: from `load_detector`.
        num_classes: of it.
    """
    return exports.portable(network, partial(build_network, config, num_classes), partial(build_inference, config))


def input_descriptions(config: FasterRcnnConfig) -> tuple[TensorDescription, TensorDescription]:
    """Describes what an exported detector takes."""
    batch = config.export_batch_size
    return (
        TensorDescription("images", "float32", (batch, 3, config.img_height, config.img_width)),
        TensorDescription("image_metas", "float32", (batch, 4)),
    )


def describe_model(config: FasterRcnnConfig, classes: ClassTable, model: ExportedModel) -> ModelDescription:
    """Describes an exported detector for programs that run it."""
    return exports.describe_detector(
        SUITE,
        model,
        classes,
        input_settings(config),
        tensors=input_descriptions(config),
        postprocessing={
            "test_score_thr": config.test_score_thr,
            "test_iou_thr": config.test_iou_thr,
            "test_max_per_img": config.test_max_per_img,
            **as_described(config, EXPORTED_TOOLS),
        },
    )


def open_configured_split(config: FasterRcnnConfig, is_training: bool) -> Split:
    """Opens the training or the evaluation split, making its MindRecord files where they are missing."""
    return data_sets.open_detection_split(config, MINDRECORD_FOLDER, is_training=is_training)


def open_evaluation_split(config: FasterRcnnConfig, classes: ClassTable, model: str) -> EvaluationSplit:
    """Opens the evaluation split and matches its classes with those of the detector.

    Args:
        config: the configuration.
        classes: of the detector.
        model: where they come from, for messages.
    """
    return data_sets.open_evaluation_split(config, MINDRECORD_FOLDER, classes, model)


def check_data(config: FasterRcnnConfig, options: Options) -> Report:
    """Looks at the data set that a training would read; see `check_detection_data`."""
    inputs = NetworkInput(
        (config.img_height, config.img_width),
        SIZE_MULTIPLE,
        ("img_height", "img_width"),
        partial(scaled_size, keep_ratio=config.keep_ratio),
        keep_ratio=config.keep_ratio,
    )
    anchors = AnchorSettings(
        strides=config.anchor_strides,
        scales=config.anchor_scales,
        ratios=config.anchor_ratios,
        wanted_iou=min(config.min_pos_iou, config.pos_iou_thr),
        otherwise="the first stage does not learn them (min_pos_iou)",
        key="anchor_scales",
        value=config.anchor_scales,
    )
    return check_detection_data(config, MINDRECORD_FOLDER, inputs, anchors, options)


def num_classes(config: FasterRcnnConfig, split: Split) -> int:
    """Returns the number of foreground classes of a split after checking `num_classes` against it."""
    return data_sets.count_classes(config, split)
