"""Compares the parameters of a file with those of a network, and says in one sentence what does not fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.model_utils.errors import MAX_EXAMPLES
from utils.words import first_of

if TYPE_CHECKING:
    import mindspore as ms
    import numpy as np

Shape = tuple[int, ...]
# Weights and biases whose shape depends on the number of classes: 4 at most here; room for heads of several levels.
_MAX_HEAD_PARAMETERS = 12


@dataclass(frozen=True)
class Matching:
    """How the arrays of a file fit the parameters of a network.

    Attributes:
        loaded: names that fit.
        missing: parameters of the network that the file does not have.
        unused: arrays of the file that the network has no parameter for.
        misshaped: (name, shape in the file, shape in the network).
    """

    loaded: list[str]
    missing: list[str]
    unused: list[str]
    misshaped: list[tuple[str, Shape, Shape]]

    def without(self, missing: Sequence[str], misshaped: Sequence[str]) -> "Matching":
        """Returns what remains when names that begin with one of these prefixes are allowed not to fit."""
        return Matching(
            self.loaded,
            [name for name in self.missing if not name.startswith(tuple(missing))],
            self.unused,
            [row for row in self.misshaped if not row[0].startswith(tuple(misshaped))],
        )

    @property
    def fits(self) -> bool:
        """Whether nothing is missing, unused or mis-shaped."""
        return not (self.missing or self.unused or self.misshaped)


def match(file_shapes: Mapping[str, Shape], network_shapes: Mapping[str, Shape]) -> Matching:
    """Compares names and shapes."""
    both = [name for name in network_shapes if name in file_shapes]
    return Matching(
        loaded=[name for name in both if file_shapes[name] == network_shapes[name]],
        missing=[name for name in network_shapes if name not in file_shapes],
        unused=[name for name in file_shapes if name not in network_shapes],
        misshaped=[
            (name, file_shapes[name], network_shapes[name])
            for name in both
            if file_shapes[name] != network_shapes[name]
        ],
    )


def describe(matching: Matching, file_shapes: Mapping[str, Shape], network_shapes: Mapping[str, Shape]) -> str:
    """Describes what does not fit: counts, and of each kind the first three names with their shapes."""
    misshaped = matching.misshaped
    kinds = (
        ([f"{name} {network_shapes[name]}" for name in matching.missing], "missing from the file"),
        ([f"{name} {file_shapes[name]}" for name in matching.unused], "unused"),
        ([f"{name} {own} in the file, {wanted} in the network" for name, own, wanted in misshaped], "of another shape"),
    )
    return ", ".join(f"{len(names)} {kind} ({first_of(names, MAX_EXAMPLES, '; ')})" for names, kind in kinds if names)


def differs_in_class_count_only(matching: Matching) -> bool:
    """Whether the mis-shaped parameters look like the last layers of a network for another number of classes."""
    rows = matching.misshaped
    if matching.missing or matching.unused or not 0 < len(rows) <= _MAX_HEAD_PARAMETERS:
        return False
    return all(len(here) == len(there) > 0 and here[1:] == there[1:] and here[0] != there[0] for _, here, there in rows)


def shapes_of(arrays: Mapping[str, "np.ndarray | ms.Parameter"]) -> dict[str, Shape]:
    """Returns name to shape."""
    return {name: tuple(array.shape) for name, array in arrays.items()}
