"""What an evaluation found, how the page words it, and what result.json holds; without MindSpore."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.model_utils.files import RESULT_NAME, json_bytes, write_file
from utils.words import counted

from .metrics import ConfusionMatrix

RULE = "=" * 63  # as long as the documented output has it


@dataclass(frozen=True, eq=False)
class SegmentationEvaluation:
    """One evaluation of a split.

    Attributes:
        matrix: pixels by true and predicted class.
        num_images: images that were evaluated.
        seconds: how long it took.
        num_input_sizes: different sizes that the network was compiled for.
        pictures: file name and uint8[H, W, 3] RGB of each picture that was asked for.
        present: bool[C] of each picture, the classes in its label or its prediction.
        colours: uint8[256, 3], RGB, of each class in them; None where there are none.
    """

    matrix: ConfusionMatrix
    num_images: int
    seconds: float
    num_input_sizes: int
    pictures: tuple[tuple[str, np.ndarray], ...] = ()
    present: tuple[np.ndarray, ...] = ()
    colours: np.ndarray | None = None


def format_result(matrix: ConfusionMatrix, class_names: Sequence[str], checkpoint: str) -> str:
    """Returns the block of the page: the IoU of each class, then their mean and the checkpoint's name."""
    lines = ["====================== Evaluation Result ======================"]
    for name, iou in zip(class_names, matrix.iou(), strict=True):
        lines.append(f"===> class: {name}, IoU: {'absent' if np.isnan(iou) else float(iou)}")
    lines += [RULE, f"===> mIoU: {matrix.mean_iou()}, ckpt: {checkpoint}", RULE]
    return "\n".join(lines)


def format_accuracy(matrix: ConfusionMatrix, class_names: Sequence[str]) -> str:
    """Returns what the page's block leaves out: accuracies, and the classes that are no part of the means."""
    accuracy = matrix.class_accuracy()
    lines = [
        f"===> class: {name}, accuracy: {'not in the labels' if np.isnan(value) else float(value)}"
        for name, value in zip(class_names, accuracy, strict=True)
    ]
    lines += [
        RULE,
        f"===> mean accuracy: {matrix.mean_accuracy()}",
        f"===> pixel accuracy: {matrix.pixel_accuracy()}",
        format_absent(matrix, class_names),
        RULE,
    ]
    return "\n".join(lines)


def format_absent(matrix: ConfusionMatrix, class_names: Sequence[str]) -> str:
    """Returns which classes the mean IoU is over, and which are in none of the labels."""
    names, is_absent = np.array(class_names, object), matrix.is_absent()
    absent, mistaken = names[is_absent], names[matrix.is_unlabelled() & ~is_absent]
    total = len(class_names)
    share = f"{total - len(absent)} of" if len(absent) else "all"
    parts = [f"===> mIoU is over {share} {counted(total, 'class')}"]
    if len(absent):
        parts.append(f"neither labelled nor predicted, so left out: {', '.join(absent)}")
    if len(mistaken):
        parts.append(f"in none of the labels but predicted, so with IoU 0: {', '.join(mistaken)}")
    return "; ".join(parts)


def format_manner(evaluation: SegmentationEvaluation, how: str) -> str:
    """Returns what was evaluated and how, e.g. `evaluated 500 images, whole image in 512x1024; ...`."""
    sizes = evaluation.num_input_sizes
    return (
        f"evaluated {counted(evaluation.num_images, 'image')}, {how}; scored at the size of the labels; the network "
        f"was compiled for {counted(sizes, 'input size')}"
    )


def write_and_print(
    evaluation: SegmentationEvaluation,
    class_names: Sequence[str],
    how: str,
    weights: Path,
    folder: Path,
    *,
    name: str,
    **counts: int,
) -> None:
    """Leaves result.json in a folder and prints the page's block, the accuracies, and what was evaluated and how.

    It is printed also where the file cannot be written: the numbers have taken hours.

    Args:
        evaluation: what was found.
        class_names: name of each class.
        how: how images were predicted, e.g. "whole image in 512x1024".
        weights: file of the weights.
        folder: takes the file.
        name: of the weights, as it is printed.
        counts: more to tell there, by name.
    """
    content = result_of(evaluation, class_names, how, weights) | counts
    try:
        write_run_file(folder / RESULT_NAME, json_bytes(content, indent=2))
    finally:
        print(format_result(evaluation.matrix, class_names, name))
        print(format_accuracy(evaluation.matrix, class_names))
        print(format_manner(evaluation, how))


def result_of(evaluation: SegmentationEvaluation, class_names: Sequence[str], how: str, checkpoint: Path) -> dict:
    """Returns what result.json holds; null stands for what is not defined, e.g. the IoU of an absent class."""
    matrix = evaluation.matrix
    iou, accuracy = iou_by_class(matrix, class_names), _by_name(class_names, matrix.class_accuracy())
    return {
        "mIoU": _number(matrix.mean_iou()),
        "mean_accuracy": _number(matrix.mean_accuracy()),
        "pixel_accuracy": _number(matrix.pixel_accuracy()),
        "num_images": evaluation.num_images,
        "mode": how,
        "checkpoint": str(checkpoint),
        "seconds": round(evaluation.seconds, 1),
        "absent_classes": [name for name, value in iou.items() if value is None],
        "per_class": {name: {"IoU": iou[name], "accuracy": accuracy[name]} for name in iou},
        "confusion_matrix": matrix.counts.tolist(),
    }


def iou_by_class(matrix: ConfusionMatrix, class_names: Sequence[str]) -> dict[str, float | None]:
    """Returns the IoU of each class by its name; None for a class neither labelled nor predicted anywhere."""
    return _by_name(class_names, matrix.iou())


def _by_name(names: Sequence[str], values: np.ndarray) -> dict[str, float | None]:
    return {name: _number(value) for name, value in zip(names, values, strict=True)}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def write_run_file(path: Path, content: bytes) -> None:
    """Writes a file of a run folder, under a temporary name first.

    Raises:
        BadStateError: it cannot be written, e.g. because the disk is full.
    """
    write_file(path, content, "free some space, or choose another --run_dir")
