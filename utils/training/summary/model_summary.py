"""Weights and multiply-adds of each part of a network, counted from its parameters: nothing is run or compiled.

A weight matrix or kernel makes as many multiply-adds as it has numbers, times the places where it is applied: pixels of
a convolution's result, tokens, regions. So a suite says of its weights where each is applied, and what has none, such
as the products in attention. Norms, activations, pooling and resizing do not count, as in published numbers.
"""

import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mindspore import nn

_STATISTICS = ("moving_mean", "moving_variance")
_GIGA, _MEGA = 1e9, 1e6

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """A part of a network.

    Attributes:
        name: first part of the names of its parameters, e.g. "backbone".
        weights: numbers in its parameters, moving statistics apart.
        multiply_adds: of a picture.
    """

    name: str
    weights: int
    multiply_adds: int


@dataclass(frozen=True)
class Applied:
    """Where the weights whose names begin with a pattern are applied, in a picture.

    Attributes:
        pattern: regular expression of the beginning of names.
        places: pixels, tokens or regions.
    """

    pattern: str
    places: int


def count_parts(
    network: nn.Cell, applied: Sequence[Applied], without_weights: Mapping[str, int] | None = None
) -> tuple[Part, ...]:
    """Counts the parts of a network in the order in which their first parameters come.

    Args:
        network: the network.
        applied: where its weights of two axes and more are applied; the first that fits a name counts.
        without_weights: by part, multiply-adds of two activations.

    Raises:
        ValueError: a weight is applied nowhere.
    """
    weights: dict[str, int] = {}
    multiply_adds: dict[str, int] = dict(without_weights or {})
    for parameter in network.get_parameters():
        name, size = parameter.name, math.prod(parameter.shape)
        part = name.partition(".")[0]
        if name.endswith(_STATISTICS):
            continue
        weights[part] = weights.get(part, 0) + size
        if len(parameter.shape) > 1:
            multiply_adds[part] = multiply_adds.get(part, 0) + size * _places(name, applied)
    return tuple(Part(part, count, multiply_adds.get(part, 0)) for part, count in weights.items())


def _places(name: str, applied: Sequence[Applied]) -> int:
    places = next((row.places for row in applied if re.match(row.pattern, name)), None)
    if places is None:
        raise ValueError(f"parameter '{name}' is applied nowhere: add it to the table of its suite")
    return places


def format_parts(parts: Sequence[Part], picture: str) -> list[str]:
    """Returns a table of few lines; `picture` says which it is of, e.g. "a picture of 512x1024"."""
    total = Part("in all", sum(part.weights for part in parts), sum(part.multiply_adds for part in parts))
    unit, letter = (_GIGA, "G") if total.multiply_adds >= _GIGA else (_MEGA, "M")
    rows = [(row.name, f"{row.weights:,}", f"{row.multiply_adds / unit:,.2f} {letter}") for row in (*parts, total)]
    rows.insert(0, ("network", "weights", f"multiply-adds of {picture}"))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return [f"{name:<{widths[0]}}  {weights:>{widths[1]}}  {cost}" for name, weights, cost in rows]


def log_parts(parts: Sequence[Part], picture: str) -> None:
    """Says the table in the log."""
    for line in format_parts(parts, picture):
        logger.info("%s", line)


def area(size: tuple[int, int], stride: int) -> int:
    """Returns the pixels of a feature of a picture of (height, width) `size`, sides rounded up."""
    return math.prod(-(-side // stride) for side in size)
