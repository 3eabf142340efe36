"""The weights of both detectors: those that a training begins with, and those of a checkpoint.

Each `config` is the configuration of a detector, which has the keys of utils.detection.keys.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from mindspore import nn

from utils.detection.data.class_names import ClassTable, resolve_classes
from utils.detection.data.training_source import warn_of_random_weights
from utils.detection.keys import DetectionDataKeys, DetectorTrainingKeys, match_num_classes
from utils.detection.layers import FROZEN
from utils.detection.results.pictures.operating_point import stored_min_score
from utils.detection.test_time.keys import keys_at_test_time
from utils.detection.test_time.rules import wanted_labels
from utils.model_utils.config.base import COMMAND_LINE
from utils.training.checkpoints.checkpoint import Checkpoint
from utils.training.checkpoints.loading import ALL_OUTPUTS, Allowed, Classes, load_weights
from utils.training.checkpoints.stored_keys import configure_as_stored, naming_other_network, stored_keys

Network = TypeVar("Network", bound=nn.Cell)
Configuration = TypeVar("Configuration", bound=DetectionDataKeys)


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
    wanted_labels(keys_at_test_time(config), classes.names)  # what cannot be found is refused before data are read
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
