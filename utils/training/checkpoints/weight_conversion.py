"""Takes weights of another framework over into a network's own parameters, all of them or none, and reports it.

What a suite gives is a table: for every parameter of its network the names that it may have in the foreign file.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from utils.model_utils.errors import MAX_EXAMPLES, BadValueError
from utils.training.checkpoints.weight_matching import Shape
from utils.words import counted, first_of

# Own names of a batch norm's values in MindSpore, and PyTorch's.
NORM_VALUES = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}

MINDSPORE_NORM_VALUES = {name: name for name in NORM_VALUES}


@dataclass(frozen=True)
class WeightSource:
    """Where the values of one parameter stand in the foreign file.

    Attributes:
        names: its names; several where the file repeats shared weights: one has to be there, all have to agree.
        subtracted: name of values that are subtracted where the file has them: the bias of a convolution before a
            batch norm, whose moving mean this parameter is.
    """

    names: tuple[str, ...]
    subtracted: str = ""


@dataclass(frozen=True)
class Conversion:
    """Own parameters, and how they came about.

    Attributes:
        arrays: own parameter name to values, float32.
        num_copies: tensors of the file that repeat another one.
        num_folded: convolution biases that went into the mean of the batch norm behind them.
        dropped: reason to number of tensors that have no place in the network.
    """

    arrays: dict[str, np.ndarray]
    num_copies: int = 0
    num_folded: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)


def convolution_sources(own: str, foreign: str, has_bias: bool = False) -> dict[str, WeightSource]:
    """Returns the sources of a convolution's or dense layer's weight and bias."""
    parts = ("weight", "bias") if has_bias else ("weight",)
    return {f"{own}.{part}": WeightSource((f"{foreign}.{part}",)) for part in parts}


def batch_norm_sources(own: str, foreign: str, folded_bias: str = "") -> dict[str, WeightSource]:
    """Returns the sources of a batch norm's four values.

    `folded_bias` names the bias of the convolution before it, which the file may have and the network has not.
    """
    return {
        f"{own}.{here}": WeightSource((f"{foreign}.{there}",), folded_bias if here == "moving_mean" else "")
        for here, there in NORM_VALUES.items()
    }


def convert_weights(
    arrays: Mapping[str, np.ndarray],
    sources: Mapping[str, WeightSource],
    shapes: Mapping[str, Shape],
    dropped: Mapping[str, str],
    *,
    file: str,
    advice: str,
) -> Conversion:
    """Fills every parameter of a network from a foreign file.

    Args:
        arrays: name in the file to values.
        sources: own parameter name to its source; these are the parameters that are filled.
        shapes: own parameter name to shape, at least for those of `sources`.
        dropped: regular expression of whole names in the file to the reason why they are left out.
        file: the file, for messages.
        advice: what to do about a file that does not fit, for messages.

    Raises:
        BadValueError: something is missing, left over, of another shape, or copies differ; all of it is counted.
    """
    reasons = {name: reason for name in arrays for pattern, reason in dropped.items() if re.fullmatch(pattern, name)}
    problems = _problems(arrays, sources, shapes, set(arrays) - set(reasons))
    if problems:
        raise BadValueError(f"'{file}' does not fit the network: {', '.join(problems)}; {advice}")
    present = {own: [name for name in source.names if name in arrays] for own, source in sources.items()}
    converted = {own: arrays[names[0]].astype(np.float32) for own, names in present.items()}
    folded = {own: source.subtracted for own, source in sources.items() if source.subtracted in arrays}
    for own, bias in folded.items():
        converted[own] = converted[own] - arrays[bias].astype(np.float32)
    return Conversion(
        converted,
        num_copies=sum(len(names) - 1 for names in present.values()),
        num_folded=len(set(folded.values())),
        dropped=Counter(reasons.values()),
    )


def _problems(
    arrays: Mapping[str, np.ndarray], sources: Mapping[str, WeightSource], shapes: Mapping[str, Shape], wanted: set[str]
) -> list[str]:
    """Returns a phrase for each kind of misfit, empty when all fits; `wanted` are the names that have to be used."""
    missing = [source.names[0] for source in sources.values() if not any(name in arrays for name in source.names)]
    used = {name for source in sources.values() for name in (*source.names, source.subtracted)}
    left = [name for name in arrays if name in wanted - used]
    misshaped, differing = [], []
    for own, source in sources.items():
        present = [name for name in (*source.names, source.subtracted) if name in arrays]
        wrong = [name for name in present if arrays[name].shape != shapes[own]]
        misshaped += [f"{name} {arrays[name].shape} instead of {shapes[own]}" for name in wrong]
        copies = [name for name in source.names if name in arrays and not wrong]
        differing += [name for name in copies[1:] if not np.array_equal(arrays[name], arrays[copies[0]])]
    kinds = (
        (missing, "missing"),
        (left, "left over"),
        (misshaped, "of another shape"),
        (differing, "different from the copy that they share their weights with"),
    )
    return [
        f"{counted(len(names), 'tensor')} {kind} ({first_of(names, MAX_EXAMPLES, '; ')})"
        for names, kind in kinds
        if names
    ]


def format_conversion(conversion: Conversion, notes: Iterable[str] = ()) -> str:
    """Returns the report: a row for each group of parameters (the first two parts of their names), then the rest."""
    tensors: Counter[str] = Counter()
    values: Counter[str] = Counter()
    for name, array in conversion.arrays.items():
        group = ".".join(name.split(".")[:2])
        tensors[group] += 1
        values[group] += array.size
    rows = [(group, f"{count:,}", f"{values[group]:,}") for group, count in tensors.items()]
    rows.append(("in all", f"{tensors.total():,}", f"{values.total():,}"))
    lines = [f"{'group':<24}{'tensors':>10}{'values':>16}", *(f"{a:<24}{b:>10}{c:>16}" for a, b, c in rows)]
    if conversion.num_folded:
        lines.append(
            f"folded: {conversion.num_folded} convolution biases into the moving mean of the batch norm after them "
            "(evaluation stays the same; in training the norm takes such a bias away again)"
        )
    if conversion.num_copies:
        lines.append(f"merged: {counted(conversion.num_copies, 'copy')} of shared weights, all equal")
    lines += [f"dropped: {counted(count, 'tensor')}: {reason}" for reason, count in conversion.dropped.items()]
    return "\n".join([*lines, *notes])
