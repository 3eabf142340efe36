"""What the build.py of both detectors make alike: splits, batches, evaluators, picture detectors, descriptions.

Each `config` is the configuration of a detector, which has the keys of utils.detection.keys.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from mindspore import nn

from utils.canvas import Size, follows_pictures, log_fixed_on_ascend
from utils.cpu_kernels.choice import stock_operators
from utils.detection.canvases.detectors import CanvasDetectors
from utils.detection.copy_paste.outlines import read_outlines
from utils.detection.copy_paste.pasting import CopyPaste
from utils.detection.data.class_names import ClassTable, resolve_classes
from utils.detection.data.mixing.mixed_rows import Mixing
from utils.detection.data.mixing.repeats import repeats_of_rows
from utils.detection.data.splits import CheckClasses, Split, open_split
from utils.detection.data.training_source import MindRecordSource, RowSample, warn_of_random_weights
from utils.detection.detections import Detector
from utils.detection.inputs import InputSettings
from utils.detection.keys import (
    AugmentationKeys,
    CanvasKeys,
    DetectionDataKeys,
    DetectorTrainingKeys,
    RecordKeys,
    ResultKeys,
    match_num_classes,
)
from utils.detection.layers import FROZEN
from utils.detection.network_detector import NetworkDetector, SecondView
from utils.detection.places.split_places import place_of_split, say_place
from utils.detection.results.class_match import refuse_unknown
from utils.detection.results.evaluation import DetectionEvaluator
from utils.detection.results.evaluation_split import EvaluationSplit, prepare_evaluation
from utils.detection.results.picture_detector import PictureDetector
from utils.detection.results.pictures.operating_point import (
    CLASS_MIN_SCORES,
    PICTURE_MIN_SCORE,
    stored_min_score,
)
from utils.detection.show.batch_view import DetectionBatchView
from utils.detection.test_time.keys import TestTimeKeys
from utils.detection.test_time.mirror import mirror_content
from utils.detection.test_time.rules import suppression_rule, wanted_labels
from utils.detection.test_time.selection import SuppressionRule
from utils.detection.training_sample import DetectionSample
from utils.exporting.description import ModelDescription, Preprocessing, Setting, TensorDescription
from utils.exporting.export import ExportedModel, share_weights
from utils.model_utils.config.base import COMMAND_LINE, Config
from utils.model_utils.config.schema import TrainingKeys
from utils.model_utils.config.stored import naming_source
from utils.model_utils.device_adapter import clamp_loaders
from utils.model_utils.workers import ALONE, Workers
from utils.training.assembly import shard_epochs
from utils.training.checkpoints.checkpoint import Checkpoint
from utils.training.checkpoints.loading import ALL_OUTPUTS, Allowed, Classes, load_weights
from utils.training.checkpoints.stored_keys import configure_as_stored, naming_other_network, stored_keys

logger = logging.getLogger(__name__)

Network = TypeVar("Network", bound=nn.Cell)
Inference = TypeVar("Inference", bound=nn.Cell)
Configuration = TypeVar("Configuration", bound=DetectionDataKeys)


def open_detection_split(
    config: RecordKeys,
    default_folder: str,
    *,
    is_training: bool,
    form: str | None = None,
    prefix: str | None = None,
    check_classes: CheckClasses | None = None,
) -> Split:
    """Opens the training or the evaluation split, making its MindRecord files where they are missing.

    Args:
        config: the configuration.
        default_folder: name of the MindRecord files' folder where `mindrecord_dir` is not given.
        is_training: which split.
        form: form of the annotations instead of `dataset`.
        prefix: name of the MindRecord files instead of the configured one.
        check_classes: see `open_split`.
    """
    with naming_source(config, DetectionDataKeys.PLACES_OF_DATA):
        paths = place_of_split(config, default_folder, is_training=is_training, form=form, prefix=prefix)
        say_place(paths, is_training=is_training)
        return open_split(
            paths,
            config.coco_classes,
            for_training=is_training,
            skip_bad_images=config.skip_bad_images,
            remake_before=config.built_at if config.remake_mindrecord else None,
            check_classes=check_classes,
        )


def open_evaluation_split(config: RecordKeys, default_folder: str, classes: ClassTable, model: str) -> EvaluationSplit:
    """Opens the evaluation split and matches its classes with those of the detector; see `prepare_evaluation`.

    Args:
        config: the configuration.
        default_folder: name of the MindRecord files' folder where `mindrecord_dir` is not given.
        classes: of the detector.
        model: where they come from, for messages.
    """
    ignore = config.ignore_unknown_classes
    wanted = wanted_labels(_tools(config), classes.names)

    def check(listed: ClassTable, source: str) -> None:
        refuse_unknown(classes, listed, model=model, source=source, ignore_unknown=ignore)

    split = open_detection_split(config, default_folder, is_training=False, check_classes=check)
    prepared = prepare_evaluation(split, classes, model=model, ignore_unknown=ignore)
    return prepared if wanted is None else replace(prepared, match=prepared.match.counting(wanted))


def count_classes(config: DetectionDataKeys, split: Split) -> int:
    """Returns the number of foreground classes of a split after checking `num_classes` against it."""
    source = split.annotation_file or split.records.files[0]
    return match_num_classes(config.num_classes, split.records.class_names, str(source))


def training_source(config: RecordKeys, split: Split, sample: RowSample, workers: Workers = ALONE) -> MindRecordSource:
    """Builds the batches that a worker of a run trains on; `sample` prepares an image."""
    assert isinstance(config, AugmentationKeys) and isinstance(config, TrainingKeys), "it trains"
    rows = split.training_rows(config.keep_empty_images)
    threshold = config.repeat_threshold
    repeats = repeats_of_rows(split.records, rows, threshold) if threshold > 0 else None
    return MindRecordSource(
        records=split.records,
        rows=rows,
        epochs=shard_epochs(config, len(rows), workers, repeats),
        sample=sample,
        num_loaders=clamp_loaders(config.num_parallel_workers),
        multiprocessing=config.python_multiprocessing,
        mixing=_mixing(config, split) if config.copy_paste > 0 else None,
    )


def batch_view(source: MindRecordSource, pos_iou: float, min_pos_iou: float = 0.0) -> DetectionBatchView:
    """Builds what shows the batches of a source; for the thresholds see `DetectionBatchView`."""
    assert isinstance(source.sample, DetectionSample), "a detector is trained on boxes"
    return DetectionBatchView(source, source.sample, source.records.class_names, pos_iou, min_pos_iou)


def _mixing(config: AugmentationKeys, split: Split) -> Mixing:
    """Builds what lays objects of one picture on another."""
    file, outlines = split.annotation_file, None
    if file is not None and file.is_file():
        outlines = read_outlines(file, split.digest)
    else:
        logger.info("copy_paste: without a COCO JSON there are no polygons, so objects are cut out along their boxes")
    return Mixing(config.copy_paste, CopyPaste(config.scale_range, config.flip_ratio, outlines))


def evaluation_inputs(config: CanvasKeys, inputs: InputSettings) -> InputSettings:
    """Returns what the network takes in evaluation and inference; `inputs` are those of training and of an export."""
    return replace(inputs, rule=config.canvas_rule(inputs.size) if follows_pictures(config) else None)


def canvas_detectors(
    config: CanvasKeys, inputs: InputSettings, make: Callable[[Size], NetworkDetector], *, is_repeated: bool
) -> CanvasDetectors:
    """Builds what evaluation and inference ask for detections.

    Args:
        config: the configuration.
        inputs: those of training.
        make: makes the detector of a (height, width).
        is_repeated: a training comes back to every canvas; else each is done with when the next one comes.
    """
    log_fixed_on_ascend(config, inputs.size)
    if not is_repeated and (idle := config.format_idle_keys()):
        logger.warning("%s", idle)
    return CanvasDetectors(make, config.max_canvases if is_repeated else 1)


def evaluator(
    config: RecordKeys,
    detector: Detector,
    split: EvaluationSplit,
    inputs: InputSettings,
    batch_size: int,
    workers: Workers = ALONE,
) -> DetectionEvaluator:
    """Builds what evaluates a detector on a split, each worker its share."""
    assert isinstance(config, ResultKeys), "a detector has the keys of its results"
    return DetectionEvaluator(
        detector=detector,
        split=split,
        inputs=evaluation_inputs(config, inputs),
        batch_size=min(batch_size, split.records.num_images),
        num_loaders=clamp_loaders(config.num_parallel_workers),
        picture_min_score=config.picture_min_score,
        workers=workers,
    )


def picture_detector(
    config: DetectionDataKeys, detector: Detector, num_pictures: int, inputs: InputSettings, batch_size: int
) -> PictureDetector:
    """Builds what detects in image files."""
    assert isinstance(config, CanvasKeys), "a detector has the keys of its canvas"
    return PictureDetector(
        detector,
        evaluation_inputs(config, inputs),
        min(batch_size, num_pictures),
        clamp_loaders(config.num_parallel_workers),
    )


def load_pretrained(
    config: DetectorTrainingKeys,
    network: nn.Cell,
    pretrained: Checkpoint | None,
    *,
    classes: Classes,
    beside_backbone: tuple[str, ...],
    frozen_stages: int,
    norm_statistics: str,
) -> None:
    """Loads `pre_trained`, a detector or a backbone; without it says which keys are meant for pretrained weights.

    Args:
        config: the configuration.
        network: the detector.
        pretrained: the checkpoint.
        classes: of the detector; outputs of classes that the weights have by name too are kept, unless `filter_weight`
            leaves all of them out.
        beside_backbone: beginnings of the names that a backbone does not have.
        frozen_stages: stages of the backbone that are not trained.
        norm_statistics: the key of this name.
    """
    if pretrained is None:
        warn_of_random_weights(frozen_stages, norm_statistics == FROZEN)
        return
    left_out = tuple(each.layer for each in classes.outputs) if config.filter_weight else ()
    allowed = Allowed(
        missing=config.allow_missing,
        misshaped=config.allow_mismatch,
        left_out=left_out,
        parts={"backbone": beside_backbone},
    )
    with naming_other_network(config, pretrained):
        load_weights(network, pretrained, allowed, ALL_OUTPUTS if config.filter_weight else classes)


def configure_detector(
    config: Configuration, stored: Checkpoint, seen: Mapping[str, object] | None = None
) -> Configuration:
    """Returns the configuration of a checkpoint's detector; see `configure_as_stored`.

    Its weights say how many classes there are. `coco_classes` says which categories of a data set are wanted: as typed;
    as a YAML file says, where the checkpoint has all of these names; else as the training asked its own data.

    Args:
        config: of the command.
        stored: the checkpoint.
        seen: keys that its weights show.
    """
    names: Sequence[str | int] | None = config.coco_classes
    known = set(stored.class_names)
    if config.origin("coco_classes").where != COMMAND_LINE:
        is_known = {name for name in names or () if isinstance(name, str)} <= known
        if not names or not known or not is_known:
            names = _classes_of_training(stored) or (None if known else names)
    return configure_as_stored(config, stored, {**(seen or {}), "num_classes": None, "coco_classes": names})


def _classes_of_training(stored: Checkpoint) -> Sequence[str | int] | None:
    """Returns `coco_classes` of a checkpoint's training; None where its classes are not those."""
    own: Any = stored_keys(stored).get("coco_classes")
    known = tuple(stored.class_names)
    if not isinstance(own, list | tuple) or not known:
        return own or None
    numbered = dict(zip(stored.category_ids, known, strict=False))
    return own if tuple(numbered.get(entry, entry) for entry in own) == known else None


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
        allow_unknown=config.ignore_unknown_classes,
    )
    wanted_labels(_tools(config), classes.names)  # what cannot be found is refused before data are read
    network = make_network(match_num_classes(config.num_classes, classes.names, str(stored.path)))
    load_weights(network, stored)
    stored.release()
    return network, _with_min_scores(classes, stored)


def _with_min_scores(classes: ClassTable, stored: Checkpoint) -> ClassTable:
    """Returns the classes with the scores that a checkpoint has: those of store_thresholds, else those of its run."""
    scores = stored.min_scores
    if scores is None or len(scores["by_class"]) != len(classes.names):
        return replace(classes, picture_min_score=stored_min_score(stored.best))
    return replace(classes, picture_min_score=scores["overall"], class_min_scores=tuple(scores["by_class"]))


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


def detection_rule(
    config: CanvasKeys, class_names: Sequence[str], *, min_score: float, nms_threshold: float, max_boxes: int
) -> SuppressionRule:
    """Returns how candidates become detections, and says which keys are without effect.

    Args:
        config: the configuration.
        class_names: of the detector.
        min_score: the suite's key for the lowest score.
        nms_threshold: its key for the IoU of suppression.
        max_boxes: its key for the boxes of a picture.
    """
    tools = _tools(config)
    for sentence in tools.idle_tools():
        logger.warning("%s", sentence)
    labels = wanted_labels(tools, class_names)
    return suppression_rule(tools, labels, min_score=min_score, nms_threshold=nms_threshold, max_boxes=max_boxes)


def second_view(rule: SuppressionRule) -> SecondView | None:
    """Returns what makes the mirror images that a rule wants to be looked at too, if it does."""
    return mirror_content if rule.merge else None


def _tools(config: Config) -> TestTimeKeys:
    assert isinstance(config, TestTimeKeys), "a detector has the keys of what it may do at test time"
    return config


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
