"""From the values or colours of label pictures to class numbers, and how that is found out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from utils.data_sets.colour_numbers import colour_numbers, colour_of_number
from utils.data_sets.known_palettes import CAMVID_NAMES, NO_CLASS_WORDS, VOC_BORDER, VOC_NAMES, voc_colour
from utils.data_sets.label_files import LARGEST_BYTE, LabelPixels
from utils.forms.class_lists import background_of
from utils.forms.content import NO_CLASS
from utils.forms.labels.tables import NO_CLASS_NAMES, ClassTable, find_table, read_table
from utils.forms.labels.value_names import MASK_NAMES, find_value_names, name_values, numbered
from utils.forms.options import Options
from utils.forms.source_files import SourceFiles
from utils.model_utils.errors import BadValueError
from utils.words import agreed, counted, first_of, listed

MOST_STRETCHED, SMALLEST_GAP = 13, 20  # class numbers that were spread over 0 to 255, to be seen: 0, 127, 254
FARTHEST_PLAIN = 100  # a value from which on class numbers without names are doubted where most do not occur
MOST_COLOURS = 300  # of labels; of photographs, or of labels saved as JPEG, there are thousands
MOST_NAMED = 12  # colours of a sentence
MOST_CLASSES = 255  # 0 to 254: 255 is no class


@dataclass(frozen=True, eq=False)
class LabelRule:
    """What becomes of the pixels.

    Attributes:
        names: of the classes.
        table: uint8[256], class number of each value, or NO_CLASS; None for colours.
        codes: uint32[N], sorted; numbers of the colours that are known.
        classes: uint8[N], class number of each of them.
        notes: sentences on how it was found.
        background: class that is no object; None where there is none.
        unknown: what the labels hold and the table of classes does not, "colour" or "value" and which: no class.
    """

    names: tuple[str, ...]
    table: np.ndarray | None
    codes: np.ndarray
    classes: np.ndarray
    notes: tuple[str, ...]
    background: int | None
    unknown: tuple[tuple[str, str], ...] = ()

    def apply(self, label: LabelPixels) -> np.ndarray:
        """Returns uint8[H, W], class numbers and NO_CLASS."""
        if self.table is not None and not label.is_coloured:
            return self.table[label.values]
        codes = colour_numbers(label.colours())
        at = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        return np.where(self.codes[at] == codes, self.classes[at], NO_CLASS).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class FoundPixels:
    """What all labels of a set hold.

    Attributes:
        values: the values of those of numbers, sorted.
        codes: the colours of the others, as numbers, sorted.
        has_palette: some of the former are indexes into a palette.
        palette_codes: colours that a palette gives to indexes that occur.
    """

    values: tuple[int, ...]
    codes: tuple[int, ...]
    has_palette: bool
    palette_codes: tuple[int, ...] = ()


def find_rule(files: SourceFiles, found: FoundPixels, options: Options, *, layout: str) -> LabelRule:
    """Finds out what the pixels of a set stand for.

    Args:
        files: of the source, in which tables and lists of names are looked for.
        found: what the labels hold.
        options: of the user, which count before what is found.
        layout: "camvid", "ade20k", "voc" or "" for how folders are named.

    Raises:
        BadValueError: they have colours and no table names them, or more classes than a file of one byte a pixel holds,
            or options of the user do not go together or with them.
    """
    table = _table(files, options)
    if found.codes or (table is not None and _are_colours_of(table, found)):
        _refuse_options_of_values(options)
        return _colour_rule(table or _voc_table(found.codes, layout), found)
    if options.colors is not None and table is not None and table.colours:
        values = first_of([str(value) for value in found.values], MOST_NAMED)
        raise BadValueError(
            f"table '{options.colors}' names colours, and the labels have the values {values}: give one of values, in "
            "lines such as 'car 7'"
        )
    if table is not None and table.values:
        return _value_table_rule(table, found, options)
    return _number_rule(files, found, options, layout)


def _are_colours_of(table: ClassTable, found: FoundPixels) -> bool:
    """Whether labels of numbers have colours of a table: in their palettes, or as levels that are greys in it."""
    if not table.colours:
        return False
    if found.has_palette and set(found.palette_codes) & set(colour_numbers(np.array(table.colours)).tolist()):
        return True
    greys = {red for red, green, blue in table.colours if red == green == blue}
    return set(found.values) <= greys


def _refuse_options_of_values(options: Options) -> None:
    """Refuses what is said of values, of labels that have colours.

    Raises:
        BadValueError: there is such an option.
    """
    given = {"--classes": bool(options.classes), "--no_class": options.no_class is not None}
    for option in (name for name, is_given in given.items() if is_given):
        raise BadValueError(
            f"{option} is about values, and these labels have colours: name them in the file of --colors, those of no "
            "class as 'void'"
        )


def _table(files: SourceFiles, options: Options) -> ClassTable | None:
    if options.colors is not None and options.classes:
        raise BadValueError("--colors and --classes both name the classes: give one of them")
    if options.colors is not None:
        return read_table(Path(options.colors), str(options.colors))
    return None if options.classes else find_table(files)


def _voc_table(codes: Sequence[int], layout: str) -> ClassTable:
    """Returns VOC's table where all colours are its: other programs use its colours for classes of any names.

    Raises:
        BadValueError: they are not.
    """
    colours = [voc_colour(number) for number in range(len(VOC_NAMES))]
    known = colour_numbers(np.array([*colours, VOC_BORDER])).tolist()
    if set(codes) <= set(known):
        count = 1 + max(number for number, code in enumerate(known[:-1]) if code in codes or number == 0)
        numbered = tuple(f"class_{number}" for number in range(count))
        names = VOC_NAMES if layout == "voc" else numbered
        listed_colours = (*colours[: len(names)], VOC_BORDER)
        return ClassTable((*names, NO_CLASS_WORDS[0]), (), listed_colours, "Pascal VOC's colours")
    if len(codes) > MOST_COLOURS:
        raise BadValueError(
            f"the labels have {len(codes):,} colours, too many to be classes: are they photographs, or were they saved "
            "as JPEG once? Give labels whose colours are exact"
        )
    raise BadValueError(
        f"the labels have {counted(len(codes), 'colour')} and no table names them: write a file with a line for each, "
        f"a name and its colour as in 'car 0 0 142', and give it with --colors; found were "
        f"{_shown(codes)}"
    )


def _shown(codes: Sequence[int]) -> str:
    return first_of([_colour(code) for code in codes], MOST_NAMED)


def _colour(code: int) -> str:
    return "{} {} {}".format(*colour_of_number(code))


def _colour_rule(table: ClassTable, found: FoundPixels) -> LabelRule:
    names = [name for name in dict.fromkeys(table.names) if name.lower() not in NO_CLASS_NAMES]
    if not table.colours:
        raise BadValueError(f"the labels have colours, and '{table.source}' names values: give a table with --colors")
    if len(names) > MOST_CLASSES:  # more than the table below has numbers for
        raise _wrong_count(len(names))
    number_of = {name: number for number, name in enumerate(names)}
    classes = np.array([number_of.get(name, NO_CLASS) for name in table.names], np.uint8)
    codes, first = np.unique(colour_numbers(np.array(table.colours)), return_index=True)
    notes = [f"colours are those of {table.source}: {counted(len(names), 'class')}"]
    skipped = [name for name in dict.fromkeys(table.names) if name.lower() in NO_CLASS_NAMES]
    if skipped:
        notes.append(f"no class by their names: {', '.join(skipped)}")
    strange = sorted({*found.codes, *found.palette_codes}.difference(codes.tolist()))
    rule = _rule(names, None, notes, codes, classes[first])
    return replace(rule, unknown=tuple(("colour", _colour(code)) for code in strange))


def _value_table_rule(table: ClassTable, found: FoundPixels, options: Options) -> LabelRule:
    no_class = {*(options.no_class or ())}
    kept = [(value, name) for value, name in zip(table.values, table.names, strict=True) if value not in no_class]
    names = list(dict.fromkeys(name for _, name in kept if name.lower() not in NO_CLASS_NAMES))
    numbers = np.full(256, NO_CLASS, np.uint8)
    for value, name in kept:
        numbers[value] = names.index(name) if name in names else NO_CLASS
    rule = _rule(names, numbers, [f"values are those of {table.source}: {counted(len(names), 'class')}"])
    strange = sorted(set(found.values).difference(table.values, no_class, [NO_CLASS]))
    return replace(rule, unknown=tuple(("value", str(value)) for value in strange))


def _number_rule(files: SourceFiles, found: FoundPixels, options: Options, layout: str) -> LabelRule:
    """Takes values as class numbers, and those that were spread over 0 to 255 in their order.

    Raises:
        BadValueError: all values stand for no class, or it cannot be told which value each name is for, or the values
            are no class numbers.
    """
    if options.no_class and set(found.values) <= set(options.no_class):
        raise BadValueError(
            f"--no_class names all values of the labels ({listed(found.values)}), so that there is no class: leave out "
            "those that stand for one"
        )
    is_spread = not found.has_palette and layout == "" and is_stretched(found.values)
    possible = list(found.values) if is_spread else list(range(256))
    if is_spread:
        no_class, values = {*(options.no_class or ())}, list(found.values)
        kept = [value for value in values if value not in no_class]
        hint = " (--no_class 255: 255 is none)" if LARGEST_BYTE in kept else ""
        how = f"values {listed(kept)} are classes in this order{hint}"
    else:
        no_class, why = _values_of_no_class(options, layout)
        last = max([value for value in found.values if value not in no_class], default=-1)
        kept = [value for value in range(last + 1) if value not in no_class]
        values = list(range(1 + max([*kept, *({*found.values, *no_class} - {NO_CLASS})], default=-1)))
        verb = agreed(len(no_class), "is", "are")
        how = f"values are class numbers; {listed(sorted(no_class))} {verb} no class{why}"
    is_mask = is_spread and found.values == (0, LARGEST_BYTE)
    given = find_value_names(files, options, layout, kept, no_class) or (MASK_NAMES if is_mask else None)
    if given is None and not is_spread and not layout:
        _refuse_sparse(found.values, kept)
    named = name_values(given or numbered(kept), values, kept, [each for each in possible if each not in no_class])
    table = np.full(256, NO_CLASS, np.uint8)
    table[list(named)] = np.arange(len(named))
    note = f"class names are those of {given.source}" if given else "no file names the classes: they are numbered"
    return _rule(list(named.values()), table, [how, note], is_named=given is not None)


def _refuse_sparse(found: Sequence[int], kept: Sequence[int]) -> None:
    """Refuses values that nobody has numbered classes with, such as masks of 0 and 255 with a few of 254.

    Args:
        found: values of the labels.
        kept: class numbers up to the last one of them.

    Raises:
        BadValueError: they go far, and most of those up to the last one do not occur.
    """
    used = [value for value in found if value in kept]
    others = [str(value) for value in found if value not in kept]
    if used and used[-1] >= FARTHEST_PLAIN and 2 * len(used) < len(kept):
        shown = first_of([str(value) for value in used], MOST_NAMED)
        beside = f" beside {first_of(others, MOST_NAMED)}, no class," if others else ""
        raise BadValueError(
            f"the labels have {counted(len(used), 'value')} up to {used[-1]} ({shown}){beside or ','} so that most of "
            f"{counted(len(kept), 'class')} would have no pixel: give masks that have no other values than their "
            "classes, or say what the values are in a file with --colors, in lines such as 'background 0' and "
            "'foreground 255'"
        )


def is_stretched(values: Sequence[int]) -> bool:
    """Whether values look like class numbers that were spread over 0 to 255, as 0 and 255, or 0, 127 and 254."""
    gaps = np.diff(values)
    return 2 <= len(values) <= MOST_STRETCHED and values[-1] >= FARTHEST_PLAIN and bool((gaps >= SMALLEST_GAP).all())


def _values_of_no_class(options: Options, layout: str) -> tuple[set[int], str]:
    if options.no_class is not None:
        return {*options.no_class, NO_CLASS}, ""
    if layout == "ade20k":
        return {0, NO_CLASS}, " (ADE20K's layout; --no_class 255 and a name for 0 in --classes: 0 is one)"
    if layout == "camvid":
        last = len(CAMVID_NAMES)
        return {last, NO_CLASS}, f" (CamVid's layout; --no_class 255 and a name for {last} in --classes: {last} is one)"
    return {NO_CLASS}, ""


def _wrong_count(count: int) -> BadValueError:
    return BadValueError(
        f"the labels have {counted(count, 'class')}, wanted 1 to {MOST_CLASSES}: correct the table that names them"
    )


def _rule(
    names: Sequence[str],
    table: np.ndarray | None,
    notes: Sequence[str],
    codes: np.ndarray | None = None,
    classes: np.ndarray | None = None,
    *,
    is_named: bool = True,
) -> LabelRule:
    if not names or len(names) > MOST_CLASSES:
        raise _wrong_count(len(names))
    background = background_of(names)
    if background is None and not is_named and table is not None and table[0] == 0:
        background = 0
    empty = np.zeros(0, np.uint32)
    return LabelRule(
        tuple(names),
        table,
        empty if codes is None else codes,
        empty.astype(np.uint8) if classes is None else classes,
        tuple(notes),
        background,
    )
