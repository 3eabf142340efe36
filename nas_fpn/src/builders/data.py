"""The splits, the batches of a training, what shows them, and what checks them."""

from contextlib import AbstractContextManager
from functools import partial

from utils.checking.findings import Options, Report
from utils.detection.anchors import octave_scales
from utils.detection.augment import AugmentSettings, scaled_size
from utils.detection.builders import data_sets
from utils.detection.checking.anchors import AnchorSettings, NetworkInput
from utils.detection.checking.check import check_detection_data
from utils.detection.data.class_names import ClassTable
from utils.detection.data.splits import Split
from utils.detection.data.training_source import MindRecordSource
from utils.detection.results.evaluation_split import EvaluationSplit
from utils.detection.show.batch_view import DetectionBatchView
from utils.model_utils.workers import ALONE, Workers

from ..assignment import AssignmentRule
from ..config import MINDRECORD_FOLDER, NasFpnConfig
from ..dataset import TrainingSample
from ..variants import SIZE_MULTIPLE, STRIDES
from .network import build_anchors, input_settings


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


def open_evaluation_split(
    config: NasFpnConfig, classes: ClassTable, model: str, *, trained_on: Split | None = None
) -> EvaluationSplit:
    """Opens the evaluation split and matches its classes with those of the detector.

    Args:
        config: the configuration.
        classes: of the detector.
        model: where they come from, for messages.
        trained_on: split of the training that evaluates on this one.
    """
    return data_sets.open_evaluation_split(config, MINDRECORD_FOLDER, classes, model, trained_on=trained_on)


def num_classes(config: NasFpnConfig, split: Split) -> int:
    """Returns the number of foreground classes of a split after checking `num_classes` against it."""
    return data_sets.count_classes(config, split)


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


def build_batch_view(config: NasFpnConfig, source: MindRecordSource) -> DetectionBatchView:
    """Builds what shows the batches of a run."""
    return data_sets.batch_view(source, config.match_threshold)


def open_batch_view(config: NasFpnConfig) -> AbstractContextManager[DetectionBatchView]:
    """Opens the training split and yields what shows its batches; see `data_sets.open_batch_view`."""
    make_source, make_view = partial(build_training_source, config), partial(build_batch_view, config)
    return data_sets.open_batch_view(config, MINDRECORD_FOLDER, make_source, make_view)


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
