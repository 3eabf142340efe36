"""Which classes a detector has: from its checkpoint, else from the configuration, else COCO's, else numbered ones."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.detection.data.coco_names import COCO_CATEGORY_IDS, COCO_CLASSES
from utils.detection.data.mindrecord_info import MindRecordInfo
from utils.model_utils.errors import BadValueError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClassTable:
    """The classes of a detector.

    Attributes:
        names: name of each class index.
        category_ids: id of each class index in COCO result files.
        picture_min_score: score from which the detector's boxes are worth drawing; None where its checkpoint has none.
    """

    names: tuple[str, ...]
    category_ids: tuple[int, ...]
    picture_min_score: float | None = None


def resolve_classes(
    num_classes: int,
    source: Path,
    *,
    stored_names: Sequence[str],
    stored_ids: Sequence[int],
    configured_names: Sequence[str] | None,
) -> ClassTable:
    """Returns the classes of a checkpoint.

    Args:
        num_classes: foreground classes of the checkpoint's network.
        source: the checkpoint, for messages.
        stored_names: names that the checkpoint carries; empty in files that have none.
        stored_ids: category ids that it carries, likewise.
        configured_names: the key `coco_classes`.

    Raises:
        BadValueError: `coco_classes` has another number of names, or others than the checkpoint.
    """
    names = tuple(configured_names or ())
    if names and len(names) != num_classes:
        raise BadValueError(
            f"coco_classes has {len(names)} names and '{source}' {num_classes} classes: list the names that it was "
            "trained with, or set coco_classes to null"
        )
    if len(stored_names) == num_classes:
        stored = tuple(stored_names)
        if names and names != stored:
            raise BadValueError(
                f"coco_classes begins {list(names[:3])} and '{source}' was trained with {list(stored[:3])} and so on: "
                "set coco_classes to null, or to the same names in the same order"
            )
        ids = tuple(stored_ids) if len(stored_ids) == num_classes else _ids_of(stored)
        return ClassTable(stored, ids)
    if not names:
        is_coco = num_classes == len(COCO_CLASSES)
        names = COCO_CLASSES if is_coco else tuple(f"class_{index}" for index in range(num_classes))
        logger.warning(
            "'%s' carries no class names: %s are used; set coco_classes for others",
            source,
            "COCO's" if is_coco else f"class_0 to class_{num_classes - 1}",
        )
    return ClassTable(names, _ids_of(names))


def check_same_classes(classes: ClassTable, records: MindRecordInfo, checkpoint: Path) -> None:
    """Refuses to evaluate a detector on data of other classes.

    Args:
        classes: those of the detector.
        records: the data.
        checkpoint: where the detector comes from, for messages.

    Raises:
        BadValueError: their number or, where both have the same names, their order differs.
    """
    names, annotations = tuple(records.class_names), records.files[0]
    if len(names) != len(classes.names):
        raise BadValueError(
            f"'{checkpoint}' detects {len(classes.names)} classes and {annotations} has {len(names)} "
            f"({', '.join(names[:3])} ...): evaluate it on the data set that it was trained on"
        )
    if names != classes.names and sorted(names) == sorted(classes.names):
        raise BadValueError(
            f"'{checkpoint}' has the classes of {annotations} in another order: list them in coco_classes as it has "
            f"them, {', '.join(classes.names)}, and give another mindrecord_dir"
        )


def _ids_of(names: tuple[str, ...]) -> tuple[int, ...]:
    """Returns COCO's category ids for COCO's classes, else 1, 2, ..., as text annotations are numbered."""
    return COCO_CATEGORY_IDS if names == COCO_CLASSES else tuple(range(1, len(names) + 1))
