"""Takes over the outputs of classes by name, where a training begins with weights made for other classes."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from utils.words import counted, first_of

MAX_NAMES = 10  # of a list in the log: own classes are seldom more

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClassOutputs:
    """A layer with outputs for each class, and how these lie along the first axis of its weights.

    That axis is [groups, classes + extra, values].

    Attributes:
        layer: beginning of its parameters' names, e.g. "head.classify.".
        groups: how often the classes come, e.g. once for each anchor of a cell.
        values: outputs of a class.
        extra: outputs of no class that each group has in the network at its end, e.g. background.
    """

    layer: str
    groups: int = 1
    values: int = 1
    extra: int = 0


def take_classes(
    stored: Mapping[str, np.ndarray],
    initial: Mapping[str, np.ndarray],
    outputs: Sequence[ClassOutputs],
    stored_names: Sequence[str],
    names: Sequence[str],
) -> dict[str, np.ndarray]:
    """Returns weights whose class outputs are those of `names`.

    Outputs of classes of the same name are the stored ones, in whatever order; those of other classes keep their
    initial values, and so do all where the stored names are not known.

    Args:
        stored: weights of a file, by parameter.
        initial: weights of the network.
        outputs: the layers with outputs for each class.
        stored_names: classes of the file, empty where it does not say.
        names: classes of the network.
    """
    weights = dict(stored)
    if not outputs or not stored_names or tuple(stored_names) == tuple(names):
        return weights
    position = {name: index for index, name in enumerate(stored_names)}
    kept = [(index, position[name]) for index, name in enumerate(names) if name in position]
    for each in outputs:
        for parameter in [name for name in stored if name.startswith(each.layer) and name in initial]:
            taken = _take(stored[parameter], initial[parameter], each, len(stored_names), len(names), kept)
            if taken is not None:
                weights[parameter] = taken
    _log(stored_names, names)
    return weights


def _take(
    stored: np.ndarray,
    initial: np.ndarray,
    outputs: ClassOutputs,
    stored_count: int,
    count: int,
    kept: Sequence[tuple[int, int]],
) -> np.ndarray | None:
    """Returns the weights of one parameter; None where the file's are not of `stored_count` classes."""
    slots, rest = divmod(len(stored), outputs.groups * outputs.values)
    if rest or slots < stored_count or stored.shape[1:] != initial.shape[1:]:
        return None
    before = stored.reshape(outputs.groups, slots, outputs.values, -1)
    after = initial.reshape(outputs.groups, count + outputs.extra, outputs.values, -1).copy()
    to, of = np.array(kept, np.int64).reshape(-1, 2).T
    after[:, to] = before[:, of]
    num_extra = min(slots - stored_count, outputs.extra)
    after[:, count : count + num_extra] = before[:, stored_count : stored_count + num_extra]
    return after.reshape(initial.shape)


def _log(stored_names: Sequence[str], names: Sequence[str]) -> None:
    kept, new = ([name for name in names if (name in stored_names) is is_kept] for is_kept in (True, False))
    logger.info(
        "the outputs of %d of %s are taken over by name%s%s",
        len(kept),
        counted(len(names), "class"),
        f": {first_of(kept, MAX_NAMES)}" if kept else "",
        f"; these begin anew: {first_of(new, MAX_NAMES)}" if new else "",
    )
