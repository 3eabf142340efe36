"""What the build.py of both detectors make alike: splits, batches, evaluators, picture detectors, descriptions.

Each `config` is the configuration of a detector, which has the keys of utils.detection.keys.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from mindspore import nn

from utils.cpu_kernels.choice import stock_operators
from utils.detection.data.class_names import ClassTable, resolve_classes
from utils.detection.data.splits import Split, SplitPaths, open_split, split_paths
from utils.detection.data.training_source import MindRecordSource, RowSample, warn_of_random_weights
from utils.detection.detections import Detector
from utils.detection.inputs import InputSettings
from utils.detection.keys import DetectionDataKeys, RecordKeys, match_num_classes
from utils.detection.layers import FROZEN
from utils.detection.results.evaluation import DetectionEvaluator
from utils.detection.results.picture_detector import PictureDetector
from utils.exporting.description import ModelDescription, Preprocessing, TensorDescription
from utils.exporting.export import ExportedModel, share_weights
from utils.model_utils.config.base import Config
from utils.model_utils.config.stored import naming_checkpoint
from utils.model_utils.device_adapter import clamp_loaders
from utils.model_utils.workers import ALONE, Workers
from utils.training.assembly import shard_epochs
from utils.training.checkpoints.checkpoint import Checkpoint
from utils.training.checkpoints.loading import ALL_OUTPUTS, Allowed, Classes, load_weights
from utils.training.checkpoints.stored_keys import configure_as_stored, naming_other_network, stored_keys

Network = TypeVar("Network", bound=nn.Cell)
Inference = TypeVar("Inference", bound=nn.Cell)
Configuration = TypeVar("Configuration", bound=Config)


def open_detection_split(
    config: RecordKeys, default_folder: str, *, is_training: bool, form: str | None = None, prefix: str | None = None
) -> Split:
    """Opens the training or the evaluation split, making its MindRecord files where they are missing.

    Args:
        config: the configuration.
        default_folder: name of the MindRecord files' folder where `mindrecord_dir` is not given.
        is_training: which split.
        form: form of the annotations instead of `dataset`.
        prefix: name of the MindRecord files instead of the configured one.
    """
    with naming_checkpoint(config, DetectionDataKeys.PLACES_OF_DATA):
        return open_split(_split_paths(config, default_folder, is_training, form, prefix), config.coco_classes)


def _split_paths(
    config: RecordKeys, default_folder: str, is_training: bool, form: str | None, prefix: str | None
) -> SplitPaths:
    return split_paths(
        form=form or config.dataset,
        split=config.train_data_type if is_training else config.val_data_type,
        coco_root=config.coco_root,
        instance_set=config.instance_set,
        anno_path=config.anno_path,
        image_dir=config.image_dir,
        mindrecord_dir=config.mindrecord_dir,
        default_folder=default_folder,
        prefix=prefix or (config.prefix if is_training else config.eval_prefix),
    )


def count_classes(config: DetectionDataKeys, split: Split) -> int:
    """Returns the number of foreground classes of a split after checking `num_classes` against it."""
    source = split.annotation_file or split.records.files[0]
    return match_num_classes(config.num_classes, split.records.class_names, str(source))


def training_source(config: Config, split: Split, sample: RowSample, workers: Workers = ALONE) -> MindRecordSource:
    """Builds the batches that a worker of a run trains on; `sample` prepares an image."""
    rows = split.training_rows(config.keep_empty_images)
    return MindRecordSource(
        records=split.records,
        rows=rows,
        epochs=shard_epochs(config, len(rows), workers),
        sample=sample,
        num_loaders=clamp_loaders(config.num_parallel_workers),
        multiprocessing=config.python_multiprocessing,
    )


def evaluator(
    config: Config, detector: Detector, split: Split, inputs: InputSettings, batch_size: int, workers: Workers = ALONE
) -> DetectionEvaluator:
    """Builds what evaluates a detector on a split, each worker its share."""
    return DetectionEvaluator(
        detector=detector,
        records=split.records,
        ground_truth=split.ground_truth,
        inputs=inputs,
        batch_size=min(batch_size, split.records.num_images),
        num_loaders=clamp_loaders(config.num_parallel_workers),
        picture_min_score=config.picture_min_score,
        workers=workers,
    )


def picture_detector(
    config: DetectionDataKeys, detector: Detector, num_pictures: int, inputs: InputSettings, batch_size: int
) -> PictureDetector:
    """Builds what detects in image files."""
    return PictureDetector(detector, inputs, min(batch_size, num_pictures), clamp_loaders(config.num_parallel_workers))


def load_pretrained(
    config: Config,
    network: nn.Cell,
    pretrained: Checkpoint | None,
    *,
    classes: Classes,
    beside_backbone: tuple[str, ...],
) -> None:
    """Loads `pre_trained`, a detector or a backbone; without it says which keys are meant for pretrained weights.

    Args:
        config: the configuration.
        network: the detector.
        pretrained: the checkpoint.
        classes: of the detector; outputs of classes that the weights have by name too are kept, unless `filter_weight`
            leaves all of them out.
        beside_backbone: beginnings of the names that a backbone does not have.
    """
    if pretrained is None:
        warn_of_random_weights(config.frozen_stages, config.norm_statistics == FROZEN)
        return
    left_out = tuple(each.layer for each in classes.outputs) if config.filter_weight else ()
    allowed = Allowed(
        missing=(*config.allow_missing, *left_out),
        misshaped=(*config.allow_mismatch, *left_out),
        parts={"backbone": beside_backbone},
    )
    with naming_other_network(config, pretrained):
        load_weights(network, pretrained, allowed, ALL_OUTPUTS if config.filter_weight else classes)


def configure_detector(
    config: Configuration, stored: Checkpoint, seen: Mapping[str, object] | None = None
) -> Configuration:
    """Returns the configuration of a checkpoint's detector; see `configure_as_stored`.

    Its weights say how many classes there are. `coco_classes`, by which the data set is asked for its classes, is that
    of the training; a YAML file's counts where it names the checkpoint's classes, or where that names none.

    Args:
        config: of the command.
        stored: the checkpoint.
        seen: keys that its weights show.
    """
    own = tuple(stored_keys(stored).get("coco_classes") or ())
    given, known = tuple(config.coco_classes or ()), tuple(stored.class_names)
    names = next((each for each in (own, given) if each and known in ((), each)), None)
    return configure_as_stored(config, stored, {**(seen or {}), "num_classes": None, "coco_classes": names})


def load_detector(
    config: DetectionDataKeys, stored: Checkpoint, count: int, make_network: Callable[[int], Network]
) -> tuple[Network, ClassTable]:
    """Builds the detector of a checkpoint and takes the weights out of it.

    Args:
        config: the configuration.
        stored: the checkpoint; its arrays are gone afterwards.
        count: foreground classes that its class outputs are of.
        make_network: builds the detector for a number of classes.

    Raises:
        BadValueError: `num_classes` or `coco_classes` contradicts it.
    """
    classes = resolve_classes(
        count,
        stored.path,
        stored_names=stored.class_names,
        stored_ids=stored.category_ids,
        configured_names=config.coco_classes,
    )
    network = make_network(match_num_classes(config.num_classes, classes.names, str(stored.path)))
    load_weights(network, stored)
    stored.release()
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
