"""Which classes a detector has: from its checkpoint, else from the configuration, else COCO's, else numbered ones."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.detection.annotations.coco_names import COCO_CATEGORY_IDS, COCO_CLASSES
from utils.model_utils.errors import BadValueError
from utils.words import counted

MAX_NAMES = 10  # of a list in a sentence: own classes are seldom more, and COCO's 80 would hide the sentence

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClassTable:
    """The classes of a detector.

    Attributes:
        names: name of each class index.
        category_ids: id of each class index in COCO result files.
        is_named: the names are known; False where a checkpoint has none, so that they were made up.
        picture_min_score: score from which the detector's boxes are worth drawing; None where its checkpoint has none.
        class_min_scores: the same of each class index, which counts before it; empty where its checkpoint has none.
    """

    names: tuple[str, ...]
    category_ids: tuple[int, ...]
    is_named: bool = True
    picture_min_score: float | None = None
    class_min_scores: tuple[float, ...] = ()


def resolve_classes(
    num_classes: int,
    source: Path,
    *,
    stored_names: Sequence[str],
    stored_ids: Sequence[int],
    configured_names: Sequence[str | int] | None,
    allow_unknown: bool = False,
) -> ClassTable:
    """Returns the classes of a checkpoint; its own names count, `coco_classes` may have some of them in any order.

    Args:
        num_classes: foreground classes of the checkpoint's network.
        source: the checkpoint, for messages.
        stored_names: names that the checkpoint carries; empty in files that have none.
        stored_ids: category ids that it carries, likewise.
        configured_names: the key `coco_classes`; its ids are those of data and say nothing about a checkpoint.
        allow_unknown: `coco_classes` may have names that the checkpoint does not have: they are those of data.

    Raises:
        BadValueError: `coco_classes` has names that the checkpoint does not have, or, where it has none, another number
            of them.
    """
    names = tuple(name for name in configured_names or () if isinstance(name, str))
    has_names = len(stored_names) == num_classes
    unknown = [name for name in names if name not in stored_names]
    if names and len(names) != num_classes and (not has_names or (unknown and not allow_unknown)):
        raise BadValueError(
            f"coco_classes has {counted(len(names), 'name')} and '{source}' {counted(num_classes, 'class')}: list the "
            "names that it was trained with, or set coco_classes to null"
        )
    if has_names:
        stored = tuple(stored_names)
        if unknown and not allow_unknown:
            raise BadValueError(
                f"coco_classes has {list_names(unknown)}, which '{source}' was not trained with: set coco_classes to "
                f"null, or to names of {list_names(stored)}"
            )
        ids = tuple(stored_ids) if len(stored_ids) == num_classes else _ids_of(stored)
        return ClassTable(stored, ids)
    if not names:
        is_coco = num_classes == len(COCO_CLASSES)
        names = COCO_CLASSES if is_coco else numbered_names(num_classes)
        logger.warning(
            "'%s' carries no class names: %s are used; set coco_classes for others",
            source,
            "COCO's" if is_coco else f"class_0 to class_{num_classes - 1}",
        )
        return ClassTable(names, _ids_of(names), is_named=False)
    return ClassTable(names, _ids_of(names))


def classes_of_weights(
    num_classes: int, source: Path, *, stored_names: Sequence[str], configured_names: Sequence[str | int] | None
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Returns names and category ids of the classes of a published detector; none where they are not known.

    Its file's own names count, in their order; else `coco_classes`, which also gives the file's classes other names;
    else COCO's where it has as many.

    Args:
        num_classes: foreground classes of the weights.
        source: their file, for messages.
        stored_names: names that the file says; of another number they are those of a data set that it began with.
        configured_names: the key `coco_classes`.

    Raises:
        BadValueError: `coco_classes` has another number of names, another order than the file, or a category id, as
            there is no annotation file that it could be looked up in.
    """
    ids = [entry for entry in configured_names or () if type(entry) is int]
    if ids:
        raise BadValueError(f"coco_classes has the category id {ids[0]}, wanted the names of the classes: list names")
    stored = tuple(stored_names) if len(stored_names) == num_classes else ()
    names = tuple(str(name) for name in configured_names or ())
    if names and len(names) != num_classes:
        raise BadValueError(
            f"coco_classes has {counted(len(names), 'name')} and '{source}' {counted(num_classes, 'class')}: list the "
            "names that it was trained with, or set coco_classes to null"
        )
    if names and stored and names != stored and set(names) == set(stored):
        raise BadValueError(
            f"coco_classes is {list_names(names)}, and the class outputs of '{source}' are in the order "
            f"{list_names(stored)}: set coco_classes to null, the file's order counts"
        )
    names = names or stored or (COCO_CLASSES if num_classes == len(COCO_CLASSES) else ())
    id_of = dict(zip(COCO_CLASSES, COCO_CATEGORY_IDS, strict=True))
    return names, tuple(id_of[name] for name in names) if set(names) == set(COCO_CLASSES) else ()


def numbered_names(count: int) -> tuple[str, ...]:
    """Returns the names that stand in for unknown ones: class_0, class_1, ..."""
    return tuple(f"class_{index}" for index in range(count))


def list_names(names: Sequence[str]) -> str:
    """Returns e.g. `'ant', 'bee'`; of a long list the first ten and how many there are."""
    shown = ", ".join(repr(name) for name in names[:MAX_NAMES])
    return f"{shown} ... ({len(names)} names)" if len(names) > MAX_NAMES else shown


def _ids_of(names: tuple[str, ...]) -> tuple[int, ...]:
    """Returns COCO's category ids for COCO's classes, else 1, 2, ..., as text annotations are numbered."""
    return COCO_CATEGORY_IDS if names == COCO_CLASSES else tuple(range(1, len(names) + 1))
