"""The keys of the SegFormer suite, with the page's values as defaults. No MindSpore import: `--help` is quick."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from utils.data_sets.keys import VAL_SHARE
from utils.engines.keys import ENGINE, EngineKeys
from utils.exporting.keys import OnnxKeys
from utils.model_utils.config.base import (
    Config,
    Contradiction,
    InactiveKey,
    InputText,
    PathText,
    Positive,
    PositiveNumber,
)
from utils.model_utils.config.command_keys import CommandKeys
from utils.model_utils.config.loading import load_config
from utils.model_utils.config.schema import (
    CHECK,
    DEVICE,
    JOB,
    CanvasKeys,
    ModelArtsKeys,
    PictureKeys,
    TrainingKeys,
    with_default,
)

from .labels.keys import CODING, PATTERNS, DataKeys
from .variants import ATTENTION_HEADS

SUITE_DIR = Path(__file__).resolve().parent.parent
DEFAULT_FILE = "config/segformer.base.yaml"

# Below 32 pixels the largest key-value reduction of the encoder (8 at a quarter of the size) has nothing to reduce.
Side = Annotated[int, Field(ge=32)]


class NetworkKeys(Config):
    """Mix Transformer and the all-MLP head."""

    GROUP: ClassVar[str] = "Network"
    FIXED_BY_WEIGHTS: ClassVar[tuple[str, ...]] = (
        "backbone",
        "backbone_widths",
        "backbone_depths",
        "decoder_channels",
        "head",
        "layer_norm_eps",
    )
    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = ("drop_path_rate", "head_dropout", "norm_statistics")
    backbone: Literal["mit_b0", "mit_b1", "mit_b2", "mit_b3", "mit_b4", "mit_b5"] = Field(
        "mit_b0", description="size of the encoder"
    )
    backbone_widths: tuple[Positive, Positive, Positive, Positive] | None = Field(
        None, description="channels of the four stages, multiples of 1, 2, 5 and 8; null: those of backbone"
    )
    backbone_depths: tuple[Positive, Positive, Positive, Positive] | None = Field(
        None, description="blocks of the four stages; null: those of backbone"
    )
    head: Literal["paper", "mmsegmentation"] = Field(
        "paper",
        description="paper: a linear layer for each level; mmsegmentation: convolution, batch norm and ReLU in its "
        "place, the head of MMSegmentation's weights",
    )
    decoder_channels: int | None = Field(
        None,
        ge=1,
        description="channels of the head; null: 256 for mit_b0 and mit_b1, 768 for the others, as in the paper, and "
        "256 for all with head mmsegmentation",
    )
    layer_norm_eps: float = Field(
        1e-5,
        gt=0,
        description="what layer norms add to the variance; 1e-5 in transformers, 1e-6 in MMSegmentation",
    )
    drop_path_rate: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="probability that the last block of the encoder is skipped in training, rising evenly from 0 at "
        "the first",
    )
    head_dropout: float = Field(
        0.1, ge=0, lt=1, description="probability that a channel of the head is dropped in training"
    )
    norm_statistics: Literal["frozen", "trained"] = Field(
        "trained",
        description="statistics of the head's BatchNorm: frozen, those of pretrained_ckpt_path, a whole network, for "
        "fine-tuning with few images; trained, those of the images of a batch on each device",
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields widths that the attention heads do not divide."""
        yield from super().contradictions()
        widths = self.backbone_widths or ()
        if any(width % heads for width, heads in zip(widths, ATTENTION_HEADS, strict=bool(widths))):
            yield Contradiction(
                ("backbone_widths",),
                f"backbone_widths is {list(widths)}, but the stages have {list(ATTENTION_HEADS)} attention heads: "
                "choose multiples of these",
            )


class LossKeys(Config):
    """Cross entropy and what may be added to it."""

    GROUP: ClassVar[str] = "Loss"
    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = (
        "class_weights",
        "class_weight_power",
        "ohem_threshold",
        "ohem_min_kept",
    )
    class_weights: tuple[PositiveNumber, ...] | None = Field(
        None, description="weight of each class in the loss, class_num numbers; null: all the same"
    )
    class_weight_power: float = Field(
        0.0,
        ge=0,
        le=1,
        description="makes the weight of each class in the loss its share of the labelled training pixels to the "
        "power of minus this; 0: all the same, 0.5: rare classes count more, 1: all classes count alike; "
        "class_weights override it",
    )
    ohem_threshold: float | None = Field(
        None,
        gt=0,
        le=1,
        description="learn only from pixels whose right class has a lower probability than this; null: from all",
    )
    ohem_min_kept: int = Field(
        100000,
        ge=1,
        description="with ohem_threshold: at least so many pixels of a batch are learned from, each of several devices "
        "taking its share of them from its own images",
    )


class ScheduleKeys(TrainingKeys):
    """Learning rate over the run and over the network."""

    GROUP: ClassVar[str] = "Learning rate schedule"
    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = (
        "lr_schedule",
        "warmup_steps",
        "warmup_ratio",
        "poly_power",
        "lr_end_rate",
        "head_lr_factor",
    )
    lr_schedule: Literal["constant", "poly", "cosine"] = Field(
        "constant", description="course of the rate after the warm-up: constant, (1 - progress) ** poly_power, cosine"
    )
    warmup_steps: int = Field(0, ge=0, description="steps of the linear warm-up")
    warmup_ratio: float = Field(1e-6, ge=0, le=1, description="share of lr that the warm-up begins with")
    poly_power: float = Field(1.0, gt=0, description="exponent of poly")
    lr_end_rate: float = Field(0.0, ge=0, le=1, description="share of lr at which poly and cosine end")
    head_lr_factor: float = Field(1.0, gt=0, description="factor on the rate of the head, which starts from nothing")
    no_decay_norm_bias: bool = Field(
        False, description="leave norms, biases and the depthwise position convolutions out of the weight decay"
    )
    loss_scale_mode: Literal["auto", "static", "dynamic"] = Field(  # type: ignore[assignment]  # a choice more than the group has
        "auto",
        description="static keeps loss_scale, dynamic halves it after an overflow and raises it again; auto is dynamic "
        "with float16 and no scale at all with float32 and bfloat16",
    )

    @classmethod
    def inactive_keys(cls) -> dict[str, InactiveKey]:
        """Adds the training keys that do nothing here."""
        return super().inactive_keys() | {
            "mode_name": InactiveKey("graph mode is always used"),
            "total_batch_size": InactiveKey("batch_size, the images of each device, has its place"),
        }


class AugmentationKeys(PictureKeys):
    """Sizes of images and what training does to them."""

    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = (
        "base_size",
        "crop_size",
        "cat_max_ratio",
        "class_crop_ratio",
        "photometric_distortion",
    )
    base_size: tuple[Side, Side] = Field(
        (512, 1024), description="height and width that every image is first resized to"
    )
    crop_size: tuple[Side, Side] = Field(
        (512, 1024), description="height and width of the part that the network is trained on"
    )
    scale_range: tuple[PositiveNumber, PositiveNumber] = with_default(
        PictureKeys, "scale_range", (0.5, 2.0), "lowest and highest random factor on base_size"
    )
    cat_max_ratio: float = Field(
        0.75, gt=0, le=1, description="highest share of a crop that one class may have; ten places are tried"
    )
    class_crop_ratio: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the crops that are placed around a pixel of one class of the picture, so that rare "
        "classes are seen more often",
    )
    photometric_distortion: bool = Field(True, description="change brightness, contrast, saturation and hue at random")


class EvaluationKeys(CanvasKeys):
    """How a network is applied to images, in training and in eval.py."""

    GROUP: ClassVar[str] = "Evaluation"
    OWN_TO_A_COMMAND: ClassVar[tuple[str, ...]] = ("eval_ckpt_path", "make_report")
    LEFT_TO_WEIGHTS: ClassVar[tuple[str, ...]] = ("size_divisor", "canvas_keep_ratio")
    size_divisor: int | None = Field(
        None,
        ge=1,
        description="both sides of a picture are rounded up to multiples of it by resizing where canvas is picture; 1 "
        "takes them as they are; null: as the weights say, else 32",
    )
    canvas_keep_ratio: bool | None = Field(
        None,
        description="false: every picture gets exactly canvas_sides where canvas is picture, as in transformers; null: "
        "as the weights say, else true",
    )
    eval_ckpt_path: PathText = Field("", description="checkpoint that eval.py reads, or an exported ONNX or MINDIR")
    eval_log_interval: int = Field(100, ge=1, description="images between lines of an evaluation")
    eval_mode: Literal["whole", "slide"] = Field(
        "whole",
        description="whole: the image at once; slide: windows over it, the mean where they overlap; with a fixed "
        "canvas, whole fits the image into base_size, and slide takes it as it is",
    )
    slide_crop: tuple[Side, Side] = Field((1024, 1024), description="height and width of a window")
    slide_stride: tuple[Positive, Positive] = Field((768, 768), description="step from one window to the next")
    eval_flip: bool = Field(False, description="add the prediction of the mirrored image")
    eval_scales: tuple[PositiveNumber, ...] = Field(
        (1.0,), min_length=1, description="factors on the image's size whose predictions are averaged"
    )
    save_predictions: bool = Field(
        False, description="eval.py writes a PNG of label ids for each image, as the Cityscapes server takes them"
    )
    num_pictures: int = Field(16, ge=0, description="pictures with the prediction drawn over them that eval.py writes")
    make_report: bool = Field(
        True,
        description="eval.py writes report.html: classes, confusions, and the worst pictures with maps of their errors",
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields windows that leave gaps."""
        yield from super().contradictions()
        if any(stride > side for stride, side in zip(self.slide_stride, self.slide_crop, strict=True)):
            yield Contradiction(
                ("slide_stride", "slide_crop"),
                f"slide_stride {list(self.slide_stride)} is above slide_crop {list(self.slide_crop)}, so pixels "
                "between the windows would get no prediction: lower slide_stride",
            )


class ResultKeys(EngineKeys, OnnxKeys):
    """Inference and export."""

    GROUP: ClassVar[str] = "Inference and export"
    OWN_TO_A_COMMAND: ClassVar[tuple[str, ...]] = (
        "infer_ckpt_path",
        "infer_output_path",
        "export_ckpt_path",
        "file_name",
        "export_format",
        "export_output",
    )
    infer_ckpt_path: PathText = Field("", description="checkpoint that infer.py reads, or an exported ONNX or MINDIR")
    infer_output_path: PathText = Field("./infer_result/", description="folder for what infer.py writes")
    infer_copy_original_img: bool = Field(True, description="copy each image into infer_output_path")
    infer_save_gray_img: bool = Field(True, description="write each prediction as a grey picture of class numbers")
    infer_save_color_img: bool = Field(True, description="write each prediction in the colours of its classes")
    infer_save_overlap_img: bool = Field(True, description="write the colours laid over the image")
    infer_log_interval: int = Field(100, ge=1, description="images between lines of infer.py")
    export_ckpt_path: PathText = Field("", description="checkpoint that export.py reads")
    file_name: str | None = Field(
        None,
        min_length=1,
        description="name of the exported file in run_dir, without ending; null: that of the configuration file, with "
        "the config.yaml of a run, or without a file, that of the checkpoint",
    )
    export_format: Literal["auto", "AIR", "MINDIR", "ONNX"] = Field(
        "auto", description="form of the export; auto is AIR on Ascend, else MINDIR"
    )
    export_output: Literal["logits", "class_map"] = Field(
        "logits",
        description="what the exported network puts out: logits of each class, or class_map, the class of each pixel "
        "of its input as uint8, much less to write and to read",
    )
    export_batch_size: int | None = Field(
        1, ge=0, description="images per call of the exported network; 0 and null: any number"
    )


class SegformerConfig(
    ModelArtsKeys, ResultKeys, EvaluationKeys, AugmentationKeys, LossKeys, NetworkKeys, ScheduleKeys, DataKeys
):
    """Every key of the suite; the defaults are the page's values. The last group comes first in the help."""

    GROUP = TrainingKeys.GROUP

    data_path: InputText = with_default(DataKeys, "data_path", "./data/cityscapes/")
    epoch_size: int = with_default(TrainingKeys, "epoch_size", 200)
    batch_size: int = with_default(TrainingKeys, "batch_size", 2)
    lr: float = with_default(TrainingKeys, "lr", 1e-4)
    optimizer: Literal["sgd", "adamw"] = with_default(TrainingKeys, "optimizer", "adamw")
    weight_decay: float = with_default(TrainingKeys, "weight_decay", 0.01)
    loss_scale: float = with_default(TrainingKeys, "loss_scale", 16384.0)
    log_interval: int = with_default(TrainingKeys, "log_interval", 100)
    run_eval: bool = with_default(TrainingKeys, "run_eval", True)
    keep_checkpoint_max: int = with_default(TrainingKeys, "keep_checkpoint_max", 10)
    save_checkpoint_path: str = with_default(TrainingKeys, "save_checkpoint_path", "./checkpoint/")
    pre_trained: PathText = with_default(TrainingKeys, "pre_trained", "./pretrained/ms_pretrained_b0.ckpt")
    modelarts_dataset_unzip_name: str = with_default(
        ModelArtsKeys, "modelarts_dataset_unzip_name", "cityscapes_segformer_dataset"
    )

    load_ckpt: bool = Field(True, description="start from the weights of pretrained_ckpt_path")
    save_best_ckpt: bool = Field(True, description="with run_eval: keep the checkpoint with the highest mIoU")

    def notes(self) -> Iterator[str]:
        """Says that given weights leave class_weight_power without effect."""
        yield from super().notes()
        if self.class_weights is not None and self.is_given_over("class_weight_power", "class_weights"):
            yield f"{self.origin('class_weight_power')}: class_weight_power has no effect where class_weights is set"

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields weights for another number of classes."""
        yield from super().contradictions()
        if self.patience and not self.save_best_ckpt:
            yield Contradiction(
                ("patience", "save_best_ckpt"),
                f"patience {self.patience} needs the best checkpoint and save_best_ckpt is false: set "
                "--save_best_ckpt=True, or leave patience out",
            )
        if self.class_weights is not None and len(self.class_weights) != self.class_num:
            yield Contradiction(
                ("class_weights", "class_num"),
                f"class_weights has {len(self.class_weights)} numbers and class_num is {self.class_num}: give one for "
                "each class, or null",
            )


# How eval.py and infer.py apply the network.
APPLICATION = (
    *DEVICE,
    *JOB,
    "img_norm_mean",
    "img_norm_std",
    "base_size",
    "max_image_megapixels",
    "train_split",
    "eval_split",
    *PATTERNS,
    *VAL_SHARE,
    "canvas",
    "canvas_sides",
    "max_canvases",
    "size_divisor",
    "canvas_keep_ratio",
    "eval_mode",
    "slide_crop",
    "slide_stride",
    "eval_flip",
    "eval_scales",
    *ENGINE,
)
# The entry scripts, and the keys that --help of each shows.
COMMANDS = {
    "train.py": CommandKeys(
        "Trains SegFormer on a data set in the layout of Cityscapes, or on images and labels that two patterns find.",
        most_used="data_path class_num run_dir epoch_size batch_size lr load_ckpt pre_trained resume device_target",
        left_out=(*ResultKeys.model_fields, "eval_ckpt_path", "save_predictions", "num_pictures", "make_report"),
    ),
    "eval.py": CommandKeys(
        "Evaluates a checkpoint: IoU of each class and their mean.",
        most_used="eval_ckpt_path data_path run_dir eval_mode eval_scales eval_flip canvas save_predictions "
        "num_pictures device_target",
        others=(*APPLICATION, *CODING, *CHECK, "dataset_eval_num_parallel_workers", "eval_log_interval", "make_report"),
        checkpoint_key="eval_ckpt_path",
    ),
    "infer.py": CommandKeys(
        "Writes the predictions for images as grey, coloured and overlaid pictures.",
        most_used="infer_ckpt_path data_path infer_output_path infer_save_color_img infer_save_overlap_img "
        "infer_save_gray_img infer_copy_original_img eval_mode canvas device_target",
        others=(*APPLICATION, "palette", "infer_log_interval"),
        checkpoint_key="infer_ckpt_path",
    ),
    "export.py": CommandKeys(
        "Exports a checkpoint for inference.",
        most_used="export_ckpt_path export_format with_onnx file_name export_output export_batch_size run_dir "
        "base_size",
        others=(*DEVICE, *JOB, "img_norm_mean", "img_norm_std", *CODING, "onnx_opset"),
        checkpoint_key="export_ckpt_path",
    ),
}


def load(argv: Sequence[str] | None = None, program: str = "train.py") -> SegformerConfig:
    """Builds the configuration of the command `program`; arguments and errors as `load_config` has them."""
    command = COMMANDS.get(program, COMMANDS["train.py"])
    return load_config(
        SegformerConfig,
        argv,
        suite_dir=SUITE_DIR,
        default_file=DEFAULT_FILE,
        program=program,
        description=command.description,
        checkpoint_key=command.checkpoint_key,
        commands=COMMANDS,
    )
