"""The keys that both detectors have, in groups: data, schedule, augmentation, results. No MindSpore import.

A detector's schema puts them together, sets its own defaults and adds its own keys.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from pydantic import Field, StrictInt

from utils.canvas import CanvasRule, Size
from utils.data_sets.keys import ValShareKeys
from utils.engines.keys import EngineKeys
from utils.exporting.keys import OnnxKeys
from utils.model_utils.config import schema
from utils.model_utils.config.base import (
    COMMAND_LINE,
    Config,
    Contradiction,
    InactiveKey,
    InputText,
    PathText,
    Positive,
    says_true,
)
from utils.model_utils.errors import BadValueError
from utils.words import agreed, counted

logger = logging.getLogger(__name__)

BACKGROUND = "background"
DOCUMENTED_SET = "annotations/instances_{}.json"


class DetectionDataKeys(Config):
    """Boxes in COCO form or in the documented TXT form, and their MindRecord files."""

    GROUP: ClassVar[str] = "Data"
    FIXED_BY_WEIGHTS: ClassVar[tuple[str, ...]] = ("num_classes", "coco_classes")
    OWN_TO_A_COMMAND: ClassVar[tuple[str, ...]] = ("num_parallel_workers", "python_multiprocessing")
    PLACES_OF_DATA: ClassVar[tuple[str, ...]] = ("coco_root", "image_dir", "anno_path", "mindrecord_dir")
    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = ("num_gts",)
    dataset: Literal["coco", "other"] = Field(
        "coco", description="form of the annotations: COCO JSON, or lines of text in anno_path"
    )
    coco_root: PathText | None = Field(
        None, description="folder of a COCO data set, with annotations and the image folders"
    )
    train_data_type: str = Field(
        "train2017",
        min_length=1,
        description="training split: folder of its images in coco_root and word in instance_set",
    )
    val_data_type: str = Field("val2017", min_length=1, description="evaluation split, likewise")
    instance_set: str = Field(
        DOCUMENTED_SET,
        min_length=1,
        description="annotation file, relative to coco_root; {} stands for the split; if it is not set and there is "
        "no such file, the layouts of Roboflow, CVAT, Label Studio and others are searched",
    )
    image_dir: PathText = Field(
        "",
        description="folder of the images, {} stands for the split; empty: the one in coco_root that has them, or "
        "that of anno_path if dataset is other",
    )
    anno_path: PathText = Field(
        "", description="annotations where dataset is other, one line an image; in postprocess.py the COCO JSON"
    )
    mindrecord_dir: PathText | None = Field(
        None, description="folder of the MindRecord files, made where they are missing"
    )
    coco_classes: tuple[str | StrictInt, ...] | None = Field(
        None,
        description="class names without background, or category ids of a COCO JSON; null takes those of the data set",
    )
    num_classes: int | None = Field(
        None, ge=1, description="number of foreground classes; null takes that of the data set"
    )
    ignore_unknown_classes: bool = Field(
        False,
        description="leave classes of the evaluation split that training does not have out of the metric; "
        "otherwise they are refused",
    )
    skip_bad_images: bool = Field(
        False,
        description="leave out images that are missing, unreadable or of another size than annotated; otherwise they "
        "are refused",
    )
    num_gts: int = Field(128, ge=1, description="most boxes of one image that training looks at")
    num_parallel_workers: int = Field(
        8, ge=1, description="threads or processes that read and augment images, at most one per core"
    )
    python_multiprocessing: bool = Field(False, description="processes instead of threads read and augment")

    @classmethod
    def inactive_keys(cls) -> dict[str, InactiveKey]:
        """Adds the keys that launchers used to set."""
        return super().inactive_keys() | {"rank_id": InactiveKey("taken from the environment that the launcher sets")}

    @classmethod
    def normalise(cls, values: dict[str, object], notes: list[str]) -> dict[str, object]:
        """Takes 'background' out of the class names and out of their number; finds the data of a ModelArts job."""
        values = dict(super().normalise(values, notes))
        is_coco = values.get("dataset", "coco") == "coco"
        if (
            says_true(values.get("enable_modelarts"))
            and is_coco
            and not (values.get("coco_root") or values.get("mindrecord_dir"))
        ):
            values["coco_root"] = values["data_path"]
            notes.append("coco_root is data_path, the folder of the data on ModelArts")
        names, number = values.get("coco_classes"), values.get("num_classes")
        if not isinstance(names, list | tuple) or not names:
            return values
        has_background = str(names[0]).lower() == BACKGROUND
        foreground = list(names)[1:] if has_background else list(names)
        values["coco_classes"] = foreground
        if type(number) is int and number == len(foreground) + 1:
            values["num_classes"] = len(foreground)
            used = f"{counted(len(foreground), 'foreground class')} {agreed(len(foreground), 'is', 'are')} used"
            notes.append(f"num_classes {number} counts the background: {used}")
        elif has_background:
            names_used = f"{counted(len(foreground), 'name')} after it {agreed(len(foreground), 'is', 'are')} used"
            notes.append(f"coco_classes begins with 'background': the {names_used}")
        return values

    def finds_layouts(self) -> bool:
        """Returns whether the annotations may be looked for in other places than the documented one."""
        return self.instance_set == DOCUMENTED_SET and self.origin("instance_set").where != COMMAND_LINE

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields the data keys that do not fit each other."""
        yield from super().contradictions()
        names = self.coco_classes
        if names is None:
            return
        if self.num_classes is not None and self.num_classes != len(names):
            yield Contradiction(
                ("num_classes", "coco_classes"),
                f"num_classes is {self.num_classes} and coco_classes has {counted(len(names), 'name')}: "
                f"set num_classes to {len(names)}, or to null",
            )
        repeated = sorted({name for name in names if names.count(name) > 1}, key=str)
        if repeated or not names:
            fault = f"names {repeated} more than once" if repeated else "is empty"
            yield Contradiction(
                ("coco_classes",), f"coco_classes {fault}: give each class one name, or null for those of the data set"
            )


class RecordKeys(ValShareKeys, DetectionDataKeys):
    """Which images a split has, and the names of its MindRecord files."""

    GROUP: ClassVar[str] = "MindRecord files"
    OWN_TO_A_COMMAND: ClassVar[tuple[str, ...]] = ("remake_mindrecord",)
    NEVER_REPEATED: ClassVar[tuple[str, ...]] = ("remake_mindrecord",)
    val_share: float = schema.with_default(
        ValShareKeys,
        "val_share",
        0.0,
        "share of the training images that is kept for evaluation, chosen by their names, if there is no annotation "
        "file for it; eval.py takes it from the checkpoint; 0: none",
    )
    prefix: str = Field(
        "train.mindrecord", min_length=1, description="name of the MindRecord files that train.py reads"
    )
    eval_prefix: str = Field(
        "eval.mindrecord", min_length=1, description="name of the MindRecord files that eval.py reads"
    )
    remake_mindrecord: bool = Field(
        False, description="make the MindRecord files anew where they seem to fit, because images have changed"
    )


class DetectorTrainingKeys(schema.TrainingKeys):
    """What a detector's training starts from."""

    filter_weight: bool = Field(
        False, description="leave the class outputs of pre_trained out, for another set of classes"
    )


class StepScheduleKeys(DetectorTrainingKeys):
    """A learning rate that drops at some epochs; the other schedules are the suites' own."""

    GROUP: ClassVar[str] = "Learning rate schedule"
    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = ("lr_schedule", "lr_steps", "lr_decay")
    lr_schedule: Literal["cosine", "step"] = Field("cosine", description="course of the rate after the warm-up")
    lr_steps: tuple[Positive, ...] = Field(
        (), description="epochs after which the schedule step drops the rate, ascending"
    )
    lr_decay: float = Field(0.1, gt=0, le=1, description="factor on the rate at each of lr_steps")

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields epochs that the schedule step cannot drop the rate at."""
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


class AugmentationKeys(schema.PictureKeys):
    """What training does to the pictures."""

    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = (
        "keep_empty_images",
        "brightness",
        "contrast",
        "saturation",
        "hue",
        "repeat_threshold",
        "copy_paste",
    )
    keep_empty_images: bool = Field(True, description="train on images without a box as well")
    brightness: float = Field(0.0, ge=0, le=1, description="strength of the random change of brightness")
    contrast: float = Field(0.0, ge=0, le=1, description="strength of the random change of contrast")
    saturation: float = Field(0.0, ge=0, le=1, description="strength of the random change of saturation")
    hue: float = Field(
        0.0, ge=0, le=0.5, description="strength of the random change of hue, as a share of the colour circle"
    )
    repeat_threshold: float = Field(
        0.0,
        ge=0,
        le=1,
        description="images of a class that is in a smaller share of the images than this are repeated sqrt(threshold "
        "/ share) times an epoch; 0: none are",
    )
    copy_paste: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the pictures onto which objects of another one are pasted, cut out along the polygons "
        "of the COCO JSON, or along their boxes",
    )


class CanvasKeys(schema.CanvasKeys):
    """The sizes of input of a detector, whose levels have to fit into each other.

    A detector sets `SIZE_MULTIPLE`, of which each side of its input is a multiple.
    """

    SIZE_MULTIPLE: ClassVar[int] = 1
    LEFT_TO_WEIGHTS: ClassVar[tuple[str, ...]] = ("canvas_divisor",)
    canvas_divisor: int | None = Field(
        None,
        ge=1,
        description="both sides of a canvas are multiples of it where canvas is picture; null: as the weights say, "
        "else what the network needs",
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields a divisor that the network cannot take."""
        yield from super().contradictions()
        divisor, multiple = self.canvas_divisor, self.SIZE_MULTIPLE
        if divisor is not None and divisor % multiple:
            yield Contradiction(
                ("canvas_divisor",),
                f"canvas_divisor is {divisor}, wanted a multiple of {multiple}, as the network's levels need it: the "
                f"nearest to use: {nearest_multiples(divisor, multiple)}",
            )

    def canvas_rule(self, fixed: Size) -> CanvasRule | None:
        """Returns how a picture chooses its canvas; None where all have the same.

        Args:
            fixed: height and width of the fixed input, whose sides limit a picture where `canvas_sides` is null.
        """
        if self.canvas != "picture":
            return None
        return CanvasRule(self.canvas_sides or (max(fixed), min(fixed)), self.canvas_divisor or self.SIZE_MULTIPLE)


class ResultKeys(EngineKeys, OnnxKeys, CanvasKeys):
    """Evaluation, inference and export."""

    GROUP: ClassVar[str] = "Evaluation, inference and export"
    OWN_TO_A_COMMAND: ClassVar[tuple[str, ...]] = (
        "checkpoint_path",
        "output",
        "ema",
        "image_path",
        "infer_output_path",
        "file_name",
        "file_format",
        "result_path",
        "make_report",
        "store_thresholds",
    )
    NEVER_REPEATED: ClassVar[tuple[str, ...]] = ("store_thresholds",)
    checkpoint_path: PathText = Field(
        "",
        description="checkpoint that eval.py, infer.py and export.py read, or for the first two an exported ONNX or "
        "MINDIR; weights that convert_checkpoint.py reads",
    )
    output: PathText = Field(
        "", description="file that convert_checkpoint.py writes; empty: the read one's name with .ckpt, in run_dir"
    )
    ema: bool = Field(
        False, description="convert_checkpoint.py takes the averaged weights of a file that has both kinds"
    )
    num_pictures: int = Field(
        16,
        ge=0,
        description="pictures that eval.py draws, evenly spread over the split, with truth and detections side by side",
    )
    picture_min_score: float | None = Field(
        None,
        ge=0,
        le=1,
        description="boxes below this score are not drawn on pictures; null: the score of the best F1, which eval.py "
        "finds and a checkpoint of a training with run_eval stores, else 0.4; a checkpoint of store_thresholds has "
        "one score for each class",
    )
    make_report: bool = Field(
        True, description="eval.py writes report.html: curves, confusions, kinds of errors, and the worst pictures"
    )
    store_thresholds: bool = Field(
        False,
        description="eval.py stores the score of each class's best F1 in a copy of the checkpoint, *_thresholds.ckpt "
        "next to it; infer.py and exported models then draw each class from its score",
    )
    image_path: InputText = Field(
        "",
        description="for infer.py: a picture, a video, a folder of pictures, a pattern in quotes such as 'in/**/*.jpg' "
        "or - for a list of paths on standard input",
    )
    infer_output_path: PathText = Field("infer_result", description="folder for what infer.py writes")
    file_name: str = Field("detector", min_length=1, description="name of the exported file in run_dir, without ending")
    file_format: Literal["auto", "MINDIR", "AIR", "ONNX"] = Field(
        "auto", description="form of the export; auto is AIR on Ascend, else MINDIR"
    )
    result_path: PathText = Field("", description="folder of the binary results that postprocess.py reads")


def match_num_classes(num_classes: int | None, names: Sequence[str], source: str) -> int:
    """Returns the number of foreground classes of a data set after checking the configured one against it.

    Args:
        num_classes: the configured number, None for the data set's; one more than the names counts background.
        names: class names of the data set, without background.
        source: file that the names come from, for the message.

    Raises:
        BadValueError: the numbers differ.
    """
    if num_classes == len(names) + 1:
        logger.info(
            "num_classes %d counts the background: the %s of %s %s used",
            num_classes,
            counted(len(names), "foreground class"),
            source,
            agreed(len(names), "is", "are"),
        )
    elif num_classes not in (None, len(names)):
        raise BadValueError(
            f"num_classes is {num_classes} and {source} has {counted(len(names), 'class')}: "
            f"set --num_classes={len(names)}, or null to take these"
        )
    return len(names)


def nearest_multiples(size: int, multiple: int) -> str:
    """Returns the sides that may stand in for one that is no multiple, for a message: e.g. "96 and 128"."""
    lower = size // multiple * multiple
    return f"{lower} and {lower + multiple}" if lower else f"{multiple}"
