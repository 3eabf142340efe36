"""Looks at the two splits of a segmentation data set as training and evaluation would open them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.checking.findings import (
    ERROR,
    PIXEL_SHARE,
    Findings,
    Options,
    Report,
    SplitSummary,
    not_of_this_form,
)
from utils.checking.pictures import add_repeated, add_unusable, in_parallel, usual_size
from utils.checking.sizes import add_padding, add_scale, fit_turned, leaner_input
from utils.model_utils.errors import UserError

from ..labels.files import ImagePair
from .labels import LabelledClasses, LookedAtPair, add_class_faults, add_label_faults, look_at_pair


@dataclass(frozen=True)
class TrainingSizes:
    """At what size training shows the network pictures.

    Attributes:
        base_size: height and width that pictures are fitted into.
        crop_size: height and width of the part that is trained on.
        multiple: of which their sides should be multiples.
        pads: whether an evaluation pads pictures to base_size.
    """

    base_size: tuple[int, int]
    crop_size: tuple[int, int]
    multiple: int
    pads: bool


def check_segmentation_data(
    root: Path,
    splits: Mapping[str, Callable[[], Sequence[ImagePair]]],
    classes: LabelledClasses,
    sizes: TrainingSizes,
    options: Options,
) -> Report:
    """Looks at pictures and labels of the splits and returns all that is wrong with them, and what to do.

    Args:
        root: folder of the data set.
        splits: what lists the pictures and labels of each, the training split first.
        classes: of the labels.
        sizes: of training.
        options: how closely to look.

    Raises:
        UserError: there are no pictures of any split.
    """
    found = Findings(options)
    looked_at: dict[str, tuple[LookedAtPair, ...]] = {}
    refusals: list[UserError] = []
    for name, list_of in splits.items():
        try:
            pairs = list_of()
        except UserError as error:
            refusals.append(error)
            found.add(ERROR, "split-refused", name, 1, str(error), "")
            continue
        looked_at[name] = tuple(
            in_parallel(lambda pair: look_at_pair(pair, decode=options.decode), pairs, f"looking at {name}")
        )
    if not looked_at:
        raise not_of_this_form(refusals[0]) if root.is_dir() else refusals[0]
    for name, pairs_of in looked_at.items():
        add_unusable(found, name, [each.picture for each in pairs_of], ERROR, "training refuses [it|them]")
        add_label_faults(found, name, root, pairs_of, classes)
        if options.decode:
            add_class_faults(found, name, pairs_of, classes, is_training=name == next(iter(splits)))
    if options.decode:
        pictures = [(name, [each.picture for each in pairs_of]) for name, pairs_of in looked_at.items()]
        add_repeated(found, pictures)
    suggestions = _fit_sizes(found, *next(iter(looked_at.items())), sizes)
    return Report(
        splits=tuple(_summary(name, pairs_of, root, classes) for name, pairs_of in looked_at.items()),
        findings=found.ordered(),
        classes=_shares(looked_at, classes) if options.decode else {},
        class_unit=PIXEL_SHARE,
        suggestions=suggestions,
    )


def _fit_sizes(found: Findings, name: str, pairs: Sequence[LookedAtPair], sizes: TrainingSizes) -> dict[str, object]:
    """Compares the pictures of a split with the sizes of training; returns suggested values of keys."""
    own = [each.picture.size for each in pairs if each.picture.size]
    if not own:
        return {}
    add_scale(found, name, own, sizes.base_size, sizes.multiple, "base_size", fit_turned)
    if not sizes.pads:
        return {}
    leaner = leaner_input(own, sizes.base_size, sizes.multiple, fit_turned)
    add_padding(found, name, own, sizes.base_size, leaner, "base_size", fit_turned)
    if leaner is None:
        return {}
    crop = tuple(min(pair) for pair in zip(sizes.crop_size, leaner, strict=True))
    suggestions: dict[str, object] = {"base_size": list(leaner)}
    return suggestions | ({} if crop == sizes.crop_size else {"crop_size": list(crop)})


def _summary(name: str, pairs: Sequence[LookedAtPair], root: Path, classes: LabelledClasses) -> SplitSummary:
    size = usual_size([each.picture.size for each in pairs if each.picture.size])
    return SplitSummary(name, str(root), len(pairs), len(classes.names), size=size)


def _shares(splits: Mapping[str, Sequence[LookedAtPair]], classes: LabelledClasses) -> dict[str, dict[str, float]]:
    """Returns for each class its share of the labelled pixels of each split."""
    table: dict[str, dict[str, float]] = {}
    for split, pairs in splits.items():
        counts = sum((each.counts for each in pairs), np.zeros(256, np.int64))[: len(classes.names)]
        if counts.any():
            for name, part in zip(classes.names, (counts / counts.sum()).tolist(), strict=True):
                table.setdefault(name, {})[split] = part
    return table
