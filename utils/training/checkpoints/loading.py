"""Puts what a checkpoint holds into a network or a whole training step, strictly: all that is asked for, or nothing."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import mindspore as ms
import numpy as np
from mindspore import nn

from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.checkpoint import Checkpoint
from utils.training.checkpoints.class_outputs import ClassOutputs, take_classes
from utils.training.checkpoints.weight_matching import (
    Matching,
    Shape,
    describe,
    differs_in_class_count_only,
    match,
    shapes_of,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Allowed:
    """What need not fit when weights are loaded, as beginnings of parameter names.

    Attributes:
        missing: parameters that the file need not have.
        misshaped: parameters that keep their values where the shapes differ.
        left_out: parameters that keep their values whatever the file has.
        parts: for each part of the network that a file may be of (`TrainingState.part`), further parameters that it
            need not have; a file of any other part is refused.
    """

    missing: Sequence[str] = ()
    misshaped: Sequence[str] = ()
    left_out: Sequence[str] = ()
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)


STRICTLY = Allowed()


@dataclass(frozen=True)
class Classes:
    """Classes of a network, whose outputs are taken over by name; see `take_classes`.

    Attributes:
        names: of the classes.
        outputs: the layers with outputs for each class.
    """

    names: Sequence[str] = ()
    outputs: Sequence[ClassOutputs] = ()


ALL_OUTPUTS = Classes()


def load_weights(
    network: nn.Cell, checkpoint: Checkpoint, allowed: Allowed = STRICTLY, classes: Classes = ALL_OUTPUTS
) -> None:
    """Loads weights: whatever does not fit and is not allowed is refused, and then nothing is changed.

    Args:
        network: the network to fill.
        checkpoint: of any origin; the averaged weights are taken where it has any, what optimizers left is ignored.
        allowed: what need not fit.
        classes: where the network's classes may be others than those of the weights.

    Raises:
        BadValueError: if it is of a part of the network, has no weights, or does not fit.
    """
    if checkpoint.part and checkpoint.part not in allowed.parts:
        raise BadValueError(
            f"'{checkpoint.path}' holds the {checkpoint.part} alone, to start a training from (--pre_trained); choose "
            "the checkpoint of a whole network"
        )
    missing = (*allowed.missing, *allowed.left_out, *allowed.parts.get(checkpoint.part, ()))
    parameters = {parameter.name: parameter for parameter in network.get_parameters()}
    arrays = _with_classes(checkpoint, parameters, classes)
    arrays = {name: values for name, values in arrays.items() if not name.startswith(tuple(allowed.left_out))}
    stored, wanted = shapes_of(arrays), shapes_of(parameters)
    matching = match(stored, wanted)
    _check(checkpoint, matching, matching.without(missing, allowed.misshaped), stored, wanted, allowed)
    for name in matching.loaded:
        dtype = ms.dtype_to_nptype(parameters[name].dtype)
        parameters[name].set_data(ms.Tensor(arrays[name].astype(dtype)))
    logger.info(
        "loaded %d %sparameters from %s (%d kept their values, %d of the file unused)",
        len(matching.loaded),
        "averaged " if checkpoint.averages else "",
        checkpoint.path,
        len(matching.missing) + len(matching.misshaped),
        len(matching.unused),
    )


def _with_classes(
    checkpoint: Checkpoint, parameters: Mapping[str, ms.Parameter], classes: Classes
) -> dict[str, np.ndarray]:
    """Returns the checkpoint's weights, class outputs in the order of the network's classes."""
    initial = {
        name: parameter.asnumpy()
        for name, parameter in parameters.items()
        if name.startswith(tuple(each.layer for each in classes.outputs))
    }
    return take_classes(checkpoint.weights(), initial, classes.outputs, checkpoint.class_names, classes.names)


def _check(
    checkpoint: Checkpoint,
    matching: Matching,
    rest: Matching,
    stored: Mapping[str, Shape],
    wanted: Mapping[str, Shape],
    allowed: Allowed,
) -> None:
    """Refuses weights of which nothing fits, or of which a `rest` does not fit that is not allowed to."""
    if matching.loaded and rest.fits:
        return
    problem = describe(rest if matching.loaded else matching, stored, wanted)
    path = checkpoint.path
    if not matching.loaded:
        raise BadValueError(f"'{path}' fits no parameter of the network: {problem}; it belongs to another network")
    if differs_in_class_count_only(rest):
        layers = ",".join(name for name, _, _ in rest.misshaped)
        anew = "" if allowed is STRICTLY else f", or let these layers start anew with --allow_mismatch=[{layers}]"
        raise BadValueError(
            f"'{path}' was trained with another number of classes: {problem}; take as many classes as it has{anew}"
        )
    raise BadValueError(
        f"'{path}' does not fit the network: {problem}; check backbone, depth, width and the number of classes"
    )


def restore_parameters(checkpoint: Checkpoint, parameters: Sequence[ms.Parameter]) -> None:
    """Sets parameters (weights, optimizer state, averages) from a checkpoint, all of them or none.

    Raises:
        BadValueError: if the checkpoint does not fit them exactly.
    """
    named = {parameter.name: parameter for parameter in parameters}
    stored, wanted = checkpoint.shapes, shapes_of(named)
    matching = match(stored, wanted)
    if not matching.fits:
        raise BadValueError(
            f"'{checkpoint.path}' does not fit this run: of {len(named)} parameters, optimizer state and averages "
            f"included, {describe(matching, stored, wanted)}; resume with the network, optimizer and EMA settings that "
            "it was made with, or load it as pretrained weights in a new run"
        )
    for name, parameter in named.items():
        parameter.set_data(ms.Tensor(checkpoint.arrays[name].copy()))
