"""The keys of the NAS-FPN suite, with the page's values as defaults. No MindSpore import: `--help` answers at once."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from utils.detection import command_keys, keys
from utils.detection.test_time import keys as test_time
from utils.model_utils.config.base import Config, Contradiction, InactiveKey, Positive, PositiveNumber
from utils.model_utils.config.command_keys import CommandKeys
from utils.model_utils.config.loading import load_config
from utils.model_utils.config.schema import JOB, ModelArtsKeys, TrainingKeys, with_default

from .variants import SIZE_MULTIPLE, STRIDES

SUITE_DIR = Path(__file__).resolve().parent.parent
DEFAULT_FILE = "default_config.yaml"
MINDRECORD_FOLDER = "NASFPN_MINDRECORD"  # in coco_root, where mindrecord_dir is not given


class NetworkKeys(Config):
    """ResNet, NAS-FPN and the RetinaNet head."""

    GROUP: ClassVar[str] = "Network"
    FIXED_BY_WEIGHTS: ClassVar[tuple[str, ...]] = (
        "resnet_layers",
        "resnet_width",
        "norm_eps",
        "nasfpn_out_channel",
        "nasfpn_stack_times",
        "nasfpn_attention",
        "head_stacked_convs",
        "head_channels",
        "unused_class_outputs",
        "anchor_base_scale",
        "anchor_scales_per_octave",
        "anchor_ratios",
    )
    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = ("img_shape", "frozen_stages", "norm_statistics", "norm_momentum")
    img_shape: tuple[Positive, Positive] = Field(
        (640, 640), description="height and width of the network's input in pixels, each a multiple of 128"
    )
    resnet_layers: tuple[Positive, Positive, Positive, Positive] = Field(
        (3, 4, 6, 3), description="bottleneck blocks of the four ResNet stages; 3, 4, 6, 3 is ResNet-50"
    )
    resnet_width: int = Field(
        64, ge=4, multiple_of=4, description="channels of the stem; the stages give 4, 8, 16, 32 times it"
    )
    frozen_stages: int = Field(
        0,
        ge=-1,
        le=4,
        description="ResNet parts that are not trained: 0 and -1 none, 1 the stem and the first stage, ...",
    )
    norm_statistics: Literal["trained", "frozen"] = Field(
        "trained",
        description="statistics of BatchNorm: trained, those of each worker's batch; frozen, those of pre_trained, for "
        "fine-tuning with few images per worker",
    )
    norm_momentum: float = Field(
        0.9,
        ge=0,
        lt=1,
        description="share of the old running mean that a BatchNorm keeps at a step (PyTorch says 1 minus it)",
    )
    norm_eps: float = Field(1e-5, gt=0, description="added to the variance in BatchNorm")
    nasfpn_out_channel: int = Field(256, ge=1, description="channels of the pyramid")
    nasfpn_stack_times: int = Field(7, ge=1, description="how many times the searched pyramid is stacked")
    nasfpn_start_level: int = Field(0, description="first backbone output in the pyramid; 0 is what is built")
    nasfpn_end_level: int = Field(-1, description="last backbone output in the pyramid; -1, all, is what is built")
    nasfpn_attention: Literal["mmdetection", "tpu"] = Field(
        "mmdetection",
        description="what weighs the channels in the attention cells: mmdetection, the mean of the finer feature; tpu, "
        "the maximum of the coarser one, as in the code of the paper's authors",
    )
    head_stacked_convs: int = Field(
        4, ge=0, description="3x3 convolutions of the head before its outputs, shared over levels"
    )
    head_channels: int | None = Field(None, ge=1, description="channels of the head; null takes nasfpn_out_channel")
    unused_class_outputs: int = Field(
        0, ge=0, description="class outputs beyond those of the classes, which learn background only and never detect"
    )
    anchor_base_scale: float = Field(
        4.0, gt=0, description="size of the smallest anchor of a level in strides of the level"
    )
    anchor_scales_per_octave: int = Field(
        3, ge=1, description="anchor sizes per level, evenly spaced within a factor of 2"
    )
    anchor_ratios: tuple[PositiveNumber, ...] = Field(
        (0.5, 1.0, 2.0), min_length=1, description="height/width of the anchors"
    )

    @field_validator("img_shape")
    @classmethod
    def _check_img_shape(cls, value: tuple[int, int]) -> tuple[int, int]:
        for name, size in zip(("height", "width"), value, strict=True):
            if size % SIZE_MULTIPLE:
                raise ValueError(
                    f"img_shape is {list(value)}, but its {name} {size} is no multiple of {SIZE_MULTIPLE}, the stride "
                    f"of the coarsest level: the nearest to use: {keys.nearest_multiples(size, SIZE_MULTIPLE)}"
                )
        return value

    @field_validator("nasfpn_start_level", "nasfpn_end_level")
    @classmethod
    def _check_levels(cls, value: int, info: ValidationInfo) -> int:
        name = str(info.field_name)
        wanted = {"nasfpn_start_level": 0, "nasfpn_end_level": -1}[name]
        if value != wanted:
            raise ValueError(
                f"{name} is {value}, wanted {wanted}: the searched pyramid takes all three backbone outputs"
            )
        return value

    @property
    def anchors_per_cell(self) -> int:
        """Number of anchors at one place of a level."""
        return self.anchor_scales_per_octave * len(self.anchor_ratios)

    @property
    def level_sizes(self) -> tuple[tuple[int, int], ...]:
        """(height, width) of the levels P3 to P7."""
        from utils.detection.anchors import level_sizes  # numpy: --help does without it

        return level_sizes(*self.img_shape, STRIDES)

    @classmethod
    def inactive_keys(cls) -> dict[str, InactiveKey]:
        """Adds the keys that follow from others here."""
        per_level = len(STRIDES)
        return super().inactive_keys() | {
            "num_retinanet_boxes": InactiveKey("follows from img_shape and the anchor keys", _num_anchors),
            "num_default": InactiveKey(
                "follows from the anchor keys", lambda config: [config.anchors_per_cell] * per_level
            ),
            "feature_size": InactiveKey("follows from img_shape", _feature_size),
            "steps": InactiveKey("is built in: the strides of the levels", lambda _: STRIDES),
            "anchor_size": InactiveKey(
                "follows from anchor_base_scale",
                lambda config: [config.anchor_base_scale * stride for stride in STRIDES],
            ),
            "aspect_ratios": InactiveKey(
                "follows from anchor_ratios", lambda config: [config.anchor_ratios] * per_level
            ),
            "extras_out_channels": InactiveKey(
                "follows from nasfpn_out_channel", lambda config: [config.nasfpn_out_channel] * per_level
            ),
            "nasfpn_input_channels": InactiveKey(
                "follows from resnet_width", lambda config: [config.resnet_width * factor for factor in (8, 16, 32)]
            ),
            "nasfpn_num_outs": InactiveKey("is built in: the number of levels", lambda _: per_level),
            "prior_scaling": InactiveKey("box deltas are not scaled"),
        }


def _num_anchors(config: NetworkKeys) -> int:
    from utils.detection.anchors import anchors_per_level  # numpy: --help does without it

    return sum(anchors_per_level(*config.img_shape, STRIDES, config.anchors_per_cell))


def _feature_size(config: NetworkKeys) -> list[object]:
    is_square = config.img_shape[0] == config.img_shape[1]
    return [height if is_square else [height, width] for height, width in config.level_sizes]


class LossKeys(Config):
    """Assignment and losses."""

    GROUP: ClassVar[str] = "Assignment and loss"
    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = (
        "match_threshold",
        "neg_iou_threshold",
        "crowd_ignore_ioa",
        "gamma",
        "alpha",
        "box_loss",
        "box_loss_beta",
        "box_loss_weight",
    )
    match_threshold: float = Field(0.5, gt=0, le=1, description="IoU from which an anchor takes a ground-truth box")
    neg_iou_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="IoU below which an anchor is background, between it and match_threshold ignored; "
        "null takes match_threshold, so that none is ignored",
    )
    crowd_ignore_ioa: float = Field(
        0.5,
        gt=0,
        le=1,
        description="share of an anchor inside a crowd region from which it is neither object nor background",
    )
    gamma: float = Field(2.0, ge=0, description="focal loss: exponent that turns easy examples down")
    alpha: float = Field(0.75, ge=0, le=1, description="focal loss: weight of objects against 1 - alpha of background")
    box_loss: Literal["smooth_l1", "l1"] = Field("smooth_l1", description="loss of the box deltas")
    box_loss_beta: float = Field(1.0, gt=0, description="difference at which smooth_l1 turns from a square into a line")
    box_loss_weight: float = Field(1.0, ge=0, description="factor on the box loss")

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields the thresholds that do not fit each other."""
        yield from super().contradictions()
        if self.neg_iou_threshold is not None and self.neg_iou_threshold > self.match_threshold:
            yield Contradiction(
                ("neg_iou_threshold", "match_threshold"),
                f"neg_iou_threshold {self.neg_iou_threshold} is above match_threshold {self.match_threshold}, "
                "an anchor would be object and background: lower neg_iou_threshold, or set it to null",
            )


class ScheduleKeys(keys.StepScheduleKeys):
    """Learning rate over the run."""

    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = (
        "lr_init",
        "lr_end_rate",
        "warmup_epochs1",
        "warmup_epochs2",
        "warmup_epochs3",
        "warmup_epochs4",
        "warmup_epochs5",
        "warmup_steps",
        "warmup_ratio",
    )
    lr_schedule: Literal["five_stage", "cosine", "step"] = Field(  # type: ignore[assignment]  # a choice more than the group has
        "five_stage",
        description="five_stage: the page's five warm-up stages, then a cosine; cosine; step: drops at lr_steps",
    )
    lr_init: float = Field(1e-6, ge=0, description="first learning rate of five_stage")
    lr_end_rate: float = Field(
        5e-3, ge=0, le=1, description="last learning rate of five_stage and cosine as a share of lr"
    )
    warmup_epochs1: int = Field(2, ge=0, description="epochs of the first warm-up stage of five_stage")
    warmup_epochs2: int = Field(5, ge=0, description="epochs of the second")
    warmup_epochs3: int = Field(23, ge=0, description="epochs of the third")
    warmup_epochs4: int = Field(60, ge=0, description="epochs of the fourth")
    warmup_epochs5: int = Field(160, ge=0, description="epochs of the fifth")
    warmup_steps: int = Field(0, ge=0, description="steps of the linear warm-up of cosine and step")
    warmup_ratio: float = Field(0.1, ge=0, le=1, description="share of lr that the linear warm-up begins with")

    @property
    def warmup_epochs(self) -> tuple[int, int, int, int, int]:
        """Epochs of the five warm-up stages."""
        return (
            self.warmup_epochs1,
            self.warmup_epochs2,
            self.warmup_epochs3,
            self.warmup_epochs4,
            self.warmup_epochs5,
        )

    @classmethod
    def inactive_keys(cls) -> dict[str, InactiveKey]:
        """Adds the training keys that do nothing here."""
        return super().inactive_keys() | {
            "global_step": InactiveKey("is where a schedule begins, --resume continues one", lambda _: 0),
            "warmup_epochs": InactiveKey("warmup_epochs1 to warmup_epochs5 have its place"),
            "finish_epoch": InactiveKey("--resume has its place"),
            "mode": InactiveKey("every step passes its data by itself"),
        }

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields the schedule keys that do not fit each other."""
        yield from super().contradictions()
        stages = sum(self.warmup_epochs)
        if self.lr_schedule == "five_stage" and stages > self.epoch_size:
            yield Contradiction(
                ("epoch_size", "lr_schedule", *(f"warmup_epochs{stage}" for stage in range(1, 6))),
                f"warmup_epochs1 to warmup_epochs5 add up to {stages} epochs and epoch_size is {self.epoch_size}, "
                "the rate would never reach lr: lower them, or set lr_schedule to cosine",
            )


class AugmentationKeys(keys.AugmentationKeys):
    """What training does to the pictures."""

    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = ("crop",)
    keep_empty_images: bool = with_default(
        keys.AugmentationKeys,
        "keep_empty_images",
        False,
        "train on images without a box as well; the page's 916 steps an epoch leave them out",
    )
    scale_range: tuple[PositiveNumber, PositiveNumber] = with_default(
        keys.AugmentationKeys,
        "scale_range",
        (0.8, 1.2),
        "lowest and highest factor on the size that fits img_shape",
    )
    crop: bool = Field(True, description="cut what is larger than img_shape at a random place instead of shrinking it")
    brightness: float = with_default(keys.AugmentationKeys, "brightness", 0.4)
    contrast: float = with_default(keys.AugmentationKeys, "contrast", 0.4)
    saturation: float = with_default(keys.AugmentationKeys, "saturation", 0.4)


class ResultKeys(keys.ResultKeys):
    """Evaluation, inference and export."""

    SIZE_MULTIPLE = SIZE_MULTIPLE
    file_name: str = with_default(keys.ResultKeys, "file_name", "retinanet_nasfpn")
    export_batch_size: int | None = Field(
        1, ge=0, description="images per call of the exported network; 0 and null: any number"
    )
    nms_threshold: float = Field(
        0.6, gt=0, le=1, description="IoU above which the lower of two boxes of a class is dropped"
    )
    min_score: float = Field(0.1, ge=0, le=1, description="boxes below this score are dropped")
    nms_pre: int = Field(1000, ge=1, description="boxes per level that enter NMS, highest scores first")
    max_boxes: int = Field(100, ge=1, description="most boxes kept of an image")


class RecordKeys(keys.RecordKeys):
    """MindRecord files of this suite."""

    create_dataset: Literal["coco", "other"] = Field(
        "coco", description="form of the annotations that create_data.py reads"
    )
    prefix: str = with_default(
        keys.RecordKeys,
        "prefix",
        "retinanet.mindrecord",
        "name of the MindRecord files that create_data.py writes and train.py reads",
    )
    eval_prefix: str = with_default(keys.RecordKeys, "eval_prefix", "retinanet_eval.mindrecord")
    is_training: bool = Field(True, description="create_data.py: write the training split; false: the evaluation split")


class NasFpnConfig(
    ModelArtsKeys, ResultKeys, test_time.TestTimeKeys, AugmentationKeys, LossKeys, NetworkKeys, ScheduleKeys, RecordKeys
):
    """Every key of the suite; the defaults are the page's values. The last group comes first in the help."""

    GROUP = TrainingKeys.GROUP

    epoch_size: int = with_default(TrainingKeys, "epoch_size", 300)
    batch_size: int = with_default(TrainingKeys, "batch_size", 16)
    lr: float = with_default(TrainingKeys, "lr", 0.1)
    weight_decay: float = with_default(TrainingKeys, "weight_decay", 1.5e-4)
    loss_scale: float = with_default(TrainingKeys, "loss_scale", 1024.0)
    keep_checkpoint_max: int = with_default(TrainingKeys, "keep_checkpoint_max", 10)
    modelarts_dataset_unzip_name: str = with_default(ModelArtsKeys, "modelarts_dataset_unzip_name", "MindRecord_COCO")


# What decides which boxes are found, at what size of the pictures.
SELECTION = ("img_shape", "nms_threshold", "min_score", "nms_pre", "max_boxes")
# The entry scripts, and the keys that --help of each shows.
COMMANDS = {
    "train.py": CommandKeys(
        "Trains RetinaNet with ResNet and NAS-FPN on a COCO data set.",
        most_used="coco_root run_dir epoch_size batch_size lr pre_trained resume num_classes img_shape device_target",
        left_out=(
            *command_keys.NOT_OF_TRAINING,
            "create_dataset",
            "is_training",
            "nasfpn_start_level",
            "nasfpn_end_level",
        ),
    ),
    "eval.py": CommandKeys(
        "Evaluates a checkpoint with the COCO metrics.",
        most_used="checkpoint_path coco_root mindrecord_dir run_dir instance_set val_data_type num_pictures "
        "picture_min_score canvas device_target",
        others=(*command_keys.EVALUATION, *SELECTION, *test_time.KEYS),
        checkpoint_key="checkpoint_path",
    ),
    "infer.py": CommandKeys(
        "Draws detections on pictures.",
        most_used="checkpoint_path image_path infer_output_path picture_min_score min_score nms_threshold max_boxes "
        "canvas canvas_sides device_target",
        others=(*command_keys.INFERENCE, *SELECTION, *test_time.KEYS),
        checkpoint_key="checkpoint_path",
    ),
    "export.py": CommandKeys(
        "Exports a checkpoint for inference.",
        most_used="checkpoint_path file_name file_format with_onnx export_batch_size run_dir img_shape min_score "
        "nms_threshold max_boxes",
        others=(*command_keys.EXPORT, *SELECTION, *test_time.KEYS),
        checkpoint_key="checkpoint_path",
    ),
    "create_data.py": CommandKeys(
        "Writes the MindRecord files of a split.",
        most_used="coco_root mindrecord_dir prefix is_training create_dataset anno_path image_dir instance_set "
        "coco_classes remake_mindrecord",
        others=(*command_keys.READING, *JOB, "max_image_megapixels"),
    ),
    "convert_checkpoint.py": CommandKeys(
        "Makes a checkpoint from weights of torchvision, timm, MindCV or MMDetection.",
        most_used="checkpoint_path output ema run_dir overwrite",
        others=(*NetworkKeys.FIXED_BY_WEIGHTS, *command_keys.CONVERSION, *SELECTION),
    ),
}


def load(argv: Sequence[str] | None = None, program: str = "train.py") -> NasFpnConfig:
    """Builds the configuration of the command `program`; arguments and errors as `load_config` has them."""
    command = COMMANDS.get(program, COMMANDS["train.py"])
    return load_config(
        NasFpnConfig,
        argv,
        suite_dir=SUITE_DIR,
        default_file=DEFAULT_FILE,
        program=program,
        description=command.description,
        checkpoint_key=command.checkpoint_key,
        commands=COMMANDS,
    )
