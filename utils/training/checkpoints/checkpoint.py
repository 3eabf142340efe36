"""Checkpoints: what they hold, how a run keeps and finds them, and strict loading of weights into a network.

A checkpoint is one MindSpore .ckpt file. The weights have the network's own parameter names; beside them stand the
optimizer's state ("optimizer."), the averaged weights ("ema.") and `training_state`, JSON text as uint8 values.
"""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn

from utils.model_utils.errors import BadStateError, BadValueError, UserError
from utils.training.checkpoints.checkpoint_file import (
    STATE_NAME,
    TEMPORARY_MARK,
    read_checkpoint_file,
    write_checkpoint_file,
)
from utils.training.checkpoints.weight_matching import Matching, describe, differs_in_class_count_only, match, shapes_of
from utils.training.step.graphs import EMA_PREFIX
from utils.training.step.optimizer import STATE_PREFIX

logger = logging.getLogger(__name__)

FORMAT_VERSION = 1
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
        loss_scale: loss scale of the next step.
        loss_scale_good_steps: finite steps since it changed.
        config_text: the effective configuration.
        class_names: name of each class index; empty where the run has none, as in older files.
        category_ids: id of each class index in the data set's own files, likewise.
        format_version: version of this layout.
    """

    arrays: dict[str, np.ndarray]
    suite: str = ""
    part: str = ""
    epoch: int = 1
    step_in_epoch: int = 0
    global_step: int = 0
    steps_per_epoch: int = 0
    images_per_step: int = 0
    num_workers: int = 1
    epoch_done: bool = False
    seed: int = 0
    best: dict | None = None
    loss_scale: float = 1.0
    loss_scale_good_steps: int = 0
    config_text: str = ""
    class_names: list[str] = field(default_factory=list)
    category_ids: list[int] = field(default_factory=list)
    format_version: int = FORMAT_VERSION

    @property
    def epochs_done(self) -> float:
        """How many epochs the run has behind it, the part of the present one included."""
        return self.epoch - 1 + self.step_in_epoch / max(self.steps_per_epoch, 1)

    @property
    def has_averages(self) -> bool:
        """Whether averaged weights are there."""
        return any(name.startswith(_EMA) for name in self.arrays)


def save_checkpoint(path: Path, state: TrainingState) -> None:
    """Writes a checkpoint: to a temporary name, forced to the disk, then renamed.

    Raises:
        BadStateError: if it cannot be written, e.g. because the disk is full.
    """
    values = {item.name: getattr(state, item.name) for item in fields(state) if item.name != "arrays"}
    text = np.frombuffer(json.dumps(values, ensure_ascii=False).encode(), np.uint8)
    write_checkpoint_file(Path(path), {STATE_NAME: text, **state.arrays})


def load_checkpoint(path: Path) -> TrainingState:
    """Reads a checkpoint that this engine wrote.

    Raises:
        MissingPathError: if there is no such file.
        BadValueError: if it is damaged, no checkpoint, without training state, or of a newer format.
    """
    state = find_training_state(path)
    if state is None:
        raise BadValueError(
            f"'{path}' holds weights only, no training state, so a run cannot be resumed from it; "
            "load it as pretrained weights instead"
        )
    return state


def find_training_state(path: Path) -> TrainingState | None:
    """Reads a checkpoint like `load_checkpoint`, but returns None for one that holds weights only."""
    arrays = read_checkpoint_file(Path(path))
    values = _state_values(Path(path), arrays)
    if values is None:
        return None
    known = {item.name for item in fields(TrainingState)} - {"arrays"}
    arrays = {name: array for name, array in arrays.items() if name != STATE_NAME}
    return TrainingState(arrays=arrays, **{name: value for name, value in values.items() if name in known})


class CheckpointFolder:
    """The checkpoints of one run: the last few, and the best.

    Args:
        path: the folder; made where it is missing when the first checkpoint is written.
        pattern: file name with {epoch} and, mostly, {step} (in the epoch), e.g. "retinanet_nasfpn-{epoch}_{step}.ckpt".
        best_name: file name of the best weights, e.g. "retinanet_nasfpn_best.ckpt".
        keep_last: number of checkpoints to keep beside the best; 0 for all.

    Raises:
        BadValueError: if the pattern lacks {epoch} or `keep_last` is negative.
    """

    def __init__(self, path: Path, *, pattern: str, best_name: str, keep_last: int = 3) -> None:
        if "{epoch}" not in pattern:
            raise BadValueError(
                f"checkpoint name '{pattern}' lacks {{epoch}}; write it like 'net-{{epoch}}_{{step}}.ckpt'"
            )
        if keep_last < 0:
            raise BadValueError(f"keep_last={keep_last}: wanted 0 (all) or more")
        self.path = Path(path)
        self.best_path = self.path / best_name
        self.keep_last = keep_last
        self._pattern = pattern
        expression = re.escape(pattern).replace(r"\{epoch\}", r"(?P<epoch>\d+)")
        self._expression = re.compile(expression.replace(r"\{step\}", r"(?P<step>\d+)"))

    def save(self, state: TrainingState) -> Path:
        """Writes the checkpoint of the state's epoch and step and removes the oldest ones; returns the file."""
        path = self.path / self._pattern.format(epoch=state.epoch, step=state.step_in_epoch)
        save_checkpoint(path, state)
        if self.keep_last:
            for old in self.files()[self.keep_last :]:
                old.unlink(missing_ok=True)
        return path

    def save_best(self, state: TrainingState) -> Path:
        """Writes the best checkpoint; returns the file."""
        save_checkpoint(self.best_path, state)
        return self.best_path

    def files(self) -> list[Path]:
        """Returns the finished checkpoints, the best one aside, newest (by the epoch and step in the name) first."""
        found = []
        for path in self.path.iterdir() if self.path.is_dir() else ():
            parts = self._expression.fullmatch(path.name)
            if parts and path != self.best_path:
                found.append((int(parts["epoch"]), int(parts.groupdict().get("step") or 0), path))
        return [path for *_, path in sorted(found, reverse=True)]

    def latest(self) -> tuple[Path, TrainingState] | None:
        """Returns the newest checkpoint that can be read; a damaged one is named in the log and passed over."""
        for path in self.files():
            try:
                return path, load_checkpoint(path)
            except UserError as error:
                logger.warning("passing over a checkpoint: %s", error)
        return None

    def prepare(self) -> None:
        """Makes the folder and removes what killed processes left half-written; call it with the run folder's lock.

        Raises:
            BadStateError: if the folder cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadStateError(
                f"checkpoint folder '{self.path}' cannot be made ({error.strerror}); choose another"
            ) from error
        for path in self.path.glob(f".*{TEMPORARY_MARK}*"):
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Removes all checkpoints of this run, the best one too."""
        for path in [*self.files(), self.best_path]:
            path.unlink(missing_ok=True)


@dataclass(frozen=True)
class LoadReport:
    """What `load_weights` did.

    Attributes:
        loaded: number of parameters that were set.
        used_averages: whether they are the file's averaged weights.
        missing: allowed parameters of the network that the file does not have.
        misshaped: allowed parameters of another shape, which kept their values.
        unused: allowed arrays of the file that were not used.
        config_text: the configuration stored in the file, if any.
    """

    loaded: int
    used_averages: bool
    missing: list[str] = field(default_factory=list)
    misshaped: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    config_text: str = ""


def load_weights(
    network: nn.Cell,
    path: Path,
    *,
    use_ema: bool | None = None,
    allow_missing: Sequence[str] = (),
    allow_mismatch: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
    prefix_map: Mapping[str, str] | None = None,
    suite: str = "",
    parts: Mapping[str, Sequence[str]] | None = None,
) -> LoadReport:
    """Loads weights strictly: whatever does not fit and is not allowed is refused, and then nothing is changed.

    Args:
        network: the network to fill.
        path: a checkpoint of this engine, or any MindSpore checkpoint; what optimizers left in it is ignored.
        use_ema: True for the averaged weights, False for the last ones, None for the averaged ones if there are any.
        allow_missing: prefixes of parameters that the file need not have.
        allow_mismatch: prefixes of parameters that keep their values where the shapes differ.
        allow_unused: prefixes of arrays of the file (after `prefix_map`) that need not be used.
        prefix_map: prefix in the file to prefix in the network, e.g. {"": "backbone."}; the first that fits counts.
        suite: name of the suite; a file of another suite is refused.
        parts: for each part of the network that a file may be of (`TrainingState.part`), further prefixes that it need
            not have; a file of any other part is refused.

    Raises:
        MissingPathError: if there is no such file.
        BadValueError: if it is no checkpoint, of another suite, has no averaged weights when asked, or does not fit.
    """
    path = Path(path)
    arrays, used_averages, values = _file_weights(path, use_ema)
    if suite and values.get("suite", suite) not in (suite, ""):
        raise BadValueError(
            f"'{path}' is a checkpoint of {values['suite']}, wanted one of {suite}; choose another file"
        )
    part = values.get("part", "")
    if part and part not in (parts or {}):
        raise BadValueError(
            f"'{path}' holds the {part} alone, to start a training from (--pre_trained); choose the "
            "checkpoint of a whole network"
        )
    allow_missing = (*allow_missing, *((parts or {}).get(part, ())))
    arrays = {_mapped(name, prefix_map or {}): array for name, array in arrays.items()}
    parameters = {parameter.name: parameter for parameter in network.get_parameters()}
    matching = _checked_matching(path, arrays, parameters, (allow_missing, allow_mismatch, allow_unused))
    for name in matching.loaded:
        dtype = ms.dtype_to_nptype(parameters[name].dtype)
        parameters[name].set_data(ms.Tensor(arrays[name].astype(dtype)))
    report = LoadReport(
        loaded=len(matching.loaded),
        used_averages=used_averages,
        missing=matching.missing,
        misshaped=[name for name, *_ in matching.misshaped],
        unused=matching.unused,
        config_text=values.get("config_text", ""),
    )
    kept = len(report.missing) + len(report.misshaped)
    logger.info(
        "loaded %d %sparameters from %s (%d kept their values, %d of the file unused)",
        report.loaded,
        "averaged " if used_averages else "",
        path,
        kept,
        len(report.unused),
    )
    return report


def restore_parameters(path: Path, state: TrainingState, parameters: Sequence[ms.Parameter]) -> None:
    """Sets parameters (weights, optimizer state, averages) from a training state, all of them or none.

    Raises:
        BadValueError: if the state does not fit them exactly.
    """
    named = {parameter.name: parameter for parameter in parameters}
    matching = match(shapes_of(state.arrays), _parameter_shapes(named))
    if not matching.fits:
        raise BadValueError(
            f"'{path}' does not fit this run: of {len(named)} parameters, optimizer state and averages included, "
            f"{describe(matching, shapes_of(state.arrays), _parameter_shapes(named))}; resume with the network, "
            "optimizer and EMA settings that it was made with, or load it as pretrained weights in a new run"
        )
    for name, parameter in named.items():
        parameter.set_data(ms.Tensor(state.arrays[name].copy()))


def _parameter_shapes(parameters: Mapping[str, ms.Parameter]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(parameter.shape) for name, parameter in parameters.items()}


def _checked_matching(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    parameters: Mapping[str, ms.Parameter],
    allowed: tuple[Sequence[str], Sequence[str], Sequence[str]],
) -> Matching:
    file_shapes, network_shapes = shapes_of(arrays), _parameter_shapes(parameters)
    matching = match(file_shapes, network_shapes)
    rest = matching.without(*allowed)
    if matching.loaded and rest.fits:
        return matching
    problem = describe(matching if not matching.loaded else rest, file_shapes, network_shapes)
    if not matching.loaded:
        raise BadValueError(f"'{path}' fits no parameter of the network: {problem}; it belongs to another network")
    if differs_in_class_count_only(rest):
        raise BadValueError(
            f"'{path}' was trained with another number of classes: {problem}; set num_classes as it was, or let these "
            f"layers start anew by allowing them not to fit"
        )
    raise BadValueError(f"'{path}' does not fit the network: {problem}; check backbone, depth, width and num_classes")


def _file_weights(path: Path, use_ema: bool | None) -> tuple[dict[str, np.ndarray], bool, dict]:
    """Returns the weights of a file by parameter name, whether they are the averaged ones, and its state values."""
    arrays = read_checkpoint_file(path)
    values = _state_values(path, arrays) or {}
    averages = {name.removeprefix(_EMA): array for name, array in arrays.items() if name.startswith(_EMA)}
    weights = {
        name: array
        for name, array in arrays.items()
        if name != STATE_NAME and not name.startswith((_OPTIMIZER, _EMA, *_FOREIGN_STATE))
    }
    if use_ema and not averages:
        raise BadValueError(f"'{path}' has no averaged weights (EMA); load it without asking for them")
    used_averages = bool(averages) and use_ema is not False
    chosen = averages if used_averages else weights
    if not chosen:
        raise BadValueError(f"'{path}' holds optimizer state only, no weights; choose the checkpoint of the network")
    return chosen, used_averages, values


def _state_values(path: Path, arrays: Mapping[str, np.ndarray]) -> dict | None:
    """Returns what `training_state` holds, or None where a file has none."""
    if STATE_NAME not in arrays:
        return None
    try:
        values = json.loads(arrays[STATE_NAME].tobytes())
        version = int(values["format_version"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadValueError(f"'{path}' is damaged: its training state cannot be read; choose another file") from error
    if version > FORMAT_VERSION:
        raise BadValueError(
            f"'{path}' has checkpoint format {version}, this program reads up to {FORMAT_VERSION}; update the program"
        )
    return values


def _mapped(name: str, prefix_map: Mapping[str, str]) -> str:
    for old, new in prefix_map.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name
