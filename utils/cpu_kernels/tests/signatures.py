"""The C entry points and the arguments that their signatures ask for, read from the sources."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from utils.cpu_kernels.library import SOURCES

SOURCE = "".join(path.read_text() for path in sorted(SOURCES.glob("*.c")))
KERNELS = {
    name: "".join(re.findall(r'"([^"]*)"', literals))
    for name, literals in re.findall(r'^KERNEL\((\w+)\) \{\s*REQUIRE\(((?:\s*"[^"]*")+)', SOURCE, re.MULTILINE)
}
ARGUMENT = re.compile(r"(\w+)(?: (\w+))?\[([^]]*)\](\+?)")
SIZES = {"N": 2, "C": 4, "H": 8, "W": 6, "h": 4, "w": 3, "O": 5, "k": 3, "L": 5, "S": 7, "d": 4, "K": 6, "R": 3, "b": 2}
LEVELS = 2  # of what comes "once or several times"
LEADING = (2, 3)  # axes that "..." stands for
OPEN_SIZE = 4  # of "?", where nothing else is said


@dataclass(frozen=True)
class Argument:
    """What one argument of a kernel has to be.

    Attributes:
        name: as the signature says.
        type: its dtype.
        axes: one letter, digit or "?" for each axis; "." for one of those of "...".
        shape: its sizes.
    """

    name: str
    type: str
    axes: tuple[str, ...]
    shape: tuple[int, ...]


def open_sizes(sizes: Mapping[str, int], levels: int) -> dict[str, int]:
    """Returns the sizes of RoIAlign's "?" by argument, which follow from the others."""
    pooled = sizes["N"] * sizes["R"]
    return {"settings": 1 + levels, "y": pooled, "dy": pooled}


def right_arguments(
    signature: str, sizes: Mapping[str, int] = SIZES, levels: int = LEVELS, leading: tuple[int, ...] = LEADING
) -> list[Argument]:
    """Returns arguments that the signature fits, inputs and outputs.

    Args:
        signature: of a kernel.
        sizes: of the axes by letter.
        levels: how often arguments with "+" come.
        leading: axes that "..." stands for.
    """
    known = {"?": OPEN_SIZE, **sizes, **open_sizes(sizes, levels)}
    arguments = []
    for group in signature.split(" -> "):
        found = ARGUMENT.findall(group)
        arguments += [item for item in found if not item[3]]
        arguments += [item for item in found if item[3] for _ in range(levels)]
    return [_argument(*item[:3], known, leading) for item in arguments]


def num_outputs(signature: str, levels: int = LEVELS) -> int:
    """Returns how many of the arguments are outputs: the last ones."""
    return sum(levels if plus else 1 for *_, plus in ARGUMENT.findall(signature.split(" -> ")[1]))


def _argument(name: str, dtype: str, axes: str, known: Mapping[str, int], leading: tuple[int, ...]) -> Argument:
    letters: list[str] = []
    for axis in filter(None, axes.split(", ")):
        letters += "." * len(leading) if axis == "..." else axis
    own = {letter: int(letter) for letter in letters if letter.isdigit()} | {"?": known.get(name, known["?"])}
    of_leading = iter(leading)
    shape = tuple(next(of_leading) if letter == "." else (known | own)[letter] for letter in letters)
    return Argument(name, dtype or "float32", tuple(letters), shape)
