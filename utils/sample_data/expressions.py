"""The expressions in object files: numbers, names, arithmetic and calls of a fixed list of functions."""

import ast
import functools
from collections.abc import Callable, Iterable
from types import CodeType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from utils.model_utils.errors import BadValueError
from utils.sample_data import geometry
from utils.sample_data.drawing.parts import Colour

ALLOWED = (
    *(ast.Expression, ast.Constant, ast.Name, ast.Load, ast.Tuple, ast.List, ast.Subscript, ast.Call, ast.IfExp),
    *(ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
)


Value: TypeAlias = Any  # what a JSON value comes to: whoever asks for a key of an object knows its kind


class Formula(NamedTuple):
    """A checked JSON value: code that depends on names, or None and a constant."""

    code: CodeType | None
    constant: Value = None

    def value(self, functions: dict, scope: dict) -> Value:
        """Works it out; lists of JSON become tuples."""
        return self.constant if self.code is None else eval(self.code, functions, scope)


def formula(value: object, names: Iterable[str], place: str) -> Formula:
    """Compiles a JSON value (number, boolean, null, expression or lists of these) that may use `names`.

    Raises:
        BadValueError: when an expression cannot be read or uses something unknown; it names `place`, file and shape.
    """
    tree = ast.fix_missing_locations(ast.Expression(_tree(value, place)))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    strange = next((node for node in ast.walk(tree) if not isinstance(node, ALLOWED)), None)
    if strange is not None:
        raise BadValueError(f"{place}: {value!r} holds a {type(strange).__name__}, but only plain arithmetic is read")
    unknown = used.difference(names)
    if unknown:
        raise BadValueError(f"{place}: {value!r} uses '{min(unknown)}', which is not defined there")
    code = compile(tree, place, "eval")
    return Formula(code) if used else Formula(None, eval(code, {"__builtins__": {}}))


def _tree(value: Value, place: str) -> ast.expr:
    if isinstance(value, list):
        return ast.Tuple([_tree(entry, place) for entry in value], ast.Load())
    if not isinstance(value, str):
        return ast.Constant(value)
    try:
        return ast.parse(value, mode="eval").body
    except SyntaxError:
        raise BadValueError(f"{place}: {value!r} is not an expression; put a word in single quotes") from None


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The colour that is `share` of the way from the first to the second."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def tone(colour: Colour, factor: float) -> Colour:
    """The colour made darker (below 1) or lighter (above 1), within 0-255."""
    red, green, blue = (min(255.0, channel * factor) for channel in colour)
    return red, green, blue


FUNCTIONS: dict[str, object] = {
    **{name.__name__: name for name in (abs, min, max, int, str, len, range, mix, tone)},
    **{name: getattr(geometry, name) for name in ("arc", "at", "hang", "joint", "join", "zigzag")},
    **{name: getattr(np, name) for name in ("pi", "sin", "cos", "tan", "arctan", "sign")},
    "ramp": lambda value, low, high: np.clip((value - low) / (high - low), 0.0, 1.0),
    "soften": functools.partial(geometry.rounded_off, closed=False),
    "spread": lambda first, last, count: np.linspace(first, last, count).tolist(),
    "steps": lambda first, end, step: np.arange(first, end, step).tolist(),
}
DRAWS = ("between", "ahead", "whole", "chance", "pick", "pieces", "hills")


def drawing_functions(rng: np.random.Generator) -> dict[str, Callable]:
    """The functions DRAWS.

    `between` is uniform, `ahead` such that sizes in the picture are, `whole` a whole number with both ends; `pick`
    takes one option, all equally likely unless chances are given; `pieces` cuts a length into (start, length) pairs.
    """

    def pick(options: tuple, chances: tuple | None = None) -> object:
        return options[int(rng.integers(len(options)) if chances is None else rng.choice(len(options), p=chances))]

    def pieces(length: float, least: float, most: float) -> list[tuple[float, float]]:
        cuts = [0.0]
        while cuts[-1] < length - least / 2:  # what is left is narrower than half a piece
            cuts.append(min(cuts[-1] + rng.uniform(least, most), length))
        return [(start, end - start) for start, end in zip(cuts[:-1], cuts[1:], strict=True)]

    return {
        "between": lambda low, high: low + (high - low) * rng.random(),
        "ahead": lambda nearest, farthest: 1.0 / rng.uniform(1.0 / farthest, 1.0 / nearest),
        "whole": lambda low, high: int(rng.integers(low, high + 1)),
        "chance": lambda share: bool(rng.random() < share),
        "pick": pick,
        "pieces": pieces,
        "hills": functools.partial(geometry.hills, rng),
    }
