"""Where the split of a command lies: what its keys say, what is found in the data set, which side of `val_share`."""

import functools
import logging
from dataclasses import replace
from pathlib import Path

from utils.data_sets.val_share import ValShare
from utils.detection.annotations.sides import EVALUATION, TRAINING, Side
from utils.detection.data.layouts.split_paths import SplitPaths, split_paths
from utils.detection.keys import DetectionDataKeys, RecordKeys
from utils.model_utils.config.schema import TrainingKeys
from utils.model_utils.config.stored import CHECKPOINT, naming_source
from utils.model_utils.errors import BadValueError

logger = logging.getLogger(__name__)


def place_of_split(
    config: RecordKeys, default_folder: str, *, is_training: bool, form: str | None = None, prefix: str | None = None
) -> SplitPaths:
    """Works out where the training or the evaluation split lies.

    With `val_share` both are of the training's annotation file, each a side of it.

    Args:
        config: the configuration.
        default_folder: name of the MindRecord files' folder where `mindrecord_dir` is not given.
        is_training: which split.
        form: form of the annotations instead of `dataset`.
        prefix: name of the MindRecord files instead of the configured one.

    Raises:
        BadValueError: a key is missing, or `val_share` is asked for and there is a file for the evaluation.
        MissingPathError: `coco_root` is no folder.
    """
    places = functools.partial(_places, config, default_folder, form or config.dataset)
    prefix = prefix or (config.prefix if is_training else config.eval_prefix)
    if not config.val_share:
        return places(config.train_data_type if is_training else config.val_data_type, prefix)
    training = places(config.train_data_type, prefix)
    evaluation = places(config.val_data_type, prefix, or_test=False)
    is_stored = config.origin("val_share").where.startswith(CHECKPOINT)
    if _has_other_file(evaluation, training):
        if is_stored and not is_training:  # another data set than that of the training
            logger.info(
                "all of '%s' is evaluated: val_share is only for data sets with one annotation file",
                evaluation.annotation_file,
            )
            return evaluation
        raise BadValueError(_two_files(config, training, evaluation))
    if is_stored and not _has_annotations(training):
        return evaluation  # finished MindRecord files, which say themselves what they hold
    if is_stored:
        logger.info("val_share comes from the %s: --val_share=0 evaluates all images", config.origin("val_share"))
    val_share = ValShare(config.val_share, config.val_seed, config.val_group_by_stem)
    return replace(training, side=Side(val_share, TRAINING if is_training else EVALUATION))


def say_place(paths: SplitPaths, *, is_training: bool) -> None:
    """Says what was found in another layout than the documented one, once."""
    if paths.finding:
        _say(paths.finding)
    if _is_of_all(paths) and paths.side is None and not is_training:
        logger.warning(
            "'%s' is the only annotation file of its data set: if the detector was trained on its images, the metric "
            "shows what was learned by heart; a training with --val_share=0.2 keeps some of them for evaluation",
            paths.annotation_file,
        )


def check_places(config: RecordKeys) -> None:
    """Refuses a training whose keys and data set leave open what is evaluated, before anything is made for it.

    Raises:
        BadValueError: `val_share` and a file for the evaluation, or neither of them.
        MissingPathError: `coco_root` is no folder.
    """
    assert isinstance(config, TrainingKeys), "it trains"
    with naming_source(config, DetectionDataKeys.PLACES_OF_DATA):
        training = place_of_split(config, "", is_training=True)
        if not config.run_eval or config.val_share:
            return
        evaluation = place_of_split(config, "", is_training=False)
    if _is_of_all(evaluation) and evaluation.annotation_file == training.annotation_file:
        raise BadValueError(
            f"coco_root '{config.coco_root}' has one annotation file, '{training.annotation_file}', and no splits: "
            "--val_share=0.2 keeps a fifth of its images for evaluation, --run_eval=False trains on all of them"
        )


@functools.cache
def _say(finding: str) -> None:
    logger.info("%s", finding)


def _places(
    config: RecordKeys, default_folder: str, form: str, split: str, prefix: str, *, or_test: bool = True
) -> SplitPaths:
    return split_paths(
        form=form,
        split=split,
        coco_root=config.coco_root,
        instance_set=config.instance_set,
        anno_path=config.anno_path,
        image_dir=config.image_dir,
        mindrecord_dir=config.mindrecord_dir,
        default_folder=default_folder,
        prefix=prefix,
        finds=config.finds_layouts(),
        or_test=or_test,
    )


def _has_annotations(paths: SplitPaths) -> bool:
    return paths.annotation_file is not None and paths.annotation_file.is_file()


def _has_other_file(evaluation: SplitPaths, training: SplitPaths) -> bool:
    return _has_annotations(evaluation) and evaluation.annotation_file != training.annotation_file


def _is_of_all(paths: SplitPaths) -> bool:
    return paths.found is not None and not paths.found.split


def _two_files(config: RecordKeys, training: SplitPaths, evaluation: SplitPaths) -> str:
    chosen = "anno_path" if training.form == "other" else "instance_set"
    files = [str(Path(paths.annotation_file or "")) for paths in (training, evaluation)]
    return (
        f"val_share is {config.val_share}, and there are files for training and for evaluation, '{files[0]}' and "
        f"'{files[1]}': leave val_share out, or name one file with --{chosen}"
    )
