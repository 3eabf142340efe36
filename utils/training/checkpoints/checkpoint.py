"""What a checkpoint holds, and the one door through which it is read.

A checkpoint is one MindSpore .ckpt file. The weights have the network's own parameter names; beside them stand the
optimizer's state ("optimizer."), the averaged weights ("ema.") and `training_state`, JSON text as uint8 values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, NotRequired, get_type_hints

import numpy as np
from pydantic import Field
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from utils.model_utils.errors import BadValueError, short
from utils.model_utils.files import json_bytes
from utils.model_utils.guards.finite import refuse_not_finite
from utils.model_utils.guards.json_text import JsonTextError, as_kind, parse_json
from utils.training.checkpoints.checkpoint_file import (
    EMA_PREFIX,
    STATE_NAME,
    STATE_PREFIX,
    read_checkpoint_file,
    write_checkpoint_file,
)
from utils.training.checkpoints.weight_matching import Shape, shapes_of

Count = Annotated[int, Field(ge=0, lt=2**53)]  # JSON's numbers are exact so far
Score = Annotated[float, Field(ge=0, le=1)]
Id = Annotated[int, Field(ge=-(2**63), lt=2**63)]
FORMAT_VERSION = 1  # raised when an older program would misread a newer file
_OPTIMIZER = f"{STATE_PREFIX}."
_EMA = f"{EMA_PREFIX}."
# What MindSpore's own training leaves in a file beside the weights.
_FOREIGN_STATE = (
    "moments.",
    "moment1.",
    "moment2.",
    "adam_m.",
    "adam_v.",
    "accum.",
    "stat.",
    "momentum",
    "beta1_power",
    "beta2_power",
    "global_step",
    "epoch_num",
    "step_num",
    "learning_rate",
    "weight_decay",
    "loss_scale",
    "current_iterator_step",
    "last_overflow_iterator_step",
)


class BestEvaluation(TypedDict):
    """The best evaluation of a run, as its checkpoints keep it."""

    epoch: Count
    global_step: Count
    metrics: dict[str, float]
    seconds: NotRequired[float]


class MinScores(TypedDict):
    """From which scores what a detector finds is worth showing, as an evaluation of it has found.

    `overall` is that of the best F1 of all classes together, `by_class` that of each class index.
    """

    overall: Score
    by_class: list[Score]


@dataclass
class TrainingState:
    """All that a run needs to go on where it was.

    Attributes:
        arrays: weights by parameter name, optimizer state, averaged weights.
        suite: name of the suite, e.g. "nas_fpn".
        part: the part of the network that the weights are of, e.g. "backbone"; empty for all of it.
        epoch: the epoch that the run is in, from 1.
        step_in_epoch: optimizer steps made in this epoch.
        global_step: optimizer steps made in all.
        steps_per_epoch: optimizer steps of an epoch.
        images_per_step: images of an optimizer step, over all workers; 0 in older files.
        num_workers: workers that trained together.
        epoch_done: whether the epoch's evaluation is done too.
        seed: seed of the run; with the position it is all the random state there is.
        best: the best evaluation so far: {"epoch", "global_step", "metrics"}; None before the first.
        evaluations_without_better: evaluations since the metric of the best one last rose; 0 in older files.
        loss_scale: loss scale of the next step.
        loss_scale_good_steps: finite steps since it changed.
        config_text: the effective configuration.
        class_names: name of each class index; empty where the run has none, as in older files.
        category_ids: id of each class index in the data set's own files, likewise.
        min_scores: of a detector, where an evaluation has stored them; else None.
        format_version: version of this layout.
    """

    arrays: dict[str, np.ndarray]
    suite: str = ""
    part: str = ""
    epoch: Count = 1
    step_in_epoch: Count = 0
    global_step: Count = 0
    steps_per_epoch: Count = 0
    images_per_step: Count = 0
    num_workers: Count = 1
    epoch_done: bool = False
    seed: Id = 0
    best: BestEvaluation | None = None
    evaluations_without_better: Count = 0
    loss_scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    loss_scale_good_steps: Count = 0
    config_text: str = ""
    class_names: tuple[str, ...] = ()
    category_ids: tuple[Id, ...] = ()
    min_scores: MinScores | None = None
    format_version: int = FORMAT_VERSION

    @property
    def epochs_done(self) -> float:
        """How many epochs the run has behind it, the part of the present one included."""
        return self.epoch - 1 + self.step_in_epoch / max(self.steps_per_epoch, 1)


_STORED = tuple(item.name for item in fields(TrainingState) if item.name != "arrays")


@dataclass(kw_only=True)
class Checkpoint(TrainingState):
    """A file that was read: once for a command, which hands this object to whatever needs something of the file.

    Attributes:
        path: the file.
        has_training_state: whether this engine wrote it. Of another file nothing is known but the arrays.
    """

    path: Path
    has_training_state: bool = True

    @property
    def shapes(self) -> dict[str, Shape]:
        """Shape of every array, by name."""
        return shapes_of(self.arrays)

    @property
    def averages(self) -> dict[str, np.ndarray]:
        """The averaged weights, by the names of the weights; empty where there are none."""
        return {name.removeprefix(_EMA): array for name, array in self.arrays.items() if name.startswith(_EMA)}

    def weights(self) -> dict[str, np.ndarray]:
        """Returns the weights that count, by the network's names: the averaged ones where there are any.

        Raises:
            BadValueError: there are none.
        """
        raw = {name: array for name, array in self.of_network().items() if not name.startswith(_EMA)}
        weights = self.averages or raw
        if not weights:
            raise BadValueError(
                f"'{self.path}' holds optimizer state only, no weights; choose the checkpoint of the network"
            )
        return weights

    def of_network(self) -> dict[str, np.ndarray]:
        """Returns weights, statistics and averages by their names in the file, without what optimizers left."""
        others = (_OPTIMIZER, *_FOREIGN_STATE)
        return {name: array for name, array in self.arrays.items() if not name.startswith(others)}

    def release(self) -> None:
        """Lets go of the arrays, which no one needs beside the network that has taken them."""
        self.arrays = {}

    def length(self, parameter: str) -> int:
        """Returns the number of rows of a parameter that every network of the suite has.

        Raises:
            BadValueError: the file does not have it.
        """
        if parameter not in self.arrays or not self.arrays[parameter].ndim:
            raise BadValueError(
                f"'{self.path}' has no parameter '{parameter}', so it belongs to another network; choose another file"
            )
        return len(self.arrays[parameter])


def position_values(checkpoint: Checkpoint) -> dict[str, object]:
    """Returns all that a checkpoint knows but its arrays, as values of JSON: what worker 0 tells the others."""
    values = {name: getattr(checkpoint, name) for name in _STORED}
    return {**values, "path": str(checkpoint.path), "has_training_state": checkpoint.has_training_state}


def position_of(values: Mapping[str, Any]) -> Checkpoint:
    """Returns the checkpoint of `position_values`, without arrays."""
    names: dict[str, tuple] = {name: tuple(values[name]) for name in ("class_names", "category_ids")}
    return Checkpoint(**{**values, **names, "path": Path(values["path"]), "arrays": {}})


def save_checkpoint(path: Path, state: TrainingState, go_on: str = "") -> None:
    """Writes a checkpoint: to a temporary name, forced to the disk, then renamed; `go_on` as for the file.

    Raises:
        BadStateError: if it cannot be written, e.g. because the disk is full.
    """
    values = {name: getattr(state, name) for name in _STORED}
    text = np.frombuffer(json_bytes(values), np.uint8)
    write_checkpoint_file(Path(path), {STATE_NAME: text, **state.arrays}, go_on)


def load_checkpoint(path: Path, suite: str = "") -> Checkpoint:
    """Reads a checkpoint of this engine, or any other MindSpore checkpoint.

    Args:
        path: the file.
        suite: name of the suite that is asking; "" takes a file of any.

    Raises:
        MissingPathError: if there is no such file.
        BadValueError: if it is damaged, no checkpoint, of a newer format, or of another suite, or if weights or
            averages are not finite. What an optimizer keeps is not looked at: only who goes on with it needs it.
    """
    path = Path(path)
    arrays = read_checkpoint_file(path)
    text = arrays.pop(STATE_NAME, None)
    values: dict[str, Any] = {} if text is None else _state_values(path, text)
    checkpoint = Checkpoint(arrays=arrays, path=path, has_training_state=text is not None, **values)
    if suite and checkpoint.suite not in ("", suite):
        raise BadValueError(
            f"'{path}' is a checkpoint of {checkpoint.suite}, wanted one of {suite}; choose another file"
        )
    refuse_not_finite(path, checkpoint.of_network(), _how_to_replace(checkpoint))
    return checkpoint


def load_resumable(path: Path, suite: str = "") -> Checkpoint:
    """Reads a checkpoint that a run can go on from.

    Raises:
        MissingPathError: if there is no such file.
        BadValueError: as `load_checkpoint`, or if it holds weights only, or the optimizer's state is not finite.
    """
    checkpoint = load_checkpoint(path, suite)
    if not checkpoint.has_training_state:
        raise BadValueError(
            f"'{path}' holds weights only, no training state, so a run cannot be resumed from it; load it as "
            "pretrained weights instead"
        )
    refuse_bad_optimizer(checkpoint)
    return checkpoint


def refuse_bad_optimizer(checkpoint: Checkpoint) -> None:
    """Refuses an optimizer's state that would make every weight NaN at the next step.

    A run keeps none: a step whose gradients are not finite, as under a loss scale that is too high, changes nothing.

    Raises:
        BadValueError: it is not finite.
    """
    arrays = {name: array for name, array in checkpoint.arrays.items() if name.startswith(_OPTIMIZER)}
    fix = "choose an earlier checkpoint of the run, or load it as pretrained weights in a new run (--pre_trained)"
    refuse_not_finite(checkpoint.path, arrays, fix)


def _how_to_replace(checkpoint: Checkpoint) -> str:
    if checkpoint.global_step:
        return "choose an earlier checkpoint of the run"
    return "copy it again, convert it again from its source, or choose another file"


def _state_values(path: Path, text: np.ndarray) -> dict[str, object]:
    """Returns the fields of `TrainingState` that the file's JSON text has."""
    kinds = get_type_hints(TrainingState, include_extras=True)
    try:
        stored = as_kind(parse_json(text.tobytes()), dict[str, object])
        version = as_kind(stored.get("format_version"), int, "format_version")
        if version > FORMAT_VERSION:
            raise BadValueError(
                f"'{path}' has checkpoint format {short(version)}, this program reads up to {FORMAT_VERSION}; update "
                "the program"
            )
        return {name: as_kind(stored[name], kinds[name], name) for name in _STORED if name in stored}
    except JsonTextError as error:
        raise BadValueError(
            f"'{path}' is damaged: its training state cannot be read ({error}); choose another file"
        ) from error
