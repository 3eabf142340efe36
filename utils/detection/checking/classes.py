"""Class lists: those of the two splits against each other, classes without boxes, names that look alike."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from utils.checking.findings import ERROR, NOTE, WARNING, Findings
from utils.detection.checking.boxes import AnnotatedBoxes
from utils.detection.data.record_types import DetectionDataset
from utils.words import agreed, counted

RARE = 10  # boxes of a class: of fewer a network hardly learns it


def boxes_of_classes(boxes: AnnotatedBoxes) -> np.ndarray:
    """Returns int64[C], the boxes of each class that are no crowds."""
    return np.bincount(boxes.labels[~boxes.is_crowd], minlength=len(boxes.dataset.class_names))


def class_table(splits: Mapping[str, AnnotatedBoxes]) -> dict[str, dict[str, float]]:
    """Returns for each class, those of the first split first, its boxes in each split that lists it."""
    table: dict[str, dict[str, float]] = {}
    for split, boxes in splits.items():
        for name, count in zip(boxes.dataset.class_names, boxes_of_classes(boxes).tolist(), strict=True):
            table.setdefault(name, {})[split] = count
    return table


def add_class_faults(found: Findings, split: str, boxes: AnnotatedBoxes, *, is_training: bool) -> None:
    """Adds classes of a split that have no or few boxes, and names that differ by case or spaces alone."""
    names, counts = boxes.dataset.class_names, boxes_of_classes(boxes)
    absent = [name for name, count in zip(names, counts, strict=True) if not count]
    unscored = "[it has|they have] no AP, and [does|do] not count in the mean"
    what = "[it|they] cannot be learned" if is_training else unscored
    found.add(
        WARNING,
        "classes-without-boxes",
        split,
        len(absent),
        f"[class has|classes have] no box ({counted(len(names), 'class')} {agreed(len(names), 'is', 'are')} listed)",
        f"annotate some, or take [it|them] out of the class list: {what}",
        absent,
    )
    if is_training:
        rare = [f"{name} ({count})" for name, count in zip(names, counts, strict=True) if 0 < count < RARE]
        found.add(
            NOTE,
            "classes-rare",
            split,
            len(rare),
            f"[class has|classes have] fewer than {RARE} boxes",
            "annotate more: so few teach hardly anything",
            rare,
        )
    alike = list(_alike(names, names))
    found.add(
        WARNING,
        "class-names-alike",
        split,
        len(alike),
        "[class name differs|class names differ] from another one only by case, spaces or dashes",
        "if they mean the same, give all of its boxes one category",
        alike,
    )


def add_class_differences(
    found: Findings, trained: tuple[str, DetectionDataset], examined: tuple[str, DetectionDataset], ignores: bool
) -> None:
    """Adds in what the class lists of the training and the evaluation split differ; `ignores` is the key's value."""
    (first, training), (second, evaluation) = trained, examined
    both = f"{first}, {second}"
    new = [name for name in evaluation.class_names if name not in training.class_names]
    alike = {name: f"{name} (like {other})" for name, other, _ in _pairs(new, training.class_names)}
    found.add(
        NOTE if ignores else ERROR,
        "classes-of-evaluation-alone",
        both,
        len(new),
        f"[class is|classes are] in {second} and not in {first}",
        "give both files the same class list, or leave [such a class|such classes] out of the numbers: "
        "--ignore_unknown_classes=True" + ("" if ignores else "; eval.py refuses [it|them]"),
        [alike.get(name, name) for name in new],
    )
    gone = [name for name in training.class_names if name not in evaluation.class_names]
    found.add(
        WARNING,
        "classes-of-training-alone",
        both,
        len(gone),
        f"[class is|classes are] in {first} and not in {second}",
        "give both files the same class list: [such a class is|such classes are] learned, but never evaluated",
        gone,
    )
    ids = dict(zip(training.class_names, training.category_ids, strict=True))
    moved = [
        f"{name} ({ids[name]}, {number})"
        for name, number in zip(evaluation.class_names, evaluation.category_ids, strict=True)
        if name in ids and ids[name] != number
    ]
    found.add(
        NOTE,
        "class-ids-differ",
        both,
        len(moved),
        f"[class has|classes have] another category id in {second} than in {first}",
        "no action is needed if the names are right: classes are matched by name",
        moved,
    )


def _alike(names: Sequence[str], others: Sequence[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name, other, key in _pairs(names, others):
        if key not in seen:
            seen.add(key)
            yield f"{name}, {other}"


def _pairs(names: Sequence[str], others: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Yields each name with another one that differs from it by case, spaces or dashes alone, and what they share."""
    by_key: dict[str, list[str]] = {}
    for other in others:
        by_key.setdefault(_plain(other), []).append(other)
    for name in names:
        for other in by_key.get(_plain(name), []):
            if other != name:
                yield name, other, _plain(name)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter not in " -_")
