"""The keys of the Faster R-CNN suite, the page's values as defaults. No MindSpore import: `--help` answers at once."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from utils.model_utils.config.base import Config, Contradiction, InactiveKey, PathText
from utils.model_utils.config.loading import load_config
from utils.model_utils.config.schema import DetectionDataKeys, ModelArtsKeys, TrainingKeys, with_default

from .config_network import SIZE_MULTIPLE, NetworkKeys, Positive, PositiveNumber, RcnnKeys, RpnKeys

SUITE_DIR = Path(__file__).resolve().parent.parent
DEFAULT_FILE = "default_config.yaml"


class ScheduleKeys(TrainingKeys):
    """Learning rate over the run."""

    GROUP = "Learning rate schedule"
    lr_schedule: Literal["long_cosine", "cosine", "step"] = Field(
        "long_cosine",
        description="after the warm-up: long_cosine, half a cosine that would end an epoch after the run, as the "
        "page's training has it; cosine, one that ends with the run; step, drops at lr_steps",
    )
    warmup_step: int = Field(500, ge=0, description="steps of the linear warm-up")
    warmup_ratio: float = Field(0.0625, ge=0, le=1, description="share of lr that the warm-up begins with")
    lr_end_rate: float = Field(0.0, ge=0, le=1, description="last learning rate of cosine as a share of lr")
    lr_steps: tuple[Positive, ...] = Field(
        (), description="epochs after which the schedule step drops the rate, ascending"
    )
    lr_decay: float = Field(0.1, gt=0, le=1, description="factor on the rate at each of lr_steps")

    @classmethod
    def inactive_keys(cls) -> dict[str, InactiveKey]:
        """Adds the training keys that do nothing here."""
        return super().inactive_keys() | {
            "sgd_step": InactiveKey("lr_schedule step with lr_steps has its place"),
            "sgd_momentum": InactiveKey("momentum has its place"),
        }

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields the schedule keys that do not fit each other."""
        yield from super().contradictions()
        steps = self.lr_steps
        if self.lr_schedule == "step" and (
            not steps or list(steps) != sorted(set(steps)) or steps[-1] >= self.epoch_size
        ):
            yield Contradiction(
                ("lr_steps", "lr_schedule", "epoch_size"),
                f"lr_schedule step with lr_steps {list(steps)} and epoch_size {self.epoch_size}: "
                "set lr_steps to ascending epochs below epoch_size, or lr_schedule to cosine",
            )


class AugmentationKeys(Config):
    """What training does to the pictures."""

    GROUP = "Augmentation and normalisation"
    keep_empty_images: bool = Field(
        True, description="train on images without a box as well, as background, as the page's 7393 steps an epoch do"
    )
    keep_ratio: bool = Field(
        True, description="keep the shape of a picture and pad below or on the right; false stretches it to the input"
    )
    flip_ratio: float = Field(0.5, ge=0, le=1, description="probability of a horizontal flip")
    expand_ratio: float = Field(
        1.0,
        ge=1,
        description="half of the pictures are laid at random on a canvas up to so many times their height "
        "and width, of the mean colour; 1: none",
    )
    scale_range: tuple[PositiveNumber, PositiveNumber] = Field(
        (1.0, 1.0),
        description="lowest and highest factor on the size that fits the input; what is too large is cut "
        "at a random place",
    )
    brightness: float = Field(0.0, ge=0, le=1, description="strength of the random change of brightness")
    contrast: float = Field(0.0, ge=0, le=1, description="strength of the random change of contrast")
    saturation: float = Field(0.0, ge=0, le=1, description="strength of the random change of saturation")
    hue: float = Field(
        0.0, ge=0, le=0.5, description="strength of the random change of hue, as a share of the colour circle"
    )
    img_norm_mean: tuple[float, float, float] = Field(
        (123.675, 116.28, 103.53), description="subtracted from the channels; RGB, 0 to 255"
    )
    img_norm_std: tuple[PositiveNumber, PositiveNumber, PositiveNumber] = Field(
        (58.395, 57.12, 57.375), description="divides the channels; RGB, 0 to 255"
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields a range that runs backwards."""
        yield from super().contradictions()
        if self.scale_range[0] > self.scale_range[1]:
            yield Contradiction(
                ("scale_range",),
                f"scale_range is {list(self.scale_range)}, wanted the lower factor first: exchange the two",
            )


class ResultKeys(Config):
    """Evaluation, inference and export."""

    GROUP = "Evaluation, inference and export"
    checkpoint_path: PathText = Field(
        "", description="checkpoint that eval.py, infer.py and export.py read; weights that convert_checkpoint.py reads"
    )
    output: PathText = Field(
        "", description="file that convert_checkpoint.py writes; empty: the read one's name with .ckpt, in run_dir"
    )
    test_score_thr: float = Field(0.05, ge=0, le=1, description="boxes below this score are dropped")
    test_iou_thr: float = Field(
        0.5, gt=0, le=1, description="IoU above which the lower of two boxes of a class is dropped"
    )
    test_candidates: int = Field(
        2000, ge=1, description="pairs of proposal and class of an image that enter NMS, highest scores first"
    )
    test_max_per_img: int = Field(100, ge=1, description="most boxes kept of an image")
    test_batch_size: int = Field(2, ge=1, description="images that eval.py and infer.py give to the network at once")
    num_pictures: int = Field(16, ge=0, description="pictures with drawn boxes that eval.py writes")
    picture_min_score: float = Field(0.4, ge=0, le=1, description="boxes below this score are not drawn on pictures")
    image_path: PathText = Field("", description="picture or folder of pictures for infer.py")
    infer_output_path: PathText = Field("infer_result", description="folder for what infer.py writes")
    file_name: str = Field(
        "faster_rcnn", min_length=1, description="name of the exported file in run_dir, without ending"
    )
    file_format: Literal["auto", "MINDIR", "AIR", "ONNX"] = Field(
        "auto", description="form of the export; auto is AIR on Ascend, else MINDIR"
    )
    export_batch_size: int = Field(1, ge=1, description="images per call of the exported network")
    result_path: PathText = Field("", description="folder of the binary results that postprocess.py reads")


class RecordKeys(DetectionDataKeys):
    """MindRecord files of this suite."""

    GROUP = "MindRecord files"
    prefix: str = Field(
        "FasterRcnn.mindrecord", min_length=1, description="name of the MindRecord files that train.py reads"
    )
    eval_prefix: str = Field(
        "FasterRcnn_eval.mindrecord", min_length=1, description="name of the MindRecord files that eval.py reads"
    )


class FasterRcnnConfig(
    ModelArtsKeys, ResultKeys, AugmentationKeys, RcnnKeys, RpnKeys, NetworkKeys, ScheduleKeys, RecordKeys
):
    """Every key of the suite; the defaults are the page's values. The last group comes first in the help."""

    GROUP = TrainingKeys.GROUP

    epoch_size: int = with_default(TrainingKeys, "epoch_size", 12)
    batch_size: int = with_default(TrainingKeys, "batch_size", 2)
    drop_remainder: bool = with_default(TrainingKeys, "drop_remainder", False)  # the page's 7393 steps need the rest
    lr: float = with_default(TrainingKeys, "lr", 0.04)
    momentum: float = with_default(TrainingKeys, "momentum", 0.91)
    weight_decay: float = with_default(TrainingKeys, "weight_decay", 1e-5)
    loss_scale: float = with_default(TrainingKeys, "loss_scale", 256.0)
    save_checkpoint_path: str = with_default(TrainingKeys, "save_checkpoint_path", "./")

    filter_weight: bool = Field(
        False, description="leave the class outputs of pre_trained out, for another set of classes"
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields a batch with one value for each channel of the coarsest level: its moving variance would be 0 / 0."""
        yield from super().contradictions()
        is_one_value = self.batch_size * self.img_height * self.img_width == SIZE_MULTIPLE**2
        if is_one_value and self.norm_statistics == "trained":
            yield Contradiction(
                ("batch_size", "img_height", "img_width", "norm_statistics"),
                f"batch_size is 1 and the input {self.img_height} x {self.img_width}: batch norm cannot take the "
                "variance of the one pixel of the coarsest level; raise one of them, or set norm_statistics to frozen",
            )


def load(argv: Sequence[str] | None = None, program: str = "train.py") -> FasterRcnnConfig:
    """Builds the configuration of a command of this suite.

    Args:
        argv: arguments without the program's name; None takes those of the process.
        program: file name of the command.

    Raises:
        BadValueError: unknown keys, wrong values or contradictions.
        MissingPathError: the YAML file cannot be read.
    """
    return load_config(
        FasterRcnnConfig,
        argv,
        suite_dir=SUITE_DIR,
        default_file=DEFAULT_FILE,
        program=program,
        description=DESCRIPTIONS.get(program, DESCRIPTIONS["train.py"]),
    )


DESCRIPTIONS = {
    "train.py": "Trains Faster R-CNN with Res2Net and a feature pyramid on a COCO or text data set.",
    "eval.py": "Evaluates a checkpoint with the COCO metrics.",
    "infer.py": "Draws detections on pictures.",
    "export.py": "Exports a checkpoint for inference.",
    "convert_checkpoint.py": "Makes a checkpoint from weights of timm or MMDetection.",
    "postprocess.py": "Computes the COCO metrics of results that the 310 harness has written.",
}
