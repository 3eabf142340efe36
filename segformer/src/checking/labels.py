"""Pictures with their labels, looked at together: unusable labels, values that are no class, rare classes."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from utils.checking.findings import ERROR, NOTE, WARNING, Findings
from utils.checking.pictures import Picture, Size, attempt, look_at
from utils.pixels import size_of
from utils.words import agreed, counted, first_of, share

from ..labels.codings import MOST_NAMED, LabelCoding
from ..labels.files import SET_KEYS, ImagePair, example_map, how_to_name, read_classes, read_label_header
from ..labels.sources import how_to_get

MUCH = 0.5  # share of pixels without a class from which it is said
RARE = 0.001  # share of the labelled pixels: of a rarer class little is learnt
NO_COUNTS = np.zeros(256, np.int64)
DAMAGED = " truncated or damaged"  # in the sentence of the decoder


@dataclass(frozen=True)
class LabelledClasses:
    """What the values of labels mean.

    Attributes:
        names: of the classes, which are 0, 1, ...
        ignore_label: value of pixels without a class.
    """

    names: tuple[str, ...]
    ignore_label: int

    def unknown(self, counts: np.ndarray) -> np.ndarray:
        """Returns int64[K], the values that are neither, of int64[256] pixels of each value."""
        values = np.flatnonzero(counts)
        return values[(values >= len(self.names)) & (values != self.ignore_label)]


@dataclass(frozen=True, eq=False)
class LookedAtPair:
    """What a picture and its label have shown.

    Attributes:
        pair: its files.
        picture: the image file.
        label_size: (height, width) of the label; None where it cannot be read.
        counts: int64[256], pixels of each value; zeros where they were not decoded.
        problem: why the label cannot be used, a sentence; empty where it can, or is missing.
        strange: values or colours that a coding has nothing for, as a sentence names them; `counts` passes over them.
        is_of_other_kind: it is no PNG file of class numbers; else it is damaged.
    """

    pair: ImagePair
    picture: Picture
    label_size: Size | None = None
    counts: np.ndarray = field(default_factory=lambda: NO_COUNTS)
    problem: str = ""
    strange: str = ""
    is_of_other_kind: bool = False


def look_at_pair(pair: ImagePair, *, decode: bool) -> LookedAtPair:
    """Looks at an image file and its label; without `decode` at their headers alone."""
    if not pair.label.is_file():
        return LookedAtPair(pair, look_at(pair.image, None, decode=decode))
    header, unfit = attempt(read_label_header, pair)
    if not decode:
        size = header.size if header else None
        picture = look_at(pair.image, size, decode=False)
        return LookedAtPair(pair, picture, size, problem=unfit, is_of_other_kind=bool(unfit))
    label, problem = attempt(read_classes, pair.label, pair.coding)
    strange = ""
    if label is None and pair.coding is not None:
        label, _ = attempt(read_classes, pair.label, _lenient(pair.coding))
        strange = problem.partition(" holds ")[2].removesuffix(f"; {pair.coding.fix}") if label is not None else ""
    if label is None:
        picture = look_at(pair.image, None, decode=True)
        return LookedAtPair(pair, picture, problem=problem, is_of_other_kind=bool(unfit) or DAMAGED not in problem)
    counts = cv2.calcHist([label], [0], None, [256], [0, 256])[:, 0].astype(np.int64)
    return LookedAtPair(pair, look_at(pair.image, size_of(label), decode=True), size_of(label), counts, strange=strange)


@functools.cache
def _lenient(coding: LabelCoding) -> LabelCoding:
    """Returns a coding that takes what stands for nothing as pixels without a class; its table is made once."""
    return replace(coding, ignores_unknown=True)


def add_label_faults(
    found: Findings, split: str, root: Path, pairs: Sequence[LookedAtPair], classes: LabelledClasses
) -> None:
    """Adds labels of a split that are missing, of another kind or size, damaged, or with values that are no class."""
    missing = [each.pair.label for each in pairs if not each.label_size and not each.problem]
    found.add(
        ERROR,
        "labels-missing",
        split,
        len(missing),
        f"[picture has|pictures have] no label ({share(len(missing), len(pairs))} of {counted(len(pairs), 'picture')})",
        f"{how_to_get(root, missing)}; training refuses the data set" if missing else "",
        (path.name for path in missing),
    )
    for code, what, is_other in (
        ("labels-of-other-kind", "[label is no PNG file|labels are no PNG files] of class numbers", True),
        ("labels-damaged", "[label is|labels are] truncated or damaged", False),
    ):
        bad = [each for each in pairs if each.problem and each.is_of_other_kind == is_other]
        fix = bad[0].problem.rpartition("; ")[2] if bad else ""
        found.add(ERROR, code, split, len(bad), what, f"{fix}; training refuses [it|them]", _names(bad))
    _add_other_sizes(found, split, pairs)
    _add_unknown_values(found, split, pairs, classes)


def _add_other_sizes(found: Findings, split: str, pairs: Sequence[LookedAtPair]) -> None:
    others = [each for each in pairs if each.label_size and each.picture.size and each.label_size != each.picture.size]
    found.add(
        ERROR,
        "labels-of-other-size",
        split,
        len(others),
        "[label has another size than its|labels have another size than their] picture",
        "make the labels again from the pictures' annotations, or put the right pictures there: training refuses "
        "[it|them]",
        (
            f"{each.pair.label.name} is {_size(each.label_size)}, the picture {_size(each.picture.size)}"
            for each in others
        ),
    )


def _add_unknown_values(found: Findings, split: str, pairs: Sequence[LookedAtPair], classes: LabelledClasses) -> None:
    strange = [each for each in pairs if each.strange]
    found.add(
        ERROR,
        "label-values-not-mapped",
        split,
        len(strange),
        "[label holds|labels hold] values or colours that label_map or palette does not have",
        f"{strange[0].pair.coding.fix if strange and strange[0].pair.coding else ''}; training refuses [it|them]",
        (f"{each.pair.label.name} holds {each.strange}" for each in strange),
    )
    bad = [each for each in pairs if len(classes.unknown(each.counts))]
    if not bad:
        return
    counts = np.sum([each.counts for each in pairs], axis=0)
    values = classes.unknown(counts)
    fix = how_to_name(counts, bad[0].pair.label, len(classes.names), classes.ignore_label, SET_KEYS)
    named = first_of([f"{value} ({share(counts[value], counts.sum())})" for value in values], MOST_NAMED)
    found.add(
        ERROR,
        "label-values-not-named",
        split,
        len(bad),
        f"[label holds|labels hold] values that no class has (with their shares of all pixels): {named}; "
        f"wanted 0 to {len(classes.names) - 1} and {classes.ignore_label}",
        f"{fix}; training refuses [it|them]",
        _names(bad),
    )


def add_class_faults(
    found: Findings, split: str, pairs: Sequence[LookedAtPair], classes: LabelledClasses, *, is_training: bool
) -> None:
    """Adds labels without a class, classes without pixels or with few, and many pixels without a class."""
    read = [each for each in pairs if each.counts.any()]
    if not read:
        return
    names, ignore = classes.names, classes.ignore_label
    empty = [each for each in read if each.counts[ignore] == each.counts.sum()]
    found.add(
        ERROR if len(empty) == len(read) else WARNING,
        "labels-without-class",
        split,
        len(empty),
        f"[label has|labels have] no pixel with a class, only {ignore}, which is dataset_ignore_label",
        "label something, or remove the [picture: it does|pictures: they do] not count",
        _names(empty),
    )
    counts = np.sum([each.counts for each in read], axis=0)
    ignored = counts[ignore] / counts.sum()
    labelled = counts[: len(names)]
    without = np.flatnonzero(labelled == 0)
    absent = [f"{names[index]} ({index})" for index in without]
    is_coded = any(each.pair.coding for each in read)  # then somebody has said which values are no class
    is_alone = not is_coded and np.count_nonzero(labelled) == 1 and counts[ignore] > 0
    example = example_map(counts, without, ignore)
    unscored = "[it has|they have] no IoU, and [does|do] not count in the mean"
    lost = "[it|they] cannot be learned" if is_training else unscored
    found.add(
        ERROR if is_alone else WARNING,
        "classes-without-pixels",
        split,
        len(absent),
        f"[class has|classes have] no pixel in any label ({counted(len(names), 'class')} "
        f"{agreed(len(names), 'is', 'are')} named)",
        f"only one class is left, which is right everywhere: {ignore} is dataset_ignore_label, whose pixels count for "
        f"nothing; where it stands for a class, say so with label_map, e.g. --label_map={example}"
        if is_alone
        else f"label some, or take [it|them] out of class_names: {lost}",
        absent,
    )
    found.add(
        WARNING,
        "pixels-without-class",
        split,
        len(read) if ignored >= MUCH and not is_alone else 0,
        f"[label has|labels have] a class for {share(1 - ignored, 1)} of [its|their] pixels; the others are "
        f"{ignore}, which is dataset_ignore_label",
        "no action is needed if that is intended: training and evaluation ignore such pixels",
    )
    if is_training:
        shares = labelled / max(labelled.sum(), 1)
        rare = np.flatnonzero((shares > 0) & (shares < RARE))
        found.add(
            NOTE,
            "classes-rare",
            split,
            len(rare),
            f"[class has|classes have] less than {RARE:.1%} of the labelled pixels".replace("%", " %"),
            "so few pixels teach little: class_weight_power or class_weights raises the weight of a class in the loss",
            (f"{names[index]} ({share(shares[index], 1)})" for index in rare),
        )


def _names(pairs: Sequence[LookedAtPair]) -> Iterator[str]:
    return (each.pair.label.name for each in pairs)


def _size(size: Size | None) -> str:
    return "?" if size is None else f"{size[0]} x {size[1]}"
