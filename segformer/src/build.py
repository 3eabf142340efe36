"""Makes the parts of the suite from the configuration; the only file of `src` that passes its values on."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import mindspore as ms
import numpy as np

from utils.canvas import Size, follows_pictures, log_fixed_on_ascend
from utils.checking.findings import Options, Report
from utils.cpu_kernels.choice import stock_operators
from utils.data_sets.val_share import ValShare
from utils.exporting.description import ModelDescription, Preprocessing, TensorDescription
from utils.exporting.export import ExportedModel, input_shape, share_weights
from utils.exporting.onnx_operators import replace_for_onnx
from utils.model_utils.config.stored import naming_source
from utils.model_utils.device_adapter import clamp_loaders
from utils.model_utils.errors import BadValueError
from utils.model_utils.workers import ALONE, Workers
from utils.training.assembly import build_step, effective_lr, shard_epochs
from utils.training.checkpoints.checkpoint import Checkpoint, load_checkpoint
from utils.training.checkpoints.class_outputs import ClassOutputs
from utils.training.checkpoints.loading import Allowed, Classes, load_weights
from utils.training.checkpoints.stored_keys import configure_as_stored, naming_other_network
from utils.training.schedules import WarmUp, constant_schedule, cosine_schedule, poly_schedule
from utils.training.step.precision import LossScaler, apply_amp
from utils.training.step.train_step import TrainStep
from utils.training.summary.model_summary import log_parts

from .base_dataset import AugmentSettings
from .checking.check import TrainingSizes, check_segmentation_data
from .checking.labels import LabelledClasses
from .config import SegformerConfig
from .dataset import CityscapesSource, list_pairs, open_pairs, usual_size
from .labels.balance import weigh_classes
from .labels.classes import CITYSCAPES_CLASS_NAMES, CITYSCAPES_IDS, class_colours, class_names, numbered_names
from .labels.codings import MAP_KEYS, PALETTE_KEYS, LabelCoding, coding_of, first_colours
from .labels.files import ImagePair
from .labels.patterns import Layout
from .loss import SegmentationLoss
from .mix_transformer import MixTransformer, drop_path_rates
from .picture_scale import PictureScale, format_difference
from .results.batch_view import LabelBatchView
from .results.canvases import Canvas, FixedCanvas, PictureCanvas, UnturnedCanvas
from .results.evaluation import SegmentationEvaluator
from .results.inference import Predictor
from .segformer import Segformer, SegformerInference, SegformerTraining, count_network
from .segformer_head import HEADS
from .variants import MIT_VARIANTS, MMSEGMENTATION_CHANNELS, MitVariant

logger = logging.getLogger(__name__)

SUITE = "segformer"
OUTPUT_NAMES = ("logits",)  # of SegformerInference
SIZE_DIVISOR = 32  # of the sides of pictures where nothing else is said: the stride of the coarsest features
UNSCALED = ("O0", "bf16")  # the range of float32 needs no loss scale
HEAD = "head."  # beginning of the names of its parameters
OF_MMSEGMENTATION = "head.projections.0.conv.weight"  # which MMSegmentation's head alone has
# The 3x3 convolution in a block, which tells it where a pixel is; the paper does not decay it.
POSITION_CONVOLUTION = ".mlp.position."


def network_size(config: SegformerConfig) -> MitVariant:
    """Returns widths, depths and head of the configured network."""
    variant = MIT_VARIANTS[config.backbone]
    return MitVariant(
        config.backbone_widths or variant.widths,
        config.backbone_depths or variant.depths,
        config.decoder_channels
        or (MMSEGMENTATION_CHANNELS if config.head == "mmsegmentation" else variant.decoder_channels),
    )


def build_network(config: SegformerConfig) -> Segformer:
    """Builds the network with random weights."""
    size = network_size(config)
    return Segformer(
        MixTransformer(size.widths, size.depths, config.layer_norm_eps),
        HEADS[config.head](size.widths, size.decoder_channels, config.class_num, config.norm_statistics == "frozen"),
    )


def log_network(config: SegformerConfig, network: Segformer) -> None:
    """Says how large the network is, and what a crop of training costs."""
    size, (height, width) = network_size(config), config.crop_size
    parts = count_network(network, config.crop_size, size.widths, size.depths)
    log_parts(parts, f"a {height}x{width} picture")


def build_inference(_config: SegformerConfig, network: Segformer) -> SegformerInference:
    """Puts the enlargement to the image's size on top of the network."""
    return SegformerInference(network)


def build_predictor(config: SegformerConfig, network: Segformer) -> Predictor:
    """Builds what applies the network to images as the evaluation keys say."""
    return Predictor(
        network,
        mean=config.img_norm_mean,
        std=config.img_norm_std,
        canvas=build_canvas(config),
        mode=config.eval_mode,
        slide_crop=config.slide_crop,
        slide_stride=config.slide_stride,
        flip=config.eval_flip,
        scales=config.eval_scales,
        max_canvases=config.max_canvases,
    )


def build_canvas(config: SegformerConfig) -> Canvas:
    """Returns what evaluation and inference do to the size of pictures; windows keep it where no key says another."""
    if follows_pictures(config):
        sides = None if config.eval_mode == "slide" else (max(config.base_size), min(config.base_size))
        sides = config.canvas_sides or sides
        return PictureCanvas(sides, config.size_divisor or SIZE_DIVISOR, config.canvas_keep_ratio is not False)
    return FixedCanvas(None if config.eval_mode == "slide" else config.base_size)


def scale_in_training(config: SegformerConfig) -> PictureScale:
    """Returns at what sizes training shows the network its pictures."""
    return PictureScale(FixedCanvas(config.base_size), config.scale_range)


def scale_in_evaluation(config: SegformerConfig) -> PictureScale:
    """Returns at what sizes evaluation does."""
    return PictureScale(build_canvas(config), (min(config.eval_scales), max(config.eval_scales)))


def build_evaluator(
    config: SegformerConfig,
    network: Segformer,
    pairs: tuple[ImagePair, ...],
    names: tuple[str, ...] | None = None,
    workers: Workers = ALONE,
) -> SegmentationEvaluator:
    """Builds what evaluates the network on images and labels, each worker its share.

    `names` are those of the checkpoint where it has any.
    """
    return SegmentationEvaluator(
        predictor=build_predictor(config, network),
        pairs=pairs,
        class_names=names or names_of_classes(config),
        colours=colours_of_classes(config),
        ignore_label=config.dataset_ignore_label,
        num_loaders=clamp_loaders(config.dataset_eval_num_parallel_workers),
        log_interval=config.eval_log_interval,
        workers=workers,
    )


def build_train_step(
    config: SegformerConfig,
    network: Segformer,
    amp_level: str,
    workers: Workers = ALONE,
    class_weights: tuple[float, ...] | None = None,
) -> TrainStep:
    """Puts loss, optimizer and update around the network.

    Args:
        config: the configuration.
        network: the network.
        amp_level: precision, see `apply_amp`.
        workers: the workers of the job.
        class_weights: of `weigh_training_classes`; None for those of the configuration.
    """
    loss = SegmentationLoss(
        config.class_num,
        ignore_label=config.dataset_ignore_label,
        class_weights=class_weights or config.class_weights,
        ohem_threshold=config.ohem_threshold,
        ohem_min_kept=config.ohem_min_kept,
        workers=workers,
    )
    with_loss = SegformerTraining(
        apply_amp(network, amp_level),
        loss,
        drops_paths=config.drop_path_rate > 0,
        drops_channels=config.head_dropout > 0,
    )
    return build_step(
        config,
        with_loss,
        CityscapesSource.COLUMNS,
        workers,
        loss_scaler=_loss_scaler(config, amp_level),
        undecayed=(POSITION_CONVOLUTION,),
        lr_scales={HEAD: config.head_lr_factor},
    )


def weigh_training_classes(config: SegformerConfig, pairs: tuple[ImagePair, ...]) -> tuple[float, ...] | None:
    """Returns the weights that `class_weight_power` makes of the training labels; None where it makes none."""
    if config.class_weights is not None or not config.class_weight_power:
        return None
    return weigh_classes(pairs, names_of_classes(config), config.dataset_ignore_label, config.class_weight_power)


def _loss_scaler(config: SegformerConfig, amp_level: str) -> LossScaler:
    if config.loss_scale_mode == "auto" and amp_level in UNSCALED:
        return LossScaler()
    # The scale grows about as often as in the page's log, which shows it double within an epoch of 1487 steps.
    return LossScaler(config.loss_scale, config.loss_scale_mode != "static", growth_interval=1000)


def open_checkpoint(config: SegformerConfig, path: Path) -> tuple[SegformerConfig, Checkpoint]:
    """Reads a checkpoint, which says what network and classes its weights are of.

    Returns:
        The configuration of its network, and the checkpoint.

    Raises:
        MissingPathError: there is no such file.
        BadValueError: it is no checkpoint of this suite, or a value on the command line does not fit it.
    """
    stored = load_checkpoint(path, SUITE)
    return configure(config, stored), stored


def configure(config: SegformerConfig, stored: Checkpoint) -> SegformerConfig:
    """Returns the configuration of a checkpoint's network; see `open_checkpoint`."""
    class_num = stored.length("head.classifier.bias")
    stored_names = tuple(stored.class_names)
    names: tuple[str, ...] | None = stored_names
    if len(stored_names) != class_num or stored_names == numbered_names(class_num):  # it does not say: others may fit
        names = config.class_names if len(config.class_names or ()) == class_num else None
    head = "mmsegmentation" if OF_MMSEGMENTATION in stored.arrays else "paper"
    return configure_as_stored(config, stored, {"class_num": class_num, "class_names": names, "head": head})


def load_network(config: SegformerConfig, stored: Checkpoint) -> Segformer:
    """Builds the network of a checkpoint and takes the weights out of it; see `open_checkpoint`.

    Raises:
        BadValueError: it is no checkpoint of this network.
    """
    network = build_network(config)
    load_weights(network, stored)
    stored.release()
    return network


def build_export(config: SegformerConfig, network: Segformer, file_format: str) -> SegformerInference:
    """Builds a network of operators that a file of this format can hold, with the weights of `network`."""
    with stock_operators():
        portable = build_network(config)
        inference = build_inference(config, portable)
    share_weights(network, portable)
    if file_format == "ONNX":
        replace_for_onnx(inference)
    return inference


def input_description(config: SegformerConfig) -> TensorDescription:
    """Describes what an exported network takes."""
    return TensorDescription("images", "float32", input_shape(config.export_batch_size, 3, *config.base_size))


def describe_model(config: SegformerConfig, names: tuple[str, ...], model: ExportedModel) -> ModelDescription:
    """Describes an exported network for programs that run it; a pixel's class is the one with the highest logit."""
    coding = build_label_coding(config)
    return ModelDescription(
        suite=SUITE,
        file=model.file.name,
        file_format=model.file_format,
        inputs=(input_description(config),),
        outputs=model.outputs,
        preprocessing=Preprocessing(
            channel_order="RGB",
            resize="keep_ratio",
            height=config.base_size[0],
            width=config.base_size[1],
            mean=config.img_norm_mean,
            std=config.img_norm_std,
            padding="bottom_right",
            rounding="half_up",
        ),
        class_names=names,
        category_ids=category_ids(names),
        postprocessing={"ignore_label": config.dataset_ignore_label, **(coding.numbers() if coding else {})},
    )


def category_ids(names: tuple[str, ...]) -> tuple[int, ...]:
    """Returns the id of each class in files of results: Cityscapes' labelIds for its classes, else the index."""
    return CITYSCAPES_IDS if names == CITYSCAPES_CLASS_NAMES else tuple(range(len(names)))


def build_exported_predictor(description: ModelDescription, network: Callable[[ms.Tensor], ms.Tensor]) -> Predictor:
    """Builds what applies an exported file to images; `network` is what was read of it."""
    made = description.preprocessing
    return Predictor(network, mean=made.mean, std=made.std, canvas=UnturnedCanvas((made.height, made.width)))


def load_pretrained(config: SegformerConfig, network: Segformer, checkpoint: Checkpoint) -> None:
    """Loads pretrained weights: of the encoder alone, or of the whole network."""
    allowed = Allowed(
        missing=("head.", *config.allow_missing), misshaped=config.allow_mismatch, parts={"backbone": ("head.",)}
    )
    classes = Classes(names_of_classes(config), (ClassOutputs("head.classifier."),))
    with naming_other_network(config, checkpoint):
        load_weights(network, checkpoint, allowed, classes)


def build_schedule(config: SegformerConfig, steps_per_epoch: int, images_per_step: int) -> np.ndarray:
    """Computes the learning rate of every step, float64[epoch_size * steps_per_epoch]."""
    total = config.epoch_size * steps_per_epoch
    lr = effective_lr(config, images_per_step)
    warm_up = WarmUp(config.warmup_steps, config.warmup_ratio, is_factor=True)
    if config.lr_schedule == "poly":
        return poly_schedule(lr, total, warm_up, power=config.poly_power, lr_end=lr * config.lr_end_rate)
    if config.lr_schedule == "cosine":
        return cosine_schedule(lr, total, warm_up, lr_end=lr * config.lr_end_rate)
    return constant_schedule(lr, total, warm_up)


def open_split(config: SegformerConfig, is_training: bool) -> tuple[ImagePair, ...]:
    """Finds and checks images and labels of the training or the evaluation split.

    Raises:
        UserError: they cannot be used, or the images of the training would be those of its evaluation.
    """
    split, layout = config.train_split if is_training else config.eval_split, build_layout(config)
    if layout is not None and is_training and config.run_eval and not layout.is_divided:
        raise BadValueError(
            "training and evaluation would have the same images: write {split} into the patterns, keep some for "
            "evaluation with --val_share=0.2, or set --run_eval=False"
        )
    with naming_source(config, ("data_path",)):
        return open_pairs(
            Path(config.data_path),
            split,
            config.class_num,
            config.dataset_ignore_label,
            names_of_classes(config),
            layout=layout,
            coding=build_label_coding(config),
            for_training=is_training,
        )


def build_layout(config: SegformerConfig) -> Layout | None:
    """Returns where images and labels lie; None for the layout of Cityscapes."""
    if not config.image_pattern:
        return None
    share = ValShare(config.val_share, config.val_seed, config.val_group_by_stem) if config.val_share else None
    return Layout(config.image_pattern, config.label_pattern, config.split_list, share, config.train_split)


def build_label_coding(config: SegformerConfig) -> LabelCoding | None:
    """Returns what values or colours of labels stand for; None where they are the class numbers."""
    return coding_of(
        config.label_map,
        config.palette,
        num_classes=config.class_num,
        names=names_of_classes(config),
        ignore_label=config.dataset_ignore_label,
        ignores_unknown=config.unknown_labels == "ignore",
        fix=PALETTE_KEYS if config.palette else MAP_KEYS,
    )


def check_data(config: SegformerConfig, options: Options) -> Report:
    """Looks at the data set that a training would read; see `check_segmentation_data`."""
    root = Path(config.data_path)
    layout, coding = build_layout(config), build_label_coding(config)
    splits = {
        split: partial(list_pairs, root, split, layout, coding) for split in (config.train_split, config.eval_split)
    }
    classes = LabelledClasses(names_of_classes(config), config.dataset_ignore_label)
    sizes = TrainingSizes(config.base_size, config.crop_size, SIZE_DIVISOR)
    with naming_source(config, ("data_path",)):
        return check_segmentation_data(root, splits, classes, sizes, options)


def names_of_classes(config: SegformerConfig) -> tuple[str, ...]:
    """Returns a name for each class."""
    return class_names(config.class_num, config.class_names)


def colours_of_classes(config: SegformerConfig) -> np.ndarray:
    """Returns uint8[256, 3], the RGB colour of each class: those of palette where it is given."""
    names = names_of_classes(config)
    return class_colours(names, first_colours(config.palette, config.class_num, names) if config.palette else None)


def colours_of_names(names: tuple[str, ...]) -> np.ndarray:
    """Returns the same for the classes of an exported file."""
    return class_colours(names)


def log_scales(
    config: SegformerConfig, images: Sequence[Path], command: str, trained: PictureScale | None = None
) -> None:
    """Says at what size the network sees most images; warns where that does not fit what it was trained with.

    Args:
        config: the configuration.
        images: that it sees.
        command: what it sees them for: "training", "evaluation" or "inference".
        trained: the scale in training, where it is known.
    """
    log_scale_of(config, *usual_size(images), command, trained)


def log_scale_of(
    config: SegformerConfig, size: Size, num_sizes: int, command: str, trained: PictureScale | None = None
) -> None:
    """Says what `log_scales` does, of pictures or frames most of which have a (height, width)."""
    scale = scale_in_training(config) if command == "training" else scale_in_evaluation(config)
    logger.info("%s: %s", command, scale.describe(size, num_sizes))
    log_fixed_on_ascend(config, config.base_size)
    idle = config.format_idle_keys()
    if idle and command != "training":
        logger.warning("%s", idle)
    difference = format_difference(size, scale, trained, command) if trained else ""
    if difference:
        logger.warning("%s", difference)


def build_training_source(
    config: SegformerConfig, pairs: tuple[ImagePair, ...], workers: Workers = ALONE
) -> CityscapesSource:
    """Builds the batches that a worker of a run trains on."""
    size = network_size(config)
    augmentation = AugmentSettings(
        base_size=config.base_size,
        crop_size=config.crop_size,
        scale_range=config.scale_range,
        cat_max_ratio=config.cat_max_ratio,
        class_crop_ratio=config.class_crop_ratio,
        flip_ratio=config.flip_ratio,
        photometric_distortion=config.photometric_distortion,
        mean=config.img_norm_mean,
        std=config.img_norm_std,
        ignore_label=config.dataset_ignore_label,
    )
    rates = np.repeat(drop_path_rates(config.drop_path_rate, sum(size.depths)), 2)  # attention and MLP of each block
    epochs = shard_epochs(config, len(pairs), workers)
    return CityscapesSource(
        pairs=pairs,
        epochs=epochs,
        augmentation=augmentation,
        num_classes=config.class_num,
        path_drop_rates=rates,
        channels=size.decoder_channels,
        channel_drop_rate=config.head_dropout,
        num_loaders=clamp_loaders(config.dataset_num_parallel_workers),
    )


def build_batch_view(config: SegformerConfig, source: CityscapesSource) -> LabelBatchView:
    """Builds what shows the batches of a run."""
    return LabelBatchView(source, names_of_classes(config), colours_of_classes(config))


def open_batch_view(config: SegformerConfig) -> LabelBatchView:
    """Opens the training split and builds what shows its batches, as one worker would train on them."""
    return build_batch_view(config, build_training_source(config, open_split(config, is_training=True)))
