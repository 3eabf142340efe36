"""The keys of the Faster R-CNN suite, the page's values as defaults. No MindSpore import: `--help` answers at once."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from utils.detection import command_keys, keys
from utils.detection.test_time import keys as test_time
from utils.model_utils.config.base import Contradiction, InactiveKey, PositiveNumber
from utils.model_utils.config.command_keys import CommandKeys
from utils.model_utils.config.loading import load_config
from utils.model_utils.config.schema import ModelArtsKeys, TrainingKeys, with_default

from .config_network import NetworkKeys, RcnnKeys, RpnKeys
from .variants import SIZE_MULTIPLE

SUITE_DIR = Path(__file__).resolve().parent.parent
DEFAULT_FILE = "default_config.yaml"
MINDRECORD_FOLDER = "FASTERRCNN_MINDRECORD"  # in coco_root, where mindrecord_dir is not given


class ScheduleKeys(keys.StepScheduleKeys):
    """Learning rate over the run."""

    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = ("warmup_step", "warmup_ratio", "lr_end_rate")
    lr_schedule: Literal["long_cosine", "cosine", "step"] = Field(  # type: ignore[assignment]  # a choice more than the group has
        "long_cosine",
        description="after the warm-up: long_cosine, half a cosine that would end an epoch after the run, as the "
        "page's training has it; cosine, one that ends with the run; step, drops at lr_steps",
    )
    warmup_step: int = Field(500, ge=0, description="steps of the linear warm-up")
    warmup_ratio: float = Field(0.0625, ge=0, le=1, description="share of lr that the warm-up begins with")
    lr_end_rate: float = Field(0.0, ge=0, le=1, description="last learning rate of cosine as a share of lr")

    @classmethod
    def inactive_keys(cls) -> dict[str, InactiveKey]:
        """Adds the training keys that do nothing here."""
        return super().inactive_keys() | {
            "sgd_step": InactiveKey("lr_schedule step with lr_steps has its place"),
            "sgd_momentum": InactiveKey("momentum has its place"),
        }


class AugmentationKeys(keys.AugmentationKeys):
    """What training does to the pictures."""

    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = ("keep_ratio", "expand_ratio")
    keep_empty_images: bool = with_default(
        keys.AugmentationKeys,
        "keep_empty_images",
        True,
        "train on images without a box as well, as background: 7393 steps an epoch on COCO with 8 devices",
    )
    keep_ratio: bool = Field(
        True, description="keep the shape of a picture and pad below or on the right; false stretches it to the input"
    )
    expand_ratio: float = Field(
        1.0,
        ge=1,
        description="half of the pictures are laid at random on a canvas up to so many times their height "
        "and width, of the mean colour; 1: none",
    )
    scale_range: tuple[PositiveNumber, PositiveNumber] = with_default(
        keys.AugmentationKeys,
        "scale_range",
        (1.0, 1.0),
        "lowest and highest factor on the size that fits the input; what is too large is cut at a random place",
    )


class ResultKeys(keys.ResultKeys):
    """Evaluation, inference and export."""

    SIZE_MULTIPLE = SIZE_MULTIPLE
    file_name: str = with_default(keys.ResultKeys, "file_name", "faster_rcnn")
    export_batch_size: int = Field(1, ge=1, description="images per call of the exported network")
    test_score_thr: float = Field(0.05, ge=0, le=1, description="boxes below this score are dropped")
    test_iou_thr: float = Field(
        0.5, gt=0, le=1, description="IoU above which the lower of two boxes of a class is dropped"
    )
    test_candidates: int = Field(
        2000, ge=1, description="pairs of proposal and class of an image that enter NMS, highest scores first"
    )
    test_max_per_img: int = Field(100, ge=1, description="most boxes kept of an image")
    test_batch_size: int = Field(2, ge=1, description="images that eval.py and infer.py give to the network at once")


class RecordKeys(keys.RecordKeys):
    """MindRecord files of this suite."""

    prefix: str = with_default(keys.RecordKeys, "prefix", "FasterRcnn.mindrecord")
    eval_prefix: str = with_default(keys.RecordKeys, "eval_prefix", "FasterRcnn_eval.mindrecord")


class FasterRcnnConfig(
    ModelArtsKeys,
    ResultKeys,
    test_time.TestTimeKeys,
    AugmentationKeys,
    RcnnKeys,
    RpnKeys,
    NetworkKeys,
    ScheduleKeys,
    RecordKeys,
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

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields a stretched canvas, and a batch with one value for each channel of the coarsest level.

        The moving variance of the one value would be 0 / 0.
        """
        yield from super().contradictions()
        if self.canvas == "picture" and not self.keep_ratio:
            yield Contradiction(
                ("canvas", "keep_ratio"),
                "canvas is picture and keep_ratio false: a picture that chooses its canvas keeps its shape; set canvas "
                "to fixed, or keep_ratio to true",
            )
        is_one_value = self.batch_size * self.img_height * self.img_width == SIZE_MULTIPLE**2
        if is_one_value and self.norm_statistics == "trained":
            yield Contradiction(
                ("batch_size", "img_height", "img_width", "norm_statistics"),
                f"batch_size is 1 and the input {self.img_height} x {self.img_width}: batch norm cannot take the "
                "variance of the one pixel of the coarsest level; raise one of them, or set norm_statistics to frozen",
            )


# What decides which boxes are found, at what size of the pictures.
SELECTION = (
    "img_height",
    "img_width",
    "keep_ratio",
    "test_score_thr",
    "test_iou_thr",
    "test_candidates",
    "test_max_per_img",
    "rpn_nms_pre",
    "rpn_max_num",
    "rpn_nms_thr",
    "rpn_min_bbox_min_size",
    "roi_sampling_ratio",
)
# The entry scripts, and the keys that --help of each shows; the page gives eval.py and export.py a backbone.
COMMANDS = {
    "train.py": CommandKeys(
        "Trains Faster R-CNN with Res2Net and a feature pyramid on a COCO or text data set.",
        most_used="coco_root run_dir epoch_size batch_size lr pre_trained resume num_classes backbone device_target",
        left_out=command_keys.NOT_OF_TRAINING,
    ),
    "eval.py": CommandKeys(
        "Evaluates a checkpoint with the COCO metrics.",
        most_used="checkpoint_path coco_root mindrecord_dir run_dir instance_set val_data_type num_pictures "
        "picture_min_score canvas device_target",
        others=(*command_keys.EVALUATION, *SELECTION, *test_time.KEYS, "test_batch_size", "backbone"),
        checkpoint_key="checkpoint_path",
    ),
    "infer.py": CommandKeys(
        "Draws detections on pictures.",
        most_used="checkpoint_path image_path infer_output_path picture_min_score test_score_thr test_iou_thr "
        "test_max_per_img canvas canvas_sides device_target",
        others=(*command_keys.INFERENCE, *SELECTION, *test_time.KEYS, "test_batch_size"),
        checkpoint_key="checkpoint_path",
    ),
    "export.py": CommandKeys(
        "Exports a checkpoint for inference.",
        most_used="checkpoint_path file_name file_format with_onnx export_batch_size run_dir img_height img_width "
        "test_score_thr test_max_per_img",
        others=(*command_keys.EXPORT, *SELECTION, "only_classes", "backbone"),
        checkpoint_key="checkpoint_path",
    ),
    "convert_checkpoint.py": CommandKeys(
        "Makes a checkpoint from weights of timm, MindCV or MMDetection.",
        most_used="checkpoint_path output ema backbone run_dir overwrite",
        others=(
            *NetworkKeys.FIXED_BY_WEIGHTS,
            *RpnKeys.FIXED_BY_WEIGHTS,
            *RcnnKeys.FIXED_BY_WEIGHTS,
            *command_keys.CONVERSION,
            *SELECTION,
        ),
    ),
}


def load(argv: Sequence[str] | None = None, program: str = "train.py") -> FasterRcnnConfig:
    """Builds the configuration of the command `program`; arguments and errors as `load_config` has them."""
    command = COMMANDS.get(program, COMMANDS["train.py"])
    return load_config(
        FasterRcnnConfig,
        argv,
        suite_dir=SUITE_DIR,
        default_file=DEFAULT_FILE,
        program=program,
        description=command.description,
        checkpoint_key=command.checkpoint_key,
        commands=COMMANDS,
    )
