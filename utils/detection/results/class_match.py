"""Which class of a detector is which category of an evaluation split: the one of the same name."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from utils.detection.data.class_names import ClassTable, list_names
from utils.model_utils.errors import MAX_EXAMPLES, BadValueError, short
from utils.words import agreed, counted

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClassMatch:
    """What the classes of a detector are called in results on a split.

    Attributes:
        classes: the detector's, with the id that each has in results: the split's own for a class of this name. A class
            that the split does not list keeps its id of training unless the split uses that for another, else it gets
            the next number above all ids.
        scored_ids: category ids of the split that count, ascending.
        unscored_ids: ids in results that the split does not list. Nothing is known about such detections: they are
            written and do not count.
    """

    classes: ClassTable
    scored_ids: tuple[int, ...]
    unscored_ids: tuple[int, ...]

    def scored_labels(self) -> np.ndarray:
        """Returns int64[K], the detector's class index of each scored category, by category id."""
        index_of = {number: index for index, number in enumerate(self.classes.category_ids)}
        return np.array([index_of[number] for number in self.scored_ids], np.int64)

    def counting(self, labels: Iterable[int]) -> "ClassMatch":
        """Returns the match for a metric in which some classes alone count, by their indices; the log says which."""
        wanted = [self.classes.category_ids[label] for label in labels]
        scored = tuple(number for number in self.scored_ids if number in wanted)
        logger.info("only_classes: %s of %d in the metric", counted(len(scored), "class"), len(self.scored_ids))
        return replace(self, scored_ids=scored)


def match_classes(
    trained: ClassTable,
    listed: ClassTable,
    *,
    model: str,
    source: str,
    ignore_unknown: bool = False,
    taken_ids: Iterable[int] = (),
) -> ClassMatch:
    """Finds the category of each class by its name; by their numbers where the detector has no names.

    Args:
        trained: classes of the detector.
        listed: classes of the split; none for a file without categories, in which all of the detector's are taken.
        model: where the detector's classes come from, for messages, e.g. "'train.json'".
        source: the split's annotations, likewise.
        ignore_unknown: categories that the detector does not have are left out of the metric.
        taken_ids: further ids that mean something in the split.

    Raises:
        BadValueError: the split has a class that the detector does not have, or the detector has no names and another
            number of classes.
    """
    refuse_unknown(trained, listed, model=model, source=source, ignore_unknown=ignore_unknown)
    listed = _as_twins(trained, listed)
    if not listed.names:
        logger.info("%s lists no categories: the classes are those of %s, with their ids there", source, model)
        return ClassMatch(trained, tuple(sorted(trained.category_ids)), ())
    id_of = dict(zip(listed.names, listed.category_ids, strict=True))
    if _is_by_number(trained, listed):
        id_of = _by_number(trained, listed, model, source)
    unknown = [name for name in id_of if name not in trained.names]
    if unknown:
        logger.warning(
            "%s has %s that %s does not have: %s; %s left out of the metric (ignore_unknown_classes)",
            source,
            counted(len(unknown), "class"),
            model,
            list_names(unknown),
            agreed(len(unknown), "it is", "they are"),
        )
    ids = _result_ids(trained, id_of, {*listed.category_ids, *taken_ids})
    own = {name: number for name, number in zip(trained.names, ids, strict=True) if name not in id_of}
    _say_differences(trained, id_of, own, model, source)
    return ClassMatch(
        classes=ClassTable(trained.names, ids, trained.is_named),
        scored_ids=tuple(sorted(id_of[name] for name in trained.names if name in id_of)),
        unscored_ids=tuple(own.values()),
    )


def refuse_unknown(
    trained: ClassTable, listed: ClassTable, *, model: str, source: str, ignore_unknown: bool = False
) -> None:
    """Refuses a split whose classes cannot be matched; the arguments and errors are those of `match_classes`."""
    if _is_by_number(trained, listed):
        if len(trained.names) != len(listed.names):
            raise BadValueError(
                f"{model} has no class names and {counted(len(trained.names), 'class')}, {source} has "
                f"{len(listed.names)}, {list_names(listed.names)}: list the names that it was trained with in "
                "coco_classes"
            )
        return
    unknown = [name for name in _as_twins(trained, listed).names if name not in trained.names]
    if unknown and (not ignore_unknown or len(unknown) == len(listed.names)):
        raise BadValueError(_unknown_sentence(unknown, trained, listed, model, source))


def _as_twins(trained: ClassTable, listed: ClassTable) -> ClassTable:
    """Returns a split's classes; one of the twins of training, alone in the split, gets its name there, "cat (3)"."""
    names = [
        twin if name not in trained.names and (twin := f"{name} ({number})") in trained.names else name
        for name, number in zip(listed.names, listed.category_ids, strict=True)
    ]
    return replace(listed, names=tuple(names))


def _is_by_number(trained: ClassTable, listed: ClassTable) -> bool:
    return not trained.is_named and not set(listed.names) <= set(trained.names)


def _by_number(trained: ClassTable, listed: ClassTable, model: str, source: str) -> dict[str, int]:
    """Returns the split's ids, in ascending order, for the made-up names of the detector."""
    by_id = sorted(zip(listed.category_ids, listed.names, strict=True))
    logger.warning(
        "%s has no class names: its %s %s taken for %s of %s in the order of their ids, %s; where it was trained with "
        "another order, list that in coco_classes",
        model,
        counted(len(by_id), "class"),
        agreed(len(by_id), "is", "are"),
        agreed(len(by_id), "that", "those"),
        source,
        list_names([name for _, name in by_id]),
    )
    return {name: number for name, (number, _) in zip(trained.names, by_id, strict=True)}


def _unknown_sentence(unknown: list[str], trained: ClassTable, listed: ClassTable, model: str, source: str) -> str:
    advice = "give annotations of the same classes, or correct the names"
    if len(unknown) < len(listed.names):
        advice += "; ignore_unknown_classes=True leaves such classes out of the metric"
    return (
        f"{source} has {list_names(unknown)}, which {model} does not have: it lists {list_names(listed.names)}, "
        f"{model} has {list_names(trained.names)}: {advice}"
    )


def _result_ids(trained: ClassTable, id_of: dict[str, int], taken: set[int]) -> tuple[int, ...]:
    """Returns an id for each class: the split's, else its own of training where that is free, else a new one."""
    matched = [id_of.get(name) for name in trained.names]
    used, ids = set(taken), []
    above = max([*taken, *trained.category_ids, 0])
    for own, number in zip(trained.category_ids, matched, strict=True):
        if number is None:
            number = own if own not in used else above + 1
            above = max(above, number)
            used.add(number)
        ids.append(number)
    return tuple(ids)


def _say_differences(trained: ClassTable, id_of: dict[str, int], own: dict[str, int], model: str, source: str) -> None:
    if own:
        shown = ", ".join(f"{short(name)} ({number})" for name, number in list(own.items())[:MAX_EXAMPLES])
        logger.info(
            "%s does not list %d of the %s of %s: %s detections stand in the predictions under "
            "category ids that it does not have: %s%s",
            source,
            len(own),
            counted(len(trained.names), "class"),
            model,
            agreed(len(own), "it has no AP, and its", "they have no AP, and their"),
            shown,
            ", ..." if len(own) > MAX_EXAMPLES else "",
        )
    ids = dict(zip(trained.names, trained.category_ids, strict=True))
    other = [name for name, number in id_of.items() if ids.get(name, number) != number]
    if other and trained.is_named:
        logger.info(
            "%s has other category ids than %s, first %d for '%s': classes are matched by name",
            source,
            model,
            id_of[other[0]],
            other[0],
        )
