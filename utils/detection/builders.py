"""What the build.py of both detectors make alike: splits, batches, evaluators, picture detectors, descriptions.

A build.py, which alone sees the configuration, passes named values; where they are many, `values_of` takes them out of
it by their names.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
from mindspore import nn

from utils.cpu_kernels.choice import stock_operators
from utils.detection.data.class_names import ClassTable, resolve_classes
from utils.detection.data.splits import Split, open_split, split_paths
from utils.detection.data.training_source import MindRecordSource, RowSample
from utils.detection.detections import Detector
from utils.detection.inputs import InputSettings
from utils.detection.keys import match_num_classes
from utils.detection.results.evaluation import DetectionEvaluator
from utils.detection.results.picture_detector import PictureDetector
from utils.exporting.description import ModelDescription, Preprocessing, TensorDescription
from utils.exporting.export import ExportedModel, share_weights
from utils.model_utils.device_adapter import clamp_workers
from utils.model_utils.workers import ALONE, Workers
from utils.sharding import ShardedEpochs
from utils.training.checkpoints.checkpoint import Checkpoint
from utils.training.checkpoints.loading import load_weights

Network = TypeVar("Network", bound=nn.Cell)
Inference = TypeVar("Inference", bound=nn.Cell)
Values = TypeVar("Values")


@dataclasses.dataclass(frozen=True)
class SplitValues:
    """The values of the keys that say where the data lies; each key's own description is in `DetectionDataKeys`."""

    dataset: str
    train_data_type: str
    val_data_type: str
    coco_root: str | None
    instance_set: str
    anno_path: str
    image_dir: str
    mindrecord_dir: str | None
    prefix: str
    eval_prefix: str
    coco_classes: tuple[str, ...] | None


def values_of(kind: type[Values], config: object) -> Values:
    """Returns a frozen dataclass whose fields are the keys of the same names."""
    return kind(**{field.name: getattr(config, field.name) for field in dataclasses.fields(kind)})


def open_detection_split(
    values: SplitValues, default_folder: str, *, is_training: bool, form: str | None = None, prefix: str | None = None
) -> Split:
    """Opens the training or the evaluation split, making its MindRecord files where they are missing.

    Args:
        values: where the data lies.
        default_folder: name of the MindRecord files' folder where `mindrecord_dir` is not given.
        is_training: which split.
        form: form of the annotations instead of `dataset`.
        prefix: name of the MindRecord files instead of the configured one.
    """
    paths = split_paths(
        form=form or values.dataset,
        split=values.train_data_type if is_training else values.val_data_type,
        coco_root=values.coco_root,
        instance_set=values.instance_set,
        anno_path=values.anno_path,
        image_dir=values.image_dir,
        mindrecord_dir=values.mindrecord_dir,
        default_folder=default_folder,
        prefix=prefix or (values.prefix if is_training else values.eval_prefix),
    )
    return open_split(paths, values.coco_classes)


def count_classes(configured: int | None, split: Split) -> int:
    """Returns the number of foreground classes of a split after checking `num_classes` against it."""
    source = split.annotation_file or split.records.files[0]
    return match_num_classes(configured, split.records.class_names, str(source))


def training_source(
    split: Split,
    rows: np.ndarray,
    epochs: ShardedEpochs,
    sample: RowSample,
    *,
    num_parallel_workers: int,
    python_multiprocessing: bool,
) -> MindRecordSource:
    """Builds the batches that a worker of a run trains on.

    Args:
        split: the training split.
        rows: int64[N], which of its images are trained on.
        epochs: of these N images.
        sample: prepares an image.
        num_parallel_workers: the key of this name.
        python_multiprocessing: the key of this name.
    """
    return MindRecordSource(
        records=split.records,
        rows=rows,
        epochs=epochs,
        sample=sample,
        num_loaders=clamp_workers(num_parallel_workers),
        multiprocessing=python_multiprocessing,
    )


def evaluator(
    detector: Detector,
    split: Split,
    inputs: InputSettings,
    *,
    batch_size: int,
    num_parallel_workers: int,
    picture_min_score: float,
    workers: Workers = ALONE,
) -> DetectionEvaluator:
    """Builds what evaluates a detector on a split, each worker its share."""
    return DetectionEvaluator(
        detector=detector,
        records=split.records,
        ground_truth=split.ground_truth,
        inputs=inputs,
        batch_size=min(batch_size, split.records.num_images),
        num_loaders=clamp_workers(num_parallel_workers),
        picture_min_score=picture_min_score,
        workers=workers,
    )


def picture_detector(
    detector: Detector, inputs: InputSettings, *, num_pictures: int, batch_size: int, num_parallel_workers: int
) -> PictureDetector:
    """Builds what detects in image files."""
    return PictureDetector(detector, inputs, min(batch_size, num_pictures), clamp_workers(num_parallel_workers))


def load_detector(
    stored: Checkpoint,
    count: int,
    make_network: Callable[[int], Network],
    *,
    num_classes: int | None,
    coco_classes: tuple[str, ...] | None,
) -> tuple[Network, ClassTable]:
    """Builds the detector of a checkpoint and loads its weights.

    Args:
        stored: the checkpoint.
        count: foreground classes that its class outputs are of.
        make_network: builds the detector for a number of classes.
        num_classes: the key of this name.
        coco_classes: the key of this name.

    Raises:
        BadValueError: `num_classes` or `coco_classes` contradicts it.
    """
    classes = resolve_classes(
        count,
        stored.path,
        stored_names=stored.class_names,
        stored_ids=stored.category_ids,
        configured_names=coco_classes,
    )
    network = make_network(match_num_classes(num_classes, classes.names, str(stored.path)))
    load_weights(network, stored)
    return network, classes


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


def describe_detector(
    suite: str,
    model: ExportedModel,
    classes: ClassTable,
    inputs: InputSettings,
    *,
    tensors: tuple[TensorDescription, ...],
    postprocessing: Mapping[str, object],
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
        postprocessing=dict(postprocessing),
    )
