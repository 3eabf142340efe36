"""What both detectors export: a network of MindSpore's own operators, and the description of a file.

Each `config` is the configuration of a detector, which has the keys of utils.detection.keys.
"""

import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

from mindspore import nn

from utils.canvas import Size
from utils.cpu_kernels.choice import stock_operators
from utils.detection.data.class_names import ClassTable
from utils.detection.inputs import InputSettings
from utils.detection.keys import CanvasKeys
from utils.detection.results.pictures.operating_point import CLASS_MIN_SCORES, PICTURE_MIN_SCORE
from utils.exporting.description import ModelDescription, Preprocessing, Setting, TensorDescription
from utils.exporting.export import ExportedModel, share_weights

logger = logging.getLogger(__name__)

Network = TypeVar("Network", bound=nn.Cell)
Inference = TypeVar("Inference", bound=nn.Cell)


def portable(
    network: Network, make_network: Callable[[], Network], make_inference: Callable[[Network], Inference]
) -> Inference:
    """Builds a detector of MindSpore's own operators, the only ones a file can hold, with `network`'s weights.

    Args:
        network: has the weights.
        make_network: builds another of its kind.
        make_inference: puts the decoding on top.
    """
    with stock_operators():
        copy = make_network()
        inference = make_inference(copy)
    share_weights(network, copy)
    return inference


def say_exported_size(config: CanvasKeys, size: Size) -> None:
    """Says which (height, width) an exported file takes, where evaluation and inference choose it by the picture."""
    if config.canvas == "picture":
        logger.info(
            "the file takes one canvas of %d x %d pixels (height x width), onto which every picture is scaled: canvas "
            "picture is for eval.py and infer.py, so that their boxes differ a little from the file's",
            *size,
        )


def describe_detector(
    suite: str,
    model: ExportedModel,
    classes: ClassTable,
    inputs: InputSettings,
    *,
    tensors: tuple[TensorDescription, ...],
    postprocessing: Mapping[str, Setting],
) -> ModelDescription:
    """Describes an exported detector for programs that run it.

    Args:
        suite: name of the suite.
        model: the exported model.
        classes: what it detects.
        inputs: what its pictures are made to.
        tensors: what it takes.
        postprocessing: thresholds and limits, by the names that the suite's postprocess.py knows.
    """
    drawn: dict[str, float | list[float]] = {}
    if classes.picture_min_score is not None:
        drawn[PICTURE_MIN_SCORE] = classes.picture_min_score
    if classes.class_min_scores:
        drawn[CLASS_MIN_SCORES] = list(classes.class_min_scores)
    return ModelDescription(
        suite=suite,
        file=model.file.name,
        file_format=model.file_format,
        inputs=tensors,
        outputs=model.outputs,
        preprocessing=Preprocessing(
            channel_order="RGB",
            resize="keep_ratio" if inputs.keep_ratio else "stretch",
            height=inputs.height,
            width=inputs.width,
            mean=inputs.mean,
            std=inputs.std,
            padding="bottom_right" if inputs.keep_ratio else "none",
        ),
        class_names=classes.names,
        category_ids=classes.category_ids,
        postprocessing={**postprocessing, **drawn},
    )
