"""Averages the weights of checkpoints of one network.

The last checkpoints of a run lie around a place that none of them is at; their mean is nearer to it (Polyak and
Juditsky 1992; Izmailov et al. 2018). Moving statistics of batch normalisation are averaged like weights.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from utils.model_utils.errors import MAX_EXAMPLES, BadValueError, short
from utils.model_utils.files import named_twice
from utils.training.checkpoints.checkpoint import Checkpoint, TrainingState, load_checkpoint
from utils.words import agreed, counted, first_of


def average_checkpoints(paths: Sequence[Path]) -> TrainingState:
    """Returns the mean of checkpoints' weights, with what the last one says of its network and classes.

    Sums are float64, and the mean has the type of the last checkpoint's weights; integers are the last one's. Of a
    checkpoint with averaged weights these count. The optimizer's state is left out.

    Args:
        paths: two checkpoints or more; one is held in memory at a time.

    Raises:
        MissingPathError: a file is not there.
        BadValueError: there are fewer than two files, one is there twice or damaged, or they are of different networks.
    """
    twice = named_twice(paths)
    if twice is not None:
        raise BadValueError(f"'{paths[twice]}' is named twice: name each checkpoint once")
    if len(paths) < 2:
        raise BadValueError(f"{len(paths)} checkpoint to average, wanted two or more: name further ones")
    sums: dict[str, np.ndarray] = {}
    first: Checkpoint | None = None
    for path in paths:
        last = load_checkpoint(path)
        weights = last.weights()
        if first is None:
            first = last
            sums = {name: array.astype(np.float64) for name, array in weights.items()}
        else:
            _refuse_others(first, sums, last, weights)
            for name, array in weights.items():
                sums[name] += array
        first.release()
    arrays = {
        name: (sums[name] / len(paths)).astype(array.dtype) if array.dtype.kind == "f" else array
        for name, array in weights.items()
    }
    return TrainingState(
        arrays,
        suite=last.suite,
        part=last.part,
        epoch=last.epoch,
        step_in_epoch=last.step_in_epoch,
        global_step=last.global_step,
        steps_per_epoch=last.steps_per_epoch,
        images_per_step=last.images_per_step,
        num_workers=last.num_workers,
        seed=last.seed,
        config_text=last.config_text,
        class_names=last.class_names,
        category_ids=last.category_ids,
    )


def _refuse_others(
    first: Checkpoint, wanted: dict[str, np.ndarray], other: Checkpoint, weights: dict[str, np.ndarray]
) -> None:
    """Refuses a checkpoint of another network than the first one's.

    Raises:
        BadValueError: suite, part, classes, or a name or shape of its weights differ.
    """
    for word in ("suite", "part", "class_names"):
        own, others = getattr(first, word), getattr(other, word)
        if own != others:
            raise BadValueError(
                f"'{other.path}' has {word} {_said(others)} and '{first.path}' has {_said(own)}: average checkpoints "
                "of one run"
            )
    differing = [
        name
        for name in sorted(wanted.keys() | weights.keys())
        if name not in wanted or name not in weights or wanted[name].shape != weights[name].shape
    ]
    if differing:
        shown = first_of(differing, MAX_EXAMPLES)
        raise BadValueError(
            f"'{other.path}' is of another network than '{first.path}': {counted(len(differing), 'parameter')} "
            f"{agreed(len(differing), 'differs', 'differ')} in name or shape, such as {shown}: average checkpoints of "
            "one run"
        )


def _said(value: str | Sequence[str]) -> str:
    return short(value if isinstance(value, str) else list(value))
