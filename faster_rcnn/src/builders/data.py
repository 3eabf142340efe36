"""The splits, the batches of a training, what shows them, and what checks them."""

from contextlib import AbstractContextManager
from functools import partial

from utils.checking.findings import Options, Report
from utils.detection.augment import scaled_size
from utils.detection.builders import data_sets
from utils.detection.checking.anchors import AnchorSettings, NetworkInput
from utils.detection.checking.check import check_detection_data
from utils.detection.data.class_names import ClassTable
from utils.detection.data.splits import Split
from utils.detection.data.training_source import MindRecordSource
from utils.detection.results.evaluation_split import EvaluationSplit
from utils.detection.show.batch_view import DetectionBatchView
from utils.model_utils.workers import ALONE, Workers

from ..config import MINDRECORD_FOLDER, FasterRcnnConfig
from ..dataset import ExpandSettings, TrainingSample
from ..FasterRcnn.bbox_assign_sample import RpnRule
from ..variants import SIZE_MULTIPLE
from .network import build_anchors, input_settings


def open_configured_split(config: FasterRcnnConfig, is_training: bool) -> Split:
    """Opens the training or the evaluation split, making its MindRecord files where they are missing."""
    return data_sets.open_detection_split(config, MINDRECORD_FOLDER, is_training=is_training)


def open_evaluation_split(
    config: FasterRcnnConfig, classes: ClassTable, model: str, *, trained_on: Split | None = None
) -> EvaluationSplit:
    """Opens the evaluation split and matches its classes with those of the detector.

    Args:
        config: the configuration.
        classes: of the detector.
        model: where they come from, for messages.
        trained_on: split of the training that evaluates on this one.
    """
    return data_sets.open_evaluation_split(config, MINDRECORD_FOLDER, classes, model, trained_on=trained_on)


def num_classes(config: FasterRcnnConfig, split: Split) -> int:
    """Returns the number of foreground classes of a split after checking `num_classes` against it."""
    return data_sets.count_classes(config, split)


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


def open_batch_view(config: FasterRcnnConfig) -> AbstractContextManager[DetectionBatchView]:
    """Opens the training split and yields what shows its batches; see `data_sets.open_batch_view`."""
    make_source, make_view = partial(build_training_source, config), partial(build_batch_view, config)
    return data_sets.open_batch_view(config, MINDRECORD_FOLDER, make_source, make_view)


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
