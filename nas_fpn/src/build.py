"""From the configuration to objects: the one place in src that knows key names."""

from pathlib import Path

import mindspore as ms
import numpy as np

from utils.cpu_kernels.choice import stock_operators
from utils.detection.data.class_names import ClassTable, resolve_classes
from utils.detection.data.splits import Split, open_split, split_paths
from utils.detection.data.training_source import MindRecordSource
from utils.detection.inputs import InputSettings
from utils.detection.results.evaluation import Evaluator
from utils.detection.results.picture_detector import PictureDetector
from utils.exporting.description import ModelDescription, Preprocessing, TensorDescription
from utils.exporting.export import ExportedModel, input_shape, share_weights
from utils.model_utils.config.schema import match_num_classes
from utils.model_utils.device_adapter import clamp_workers
from utils.model_utils.errors import BadValueError
from utils.model_utils.workers import ALONE, Workers
from utils.training.assembly import build_step, effective_lr, shard_epochs
from utils.training.checkpoints.checkpoint import Checkpoint, load_checkpoint
from utils.training.checkpoints.loading import Allowed, load_weights
from utils.training.schedules import WarmUp, cosine_schedule, step_schedule
from utils.training.step.precision import apply_amp
from utils.training.step.train_step import TrainStep

from .assignment import AssignmentRule
from .box_utils import anchors_per_level, make_anchors
from .config import NasFpnConfig
from .dataset import AugmentSettings, TrainingSample
from .detect import NasFpnDetector
from .layers import TRAINED, NormSettings
from .loss import RetinaNetLoss
from .lr_schedule import five_stage_schedule
from .nasfpn import NasFpn
from .postprocess import SelectionRule
from .resnet import ResNet
from .retinahead import RetinaHead
from .retinanet_nasfpn import RetinaNetInference, RetinaNetNasFpn, RetinaNetTraining

SUITE = "nas_fpn"
MINDRECORD_FOLDER = "NASFPN_MINDRECORD"  # in coco_root, where mindrecord_dir is not given
EVALUATION_BATCH_SIZE = 4
OUTPUT_NAMES = ("boxes", "scores")  # of RetinaNetInference


def build_network(config: NasFpnConfig, num_classes: int) -> RetinaNetNasFpn:
    """Builds the detector for `num_classes` foreground classes."""
    norm = NormSettings(momentum=config.norm_momentum, eps=config.norm_eps, statistics=config.norm_statistics)
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


def build_anchors(config: NasFpnConfig) -> np.ndarray:
    """Makes the anchors of the configured input size, float32[A, 4]."""
    return make_anchors(
        *config.img_shape, config.anchor_base_scale, config.anchor_scales_per_octave, config.anchor_ratios
    )


def build_inference(config: NasFpnConfig, network: RetinaNetNasFpn) -> RetinaNetInference:
    """Puts the decoding on top of the detector."""
    return RetinaNetInference(network, ms.Tensor(build_anchors(config)), config.unused_class_outputs)


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


def load_pretrained(config: NasFpnConfig, network: RetinaNetNasFpn, checkpoint: Checkpoint) -> None:
    """Loads a detector or a converted backbone, without the class outputs if `filter_weight` says so."""
    class_outputs = ("head.classify",) if config.filter_weight else ()
    allowed = Allowed(
        missing=(*config.allow_missing, *class_outputs),
        misshaped=(*config.allow_mismatch, *class_outputs),
        parts={"backbone": ("neck.", "head.")},
    )
    load_weights(network, checkpoint, allowed)


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
        positive_iou=config.match_threshold,
        negative_iou=config.match_threshold if config.neg_iou_threshold is None else config.neg_iou_threshold,
        crowd_ioa=config.crowd_ignore_ioa,
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
        max_boxes=config.num_gts,
        seed=config.seed,
        epoch=1,
    )
    rows = split.training_rows(config.keep_empty_images)
    epochs = shard_epochs(config, len(rows), workers)
    return MindRecordSource(
        records=split.records,
        rows=rows,
        epochs=epochs,
        sample=sample,
        num_loaders=clamp_workers(config.num_parallel_workers),
        multiprocessing=config.python_multiprocessing,
    )


def build_selection_rule(config: NasFpnConfig) -> SelectionRule:
    """Returns the thresholds and limits of detections."""
    return SelectionRule(
        anchors_per_level=anchors_per_level(*config.img_shape, config.anchors_per_cell),
        min_score=config.min_score,
        candidates_per_level=config.nms_pre,
        nms_iou=config.nms_threshold,
        max_detections=config.max_boxes,
    )


def build_detector(config: NasFpnConfig, network: RetinaNetNasFpn) -> NasFpnDetector:
    """Builds what evaluation and inference ask for detections."""
    return NasFpnDetector(build_inference(config, network), build_selection_rule(config))


def build_evaluator(
    config: NasFpnConfig, network: RetinaNetNasFpn, split: Split, workers: Workers = ALONE
) -> Evaluator:
    """Builds what evaluates the detector on a split, each worker its share."""
    return Evaluator(
        detector=build_detector(config, network),
        records=split.records,
        ground_truth=split.ground_truth,
        inputs=input_settings(config),
        batch_size=min(EVALUATION_BATCH_SIZE, split.records.num_images),
        num_loaders=clamp_workers(config.num_parallel_workers),
        picture_min_score=config.picture_min_score,
        workers=workers,
    )


def load_detector(config: NasFpnConfig, checkpoint: Path) -> tuple[RetinaNetNasFpn, ClassTable]:
    """Builds the detector of a checkpoint, which says how many classes it has, and loads its weights.

    Raises:
        MissingPathError: there is no such file.
        BadValueError: it is no checkpoint of this network, or `num_classes` or `coco_classes` contradicts it.
    """
    stored = load_checkpoint(checkpoint, SUITE)
    anchors = stored.length("head.regress.bias") // 4
    count = stored.length("head.classify.bias") // max(anchors, 1) - config.unused_class_outputs
    if anchors != config.anchors_per_cell or count < 1:
        raise BadValueError(
            f"'{checkpoint}' has {anchors} anchors per cell and {count} classes beside unused ones, the configuration "
            f"has {config.anchors_per_cell} anchors: give the --config_path that it was trained with"
        )
    classes = resolve_classes(
        count,
        checkpoint,
        stored_names=stored.class_names,
        stored_ids=stored.category_ids,
        configured_names=config.coco_classes,
    )
    network = build_network(config, match_num_classes(config.num_classes, classes.names, str(checkpoint)))
    load_weights(network, stored)
    return network, classes


def build_picture_detector(config: NasFpnConfig, network: RetinaNetNasFpn, num_pictures: int) -> PictureDetector:
    """Builds what detects in image files."""
    return PictureDetector(
        detector=build_detector(config, network),
        inputs=input_settings(config),
        batch_size=min(EVALUATION_BATCH_SIZE, num_pictures),
        workers=clamp_workers(config.num_parallel_workers),
    )


def build_export(config: NasFpnConfig, network: RetinaNetNasFpn, num_classes: int) -> RetinaNetInference:
    """Builds the detector of MindSpore's own operators, the only ones a file can hold, with `network`'s weights."""
    with stock_operators():
        portable = build_network(config, num_classes)
        inference = build_inference(config, portable)
    share_weights(network, portable)
    return inference


def input_description(config: NasFpnConfig) -> TensorDescription:
    """Describes what an exported detector takes."""
    return TensorDescription("images", "float32", input_shape(config.export_batch_size, 3, *config.img_shape))


def describe_model(config: NasFpnConfig, classes: ClassTable, model: ExportedModel) -> ModelDescription:
    """Describes an exported detector for programs that run it."""
    rule = build_selection_rule(config)
    return ModelDescription(
        suite=SUITE,
        file=model.file.name,
        file_format=model.file_format,
        inputs=(input_description(config),),
        outputs=model.outputs,
        preprocessing=Preprocessing(
            channel_order="RGB",
            resize="keep_ratio",
            height=config.img_shape[0],
            width=config.img_shape[1],
            mean=config.img_norm_mean,
            std=config.img_norm_std,
            padding="bottom_right",
        ),
        class_names=classes.names,
        category_ids=classes.category_ids,
        postprocessing={
            "min_score": rule.min_score,
            "nms_threshold": rule.nms_iou,
            "nms_pre": rule.candidates_per_level,
            "max_boxes": rule.max_detections,
            "anchors_per_level": list(rule.anchors_per_level),
        },
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
    paths = split_paths(
        form=form or config.dataset,
        split=config.train_data_type if is_training else config.val_data_type,
        coco_root=config.coco_root,
        instance_set=config.instance_set,
        anno_path=config.anno_path,
        image_dir=config.image_dir,
        mindrecord_dir=config.mindrecord_dir,
        default_folder=MINDRECORD_FOLDER,
        prefix=prefix or (config.prefix if is_training else config.eval_prefix),
    )
    return open_split(paths, config.coco_classes)


def num_classes(config: NasFpnConfig, split: Split) -> int:
    """Returns the number of foreground classes of a split after checking `num_classes` against it."""
    source = split.annotation_file or split.records.files[0]
    return match_num_classes(config.num_classes, split.records.class_names, str(source))
