"""From the values or colours of a label file to class numbers, by one look into a table for all pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from utils.data_sets.colour_numbers import colour_numbers, colour_of_number
from utils.model_utils.errors import BadValueError
from utils.words import counted

from .forms import HIGHEST_VALUE, parse_palette, targets_of_map, targets_of_palette

# What is advised where a label holds something else.
MAP_KEYS = "give it a class in label_map, or the word ignore; or set unknown_labels to ignore"
PALETTE_KEYS = "give it a class in palette, or the word ignore; or set unknown_labels to ignore"
IGNORES = "ignore_unknown_labels"  # in the description of an exported model
MOST_NAMED = 6  # strange values or colours in a sentence
_COLOURS = 1 << 24


@dataclass(frozen=True, eq=False)
class LabelCoding:
    """What the numbers of label files stand for.

    Attributes:
        targets: class number, or the ignore label, of each number: of a value 0 to 65535, or where `of_colours`, of
            red * 65536 + green * 256 + blue.
        of_colours: whether files are looked at by colour.
        ignore_label: value of pixels without a class.
        ignores_unknown: whether other numbers stand for no class; otherwise they are refused.
        fix: what the sentence advises where they are refused.
    """

    targets: Mapping[int, int]
    of_colours: bool
    ignore_label: int
    ignores_unknown: bool
    fix: str

    @cached_property
    def _table(self) -> np.ndarray:
        """uint16[N], the class of each number and 1; 0 where it has none. What nobody looks up takes no memory."""
        table = np.zeros(_COLOURS if self.of_colours else HIGHEST_VALUE + 1, np.uint16)
        table[np.fromiter(self.targets.keys(), np.int64)] = np.fromiter(self.targets.values(), np.int64) + 1
        return table

    def classes(self, pixels: np.ndarray, path: Path) -> np.ndarray:
        """Returns the class of each pixel, uint8[H, W].

        Args:
            pixels: uint8[H, W, 3] RGB where `of_colours`, else uint8[H, W] or uint16[H, W].
            path: of the file, for the sentence.

        Raises:
            BadValueError: there are numbers that stand for nothing.
        """
        numbers = colour_numbers(pixels) if self.of_colours else pixels
        found = self._table[numbers]
        is_unknown = found == 0
        if is_unknown.any():
            if not self.ignores_unknown:
                raise BadValueError(f"label '{path}' holds {self._named(numbers[is_unknown])}; {self.fix}")
            found[is_unknown] = self.ignore_label + 1
        return (found - 1).astype(np.uint8)

    def _named(self, strange: np.ndarray) -> str:
        """Returns e.g. `the values 3 (120 pixels) and 7 (1 pixel), which stand for nothing`, most frequent first."""
        values, counts = np.unique(strange, return_counts=True)
        order = np.argsort(-counts, kind="stable")[:MOST_NAMED]
        words = [f"{self._shown(int(values[index]))} ({counted(int(counts[index]), 'pixel')})" for index in order]
        rest = len(values) - len(words)
        words += [f"{rest} more"] if rest else []
        listed = ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else words[0]
        kind = "colour" if self.of_colours else "value"
        if len(values) == 1:
            return f"the {kind} {listed}, which stands for nothing"
        return f"the {kind}s {listed}, which stand for nothing"

    def _shown(self, number: int) -> str:
        return str(colour_of_number(number) if self.of_colours else number)

    def numbers(self) -> dict[str, int | list[int]]:
        """Returns the coding as an exported model's description takes it; see `coding_of_numbers`."""
        pairs = [number for pair in self.targets.items() for number in pair]
        return {"label_colours" if self.of_colours else "label_values": pairs, IGNORES: int(self.ignores_unknown)}


def coding_of(
    label_map: Sequence[str] | None,
    palette: Sequence[str] | None,
    *,
    num_classes: int,
    names: Sequence[str],
    ignore_label: int,
    ignores_unknown: bool,
    fix: str,
) -> LabelCoding | None:
    """Returns what the keys of these names say of labels; None where values are the class numbers.

    Args:
        label_map: its texts.
        palette: its texts.
        num_classes: classes are 0..num_classes-1.
        names: of the classes.
        ignore_label: value of pixels without a class.
        ignores_unknown: whether what stands for nothing is ignored.
        fix: what the sentence advises where it is refused.

    Raises:
        BadValueError: a class is named that there is not.
    """
    targets: dict[int, int | None]
    if palette:
        of_colours = targets_of_palette(parse_palette(palette), num_classes, names)
        targets = {red << 16 | green << 8 | blue: target for (red, green, blue), target in of_colours.items()}
    elif label_map:
        targets = dict(targets_of_map(label_map, num_classes, names))
    elif ignores_unknown:
        targets = {**{number: number for number in range(num_classes)}, ignore_label: None}
    else:
        return None
    classes = {number: ignore_label if target is None else target for number, target in targets.items()}
    return LabelCoding(classes, bool(palette), ignore_label, ignores_unknown, fix)


def coding_of_numbers(stored: Mapping[str, object], ignore_label: int, fix: str) -> LabelCoding | None:
    """Returns the coding that the description of an exported model has; None where it has none.

    Raises:
        BadValueError: it is damaged.
    """
    key = next((key for key in ("label_colours", "label_values") if key in stored), "")
    if not key:
        return None
    pairs, highest = stored[key], _COLOURS - 1 if key == "label_colours" else HIGHEST_VALUE
    if not isinstance(pairs, list) or len(pairs) % 2 or not all(isinstance(number, int) for number in pairs):
        raise BadValueError(f"the description of the model has no pairs of numbers as {key}: export the model again")
    targets = dict(zip(pairs[::2], pairs[1::2], strict=True))
    if not all(0 <= number <= highest and 0 <= target <= 255 for number, target in targets.items()):
        raise BadValueError(f"the description of the model has {key} out of range: export the model again")
    return LabelCoding(targets, key == "label_colours", ignore_label, bool(stored.get(IGNORES, 0)), fix)


def first_colours(palette: Sequence[str], num_classes: int, names: Sequence[str]) -> dict[int, tuple[int, int, int]]:
    """Returns the first colour of each class number in a palette's texts."""
    colours: dict[int, tuple[int, int, int]] = {}
    for rgb, target in targets_of_palette(parse_palette(palette), num_classes, names).items():
        if target is not None:
            colours.setdefault(target, rgb)
    return colours
