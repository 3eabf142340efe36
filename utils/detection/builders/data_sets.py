"""Splits of both detectors, the batches of a training, and what shows them.

Each `config` is the configuration of a detector, which has the keys of utils.detection.keys.
"""

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from utils.detection.copy_paste.outlines import read_outlines
from utils.detection.copy_paste.pasting import CopyPaste
from utils.detection.data.class_names import ClassTable
from utils.detection.data.mixing.mixed_rows import Mixing
from utils.detection.data.mixing.repeats import repeats_of_rows
from utils.detection.data.splits import CheckClasses, Split, open_split
from utils.detection.data.training_source import MindRecordSource, RowSample, warn_of_same_data
from utils.detection.evaluated.splits import RecordSplit, open_image_files
from utils.detection.keys import AugmentationKeys, DetectionDataKeys, RecordKeys, match_num_classes
from utils.detection.places.split_places import place_of_split, say_place
from utils.detection.results.class_match import refuse_unknown
from utils.detection.results.evaluation_split import EvaluationSplit, prepare_evaluation
from utils.detection.show.batch_view import DetectionBatchView
from utils.detection.test_time.keys import keys_at_test_time
from utils.detection.test_time.rules import wanted_labels
from utils.detection.training_sample import DetectionSample
from utils.model_utils.config.schema import TrainingKeys
from utils.model_utils.config.stored import naming_source
from utils.model_utils.device_adapter import clamp_loaders
from utils.model_utils.errors import BadStateError, BadValueError, os_errors_as
from utils.model_utils.workers import ALONE, Workers
from utils.sharding import shard_epochs

logger = logging.getLogger(__name__)


def open_detection_split(
    config: RecordKeys,
    default_folder: str,
    *,
    is_training: bool,
    form: str | None = None,
    prefix: str | None = None,
    check_classes: CheckClasses | None = None,
    make_in: Path | None = None,
) -> Split:
    """Opens the training or the evaluation split, making its MindRecord files where they are missing.

    Args:
        config: the configuration.
        default_folder: name of the MindRecord files' folder where `mindrecord_dir` is not given.
        is_training: which split.
        form: form of the annotations instead of `dataset`.
        prefix: name of the MindRecord files instead of the configured one.
        check_classes: see `open_split`.
        make_in: see `ensure_mindrecord`.
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
            make_in=make_in,
        )


def open_evaluation_split(
    config: RecordKeys, default_folder: str, classes: ClassTable, model: str, *, trained_on: Split | None = None
) -> EvaluationSplit:
    """Opens the evaluation split and matches its classes with those of the detector; see `prepare_evaluation`.

    Args:
        config: the configuration.
        default_folder: name of the MindRecord files' folder where `mindrecord_dir` is not given.
        classes: of the detector.
        model: where they come from, for messages.
        trained_on: split of the training that evaluates on this one; that both are the same is said.
    """
    ignore = config.ignore_unknown_classes
    wanted = wanted_labels(keys_at_test_time(config), classes.names)

    def check(listed: ClassTable, source: str) -> None:
        refuse_unknown(classes, listed, model=model, source=source, ignore_unknown=ignore)

    split = open_detection_split(config, default_folder, is_training=False, check_classes=check)
    if trained_on is not None:
        warn_of_same_data(trained_on.records, split.records)
    prepared = prepare_evaluation(RecordSplit(split), classes, model=model, ignore_unknown=ignore)
    return prepared if wanted is None else replace(prepared, match=prepared.match.counting(wanted))


def open_image_split(config: RecordKeys, default_folder: str, classes: ClassTable, model: str) -> EvaluationSplit:
    """Opens the evaluation split as `open_evaluation_split` does, from the images as they lie: without MindSpore.

    Args:
        config: the configuration.
        default_folder: name of the MindRecord files' folder, which are not looked at.
        classes: of the detector.
        model: where they come from, for messages.

    Raises:
        MissingPathError: the annotations or images are missing.
        BadValueError: they cannot be used, or have other classes than the detector.
    """
    ignore = config.ignore_unknown_classes
    wanted = wanted_labels(keys_at_test_time(config), classes.names)

    def check(listed: ClassTable, source: str) -> None:
        refuse_unknown(classes, listed, model=model, source=source, ignore_unknown=ignore)

    with naming_source(config, DetectionDataKeys.PLACES_OF_DATA):
        paths = place_of_split(config, default_folder, is_training=False)
        say_place(paths, is_training=False)
        if paths.annotation_file is None or paths.image_dir is None:
            raise BadValueError(
                f"MindRecord files alone are given, and {model} is evaluated on image files: give coco_root or "
                "anno_path, or evaluate the checkpoint"
            )
        split = open_image_files(
            paths, config.coco_classes, skip_bad_images=config.skip_bad_images, check_classes=check
        )
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


def _mixing(config: AugmentationKeys, split: Split) -> Mixing:
    """Builds what lays objects of one picture on another."""
    file, outlines = split.annotation_file, None
    if file is not None and file.is_file():
        outlines = read_outlines(file, split.digest)
    else:
        logger.info("copy_paste: without a COCO JSON there are no polygons, so objects are cut out along their boxes")
    return Mixing(config.copy_paste, CopyPaste(config.scale_range, config.flip_ratio, outlines))


def batch_view(source: MindRecordSource, pos_iou: float, min_pos_iou: float = 0.0) -> DetectionBatchView:
    """Builds what shows the batches of a source; for the thresholds see `DetectionBatchView`."""
    assert isinstance(source.sample, DetectionSample), "a detector is trained on boxes"
    return DetectionBatchView(source, source.sample, source.records.class_names, pos_iou, min_pos_iou)


@contextlib.contextmanager
def open_batch_view(
    config: RecordKeys,
    default_folder: str,
    make_source: Callable[[Split], MindRecordSource],
    make_view: Callable[[MindRecordSource], DetectionBatchView],
) -> Iterator[DetectionBatchView]:
    """Opens the training split and yields what shows its batches, as one worker would train on them.

    The data set stays as it is: MindRecord files that it lacks are made in a temporary folder, unless `mindrecord_dir`
    is given.

    Args:
        config: the configuration.
        default_folder: name of the MindRecord files' folder where `mindrecord_dir` is not given.
        make_source: builds the batches of a split.
        make_view: builds what shows them.
    """
    with contextlib.nullcontext() if config.mindrecord_dir else _temporary_folder() as make_in:
        split = open_detection_split(config, default_folder, is_training=True, make_in=make_in)
        count_classes(config, split)
        yield make_view(make_source(split))


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    with contextlib.ExitStack() as stack:
        with os_errors_as(
            BadStateError, "no temporary folder can be made", "; set TMPDIR to a folder that you may write to"
        ):
            name = stack.enter_context(tempfile.TemporaryDirectory(prefix="mindrecord-"))
        yield Path(name)
