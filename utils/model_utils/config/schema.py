"""The keys that every suite has, in groups. A suite's schema puts groups together and adds its own keys.

Each key says its meaning, unit and range where the type does not: this text is the help.
"""

import copy
import os
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import Field

from utils.model_utils.config.base import (
    COMMAND_LINE,
    Config,
    Contradiction,
    PathRule,
    PathText,
    Positive,
    PositiveNumber,
    says_true,
)
from utils.model_utils.guards.pixel_limit import DEFAULT_MEGAPIXELS, set_most_megapixels
from utils.model_utils.storage.object_storage import is_object_url

# What commands act on that build a network: each with seed, as MindSpore is told one.
DEVICE = ("device_target", "device_id", "seed")
# How a command that measures a network is made a check of it.
CHECK = ("expected_metric", "expected_tolerance")
# Everything that does something in a job on ModelArts only.
JOB = (
    "enable_modelarts",
    "data_url",
    "train_url",
    "checkpoint_url",
    "data_path",
    "output_path",
    "load_path",
    "need_modelarts_dataset_unzip",
    "modelarts_dataset_unzip_name",
)

Value = TypeVar("Value")


def with_default(schema: type[Config], key: str, default: Value, description: str = "") -> Value:
    """Returns the field `key` of a group with another default, for the body of a suite's schema.

    The help says `description` of it, or, where that is empty, what the group says.
    """
    field = copy.copy(schema.model_fields[key])
    field.default = default
    field.description = description or field.description
    return typing.cast(Value, field)  # as pydantic's own `Field` says it


class RuntimeKeys(Config):
    """Where and how the process runs."""

    GROUP: ClassVar[str] = "Device and run folder"
    OWN_TO_A_COMMAND: ClassVar[tuple[str, ...]] = (
        "device_target",
        "device_id",
        "run_distribute",
        "device_num",
        "run_dir",
        "overwrite",
        "enable_profiling",
    )
    NEVER_REPEATED: ClassVar[tuple[str, ...]] = ("run_dir", "overwrite")
    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = ("seed", "amp_level")
    device_target: Literal["auto", "Ascend", "GPU", "CPU"] = Field(
        "auto", description="device; auto takes an accelerator if there is one, else the CPU"
    )
    device_id: int | None = Field(
        None,
        ge=0,
        description="number of the device on this machine; null takes DEVICE_ID from the environment, else 0",
    )
    run_distribute: bool = Field(
        False, description="data parallel over the processes that a launcher has started, else over device_num new ones"
    )
    device_num: int | None = Field(
        None,
        ge=1,
        description="processes that run_distribute starts where no launcher has; null: one for each device of the "
        "machine, or of the rank table in RANK_TABLE_FILE",
    )
    seed: int = Field(
        1, ge=0, lt=2**32, description="every random draw is a function of it, of the epoch and of the image"
    )
    amp_level: Literal["auto", "O0", "O2", "O3", "bf16"] = Field(
        "auto",
        description="precision: O0 float32; O2 float16 with float32 norms; bf16, on Ascend only, bfloat16 with float32 "
        "norms, which needs no dynamic loss scale; auto is O2 on Ascend, else O0",
    )
    run_dir: PathText = Field(
        ".", description="folder that takes everything a run writes; the working directory by default"
    )
    overwrite: bool = Field(
        False,
        description="start a new run in a folder that already holds one, whose checkpoints, metrics and curves are "
        "removed",
    )
    enable_profiling: bool = Field(
        False, description="training writes MindSpore's profile of its first steps into profile/ of run_dir"
    )

    def results_folder(self, key: str = "run_dir") -> Path:
        """Returns the folder that takes what a command writes, which `key` names."""
        return Path(getattr(self, key))


class ModelArtsKeys(RuntimeKeys):
    """What a job on ModelArts gets from the platform."""

    GROUP: ClassVar[str] = "ModelArts"
    OWN_TO_A_COMMAND: ClassVar[tuple[str, ...]] = (
        "enable_modelarts",
        "data_url",
        "train_url",
        "checkpoint_url",
        "output_path",
        "load_path",
        "need_modelarts_dataset_unzip",
        "modelarts_dataset_unzip_name",
    )
    NEVER_REPEATED: ClassVar[tuple[str, ...]] = ("train_url",)
    enable_modelarts: bool = Field(
        False, description="the job runs on ModelArts: copy data in and results out, bear with unknown arguments"
    )
    data_url: str = Field("", description="obs://, s3:// or local place of the data, copied to data_path")
    train_url: str = Field("", description="obs://, s3:// or local place that receives output_path")
    checkpoint_url: str = Field("", description="obs://, s3:// or local place of checkpoints, copied to load_path")
    data_path: PathText = Field("/cache/data", description="folder of the data on the machine of the job")
    output_path: PathText = Field("/cache/train", description="folder of the results on the machine of the job")
    load_path: PathText = Field("/cache/checkpoint_path", description="folder of checkpoints on the machine of the job")
    need_modelarts_dataset_unzip: bool = Field(
        True, description="unpack modelarts_dataset_unzip_name.zip where the data arrives as one"
    )
    modelarts_dataset_unzip_name: str = Field("", description="name of the zip file in data_path, without .zip")

    @classmethod
    def normalise(cls, values: dict[str, object], notes: list[str]) -> dict[str, object]:
        """Takes places that are not given from the environment, where ModelArts may put them under the key's name."""
        values = dict(super().normalise(values, notes))
        if says_true(values.get("enable_modelarts")):
            for key in ("data_url", "train_url", "checkpoint_url"):
                variable = next((name for name in (key, key.upper()) if os.environ.get(name)), None)
                if variable and not values.get(key):
                    values[key] = os.environ[variable]
                    notes.append(f"{key} is that of the environment variable {variable}")
        return values

    def results_folder(self, key: str = "run_dir") -> Path:
        """Returns the folder of `key`; in a job that does not give it, `train_url` if a path, else `output_path`."""
        if not self.enable_modelarts or self.was_given(key):
            return super().results_folder(key)
        return Path(self.output_path if not self.train_url or is_object_url(self.train_url) else self.train_url)


class TrainingKeys(RuntimeKeys):
    """Optimizer, loss scale, checkpoints and the rhythm of a run."""

    GROUP: ClassVar[str] = "Training"
    OWN_TO_A_COMMAND: ClassVar[tuple[str, ...]] = (
        "resume",
        "pre_trained",
        "pre_trained_epoch_size",
        "max_hours",
        "loggers",
        "expected_metric",
        "expected_tolerance",
    )
    NEVER_REPEATED: ClassVar[tuple[str, ...]] = ("resume",)
    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = (
        "epoch_size",
        "batch_size",
        "lr",
        "lr_base_batch",
        "optimizer",
        "momentum",
        "weight_decay",
        "no_decay_norm_bias",
        "loss_scale",
        "loss_scale_mode",
        "clip_norm",
        "accumulate_steps",
        "drop_remainder",
        "ema_decay",
        "patience",
    )
    epoch_size: int = Field(12, ge=1, description="passes over the training images")
    batch_size: int = Field(2, ge=1, description="images per step and device")
    lr: float = Field(0.01, gt=0, description="highest learning rate")
    lr_base_batch: int | None = Field(
        None,
        ge=1,
        description="images per step over all devices that lr is meant for; lr is scaled to the real number; null: not",
    )
    optimizer: Literal["sgd", "adamw"] = Field("sgd", description="SGD with momentum, or AdamW with bias correction")
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of sgd; without effect for adamw")
    weight_decay: float = Field(1e-4, ge=0, description="weight decay")
    no_decay_norm_bias: bool = Field(False, description="leave norms and biases out of the weight decay")
    loss_scale: float = Field(
        1.0,
        gt=0,
        description="factor on the loss against underflow in float16; the first one where loss_scale_mode is dynamic",
    )
    loss_scale_mode: Literal["static", "dynamic"] = Field(
        "static", description="static keeps loss_scale, dynamic halves it after an overflow and raises it again"
    )
    max_bad_steps: int = Field(20, ge=1, description="overflow steps in a row that stop the run")
    clip_norm: float = Field(0.0, ge=0, description="highest global norm of the gradient; 0: no clipping")
    accumulate_steps: int = Field(1, ge=1, description="batches whose gradients are averaged into one step")
    drop_remainder: bool = Field(
        True,
        description="leave out what an epoch has beyond its full steps, another rest each time; false: one more step "
        "takes it, each image counts once in an epoch",
    )
    gradient_fusion_mb: float = Field(
        32.0,
        ge=0,
        description="megabytes of gradients that several devices sum at a time; 0: those of each parameter by itself",
    )
    ema_decay: float = Field(
        0.0, ge=0, lt=1, description="decay per step of the running mean of the weights that is evaluated; 0: none"
    )
    resume: Annotated[str, PathRule(keep_words=("auto",))] = Field(
        "", description="checkpoint of a run to continue; auto takes the newest in save_checkpoint_path if there is one"
    )
    pre_trained: PathText = Field("", description="checkpoint whose weights a new run starts from")
    pre_trained_epoch_size: int = Field(
        0,
        ge=0,
        description="epochs that pre_trained has behind it; the run begins with the next one, optimizer state included",
    )
    allow_missing: tuple[str, ...] = Field((), description="beginnings of parameter names that a checkpoint may lack")
    allow_mismatch: tuple[str, ...] = Field(
        (), description="beginnings of parameter names whose shape may differ in a checkpoint; they keep their values"
    )
    save_checkpoint: bool = Field(
        True, description="write a checkpoint every save_checkpoint_epochs; false: only the last and the best one"
    )
    save_checkpoint_epochs: int = Field(1, ge=1, description="epochs between checkpoints")
    keep_checkpoint_max: int = Field(5, ge=1, description="number of last checkpoints kept beside the best one")
    save_checkpoint_path: str = Field(
        "./ckpt", min_length=1, description="folder of the checkpoints, relative to run_dir"
    )
    log_interval: int = Field(20, ge=1, description="steps between lines in the log")
    run_eval: bool = Field(False, description="evaluate while training and keep the best checkpoint")
    eval_interval: int = Field(1, ge=1, description="epochs between evaluations")
    eval_start_epoch: int = Field(0, ge=0, description="first epoch after which run_eval acts")
    patience: int | None = Field(
        None,
        ge=1,
        description="the run ends after so many evaluations in a row that do not improve the best metric; null: it "
        "goes on to epoch_size",
    )
    max_hours: float | None = Field(
        None,
        gt=0,
        description="training stops after so many hours, with a checkpoint and exit code 0; each start of the command "
        "has its own hours; null: no limit",
    )
    expected_metric: float | None = Field(
        None,
        ge=0,
        le=1,
        description="mAP or mIoU that the evaluation, in training the best one, has to reach: below it the command "
        "ends with exit code 1; null: no check",
    )
    expected_tolerance: float = Field(0.0, ge=0, le=1, description="how far the metric may be below expected_metric")
    loggers: tuple[Literal["tensorboard", "swanlab"], ...] = Field(
        (),
        description="loggers that take numbers and pictures of a training beside metrics.jsonl, each in its own "
        "folder in run_dir",
    )
    picture_interval: int = Field(
        5,
        ge=0,
        description="run_eval draws predictions at the first evaluation, at every so many evaluations after it, and "
        "at the last, into predictions/ of run_dir; 0: never",
    )

    def notes(self) -> Iterator[str]:
        """Says which given keys the choice of optimizer leaves without effect."""
        yield from super().notes()
        if self.optimizer == "adamw" and self.is_given_over("momentum", "optimizer"):
            yield f"{self.origin('momentum')}: momentum has no effect with optimizer adamw"
        if self.resume and self.pre_trained and self.is_given_over("pre_trained", "resume"):
            yield f"{self.origin('pre_trained')}: pre_trained is not read where resume continues a run"

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields the training keys that do not fit each other."""
        yield from super().contradictions()
        if self.pre_trained_epoch_size >= self.epoch_size:
            yield Contradiction(
                ("pre_trained_epoch_size", "epoch_size"),
                f"pre_trained_epoch_size {self.pre_trained_epoch_size} leaves nothing of epoch_size {self.epoch_size}: "
                "raise epoch_size or lower pre_trained_epoch_size",
            )
        if self.pre_trained_epoch_size and not self.pre_trained:
            yield Contradiction(
                ("pre_trained_epoch_size", "pre_trained"),
                f"pre_trained_epoch_size is {self.pre_trained_epoch_size} and pre_trained is not set: name the "
                "checkpoint with --pre_trained=FILE, or leave pre_trained_epoch_size out",
            )
        if self.patience and not self.run_eval:
            yield Contradiction(
                ("patience", "run_eval"),
                f"patience {self.patience} counts evaluations and run_eval is false: set --run_eval=True, or leave "
                "patience out",
            )
        if self.expected_tolerance and self.expected_metric is None:
            yield Contradiction(
                ("expected_tolerance", "expected_metric"),
                f"expected_tolerance is {self.expected_tolerance} and expected_metric is not set: give "
                "--expected_metric=NUMBER too, or leave expected_tolerance out",
            )
        if self.resume and self.overwrite:
            yield Contradiction(
                ("resume", "overwrite"),
                "resume and overwrite are both set: continue the run or start a new one, clear one of them",
            )


class PictureKeys(Config):
    """Random sizes and flips, and normalisation."""

    GROUP: ClassVar[str] = "Images and augmentation"
    OWN_TO_A_COMMAND: ClassVar[tuple[str, ...]] = ("max_image_megapixels",)
    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = ("flip_ratio", "scale_range", "img_norm_mean", "img_norm_std")
    flip_ratio: float = Field(0.5, ge=0, le=1, description="probability of a horizontal flip")
    scale_range: tuple[PositiveNumber, PositiveNumber] = Field(
        (1.0, 1.0), description="lowest and highest random factor on the size"
    )
    img_norm_mean: tuple[float, float, float] = Field(
        (123.675, 116.28, 103.53), description="subtracted from the channels; RGB, 0 to 255"
    )
    img_norm_std: tuple[PositiveNumber, PositiveNumber, PositiveNumber] = Field(
        (58.395, 57.12, 57.375), description="divides the channels; RGB, 0 to 255"
    )
    max_image_megapixels: float = Field(
        DEFAULT_MEGAPIXELS,
        gt=0,
        description="millions of pixels of the largest image or label that is decoded, each takes up to 8 bytes; the "
        "header of a file says its size",
    )

    def take_effect(self) -> None:
        """Sets the limit of what this process decodes."""
        super().take_effect()
        set_most_megapixels(self.max_image_megapixels)

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields a range that runs backwards."""
        yield from super().contradictions()
        if self.scale_range[0] > self.scale_range[1]:
            yield Contradiction(
                ("scale_range",),
                f"scale_range is {list(self.scale_range)}, wanted the lower factor first: exchange the two",
            )


class CanvasKeys(Config):
    """The sizes at which evaluation and inference show pictures to the network."""

    GROUP: ClassVar[str] = "Evaluation, inference and export"
    OWN_TO_A_COMMAND: ClassVar[tuple[str, ...]] = ("max_canvases",)
    LEFT_TO_WEIGHTS: ClassVar[tuple[str, ...]] = ("canvas", "canvas_sides")
    canvas: Literal["fixed", "picture"] | None = Field(
        None,
        description="fixed: one size of input, that of training; picture: each picture scaled within canvas_sides; "
        "null: as the weights say, else fixed",
    )
    canvas_sides: tuple[Positive, Positive] | None = Field(
        None,
        description="longest long side and longest short side of a picture where canvas is picture; null: as the "
        "weights say, else the sides of the fixed input",
    )
    max_canvases: int = Field(
        12,
        ge=1,
        description="most compiled sizes held at once where canvas is picture, each in memory of its own; a command "
        "that comes to each size once may hold fewer",
    )

    def format_idle_keys(self) -> str:
        """Returns which keys of the command line do nothing, as they act where canvas is picture; empty without any."""
        keys = () if self.canvas == "picture" else sorted(self.keys_in("LEFT_TO_WEIGHTS") - {"canvas"})
        idle = [key for key in keys if self.origin(key).where == COMMAND_LINE]
        return f"{' and '.join(idle)} without effect where the canvas is fixed: give --canvas=picture too" * bool(idle)
