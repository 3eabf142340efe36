"""From a data set in the form it has to one that a suite trains on, and what is said of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from utils.data_sets.val_share import ValShare
from utils.forms import sniffing
from utils.forms.class_lists import told_apart
from utils.forms.content import DataSet, count_objects
from utils.forms.next_commands import next_commands
from utils.forms.options import Options, refuse_unread
from utils.forms.repairs import once_each, with_usable_boxes
from utils.forms.sniffing import COCO, FORMS
from utils.forms.source_files import SourceFiles
from utils.forms.splits import SPLITS, with_splits
from utils.forms.tally import Tally
from utils.forms.writers import cityscapes, coco
from utils.forms.writers.new_folder import check_target, new_folder, write_record
from utils.forms.writers.placing import How, Placing
from utils.model_utils.errors import BadValueError, UserError
from utils.words import counted, first_of, share

WHAT_FOR = {"train": "to train", "val": "to evaluate", "test": "to test"}
MOST_LISTED = 20  # classes of a line

Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        source: folder of the data set.
        out: folder that takes the new one.
        form: a key of `FORMS`; "" to find it out.
        target: "coco" or "cityscapes"; "" for what the form is for.
        images: how pictures get there.
        val_share: share of the pictures to evaluate, where the source does not say.
        val_seed: another number draws others.
        val_group_by_stem: pictures of one name, but for the number at its end, stay in one split.
        has_background: for "cityscapes", what is no object is a class, and not left out.
        is_strict: anything that is left out is an error.
        overwrite: an earlier conversion in `out` is replaced.
        options: how the form is read.
    """

    source: Path
    out: Path
    form: str = ""
    target: str = ""
    images: How = "link"
    val_share: float = 0.2
    val_seed: int = 0
    val_group_by_stem: bool = False
    has_background: bool = True
    is_strict: bool = False
    overwrite: bool = False
    options: Options = field(default_factory=Options)


def convert(request: Request, say: Say = print) -> DataSet:
    """Converts a data set; the source is only read.

    Args:
        request: what is asked for.
        say: takes the lines for the user.

    Returns:
        What was written, each picture with its split.

    Raises:
        UserError: the source is of no known form, or nothing of it can be used, an option is for other forms, or the
            target cannot be written.
    """
    files = SourceFiles(request.source)
    check_target(request.out, files, request.overwrite)
    name, why = sniffing.choose(files, request.form, request.target)
    form = FORMS[name]
    target = request.target or form.target
    refuse_unread(request.options, name)
    if target == COCO and not request.has_background:
        raise BadValueError("--background none is for --to cityscapes, and the target is coco: leave it out")
    say(f"form: {form.title} (--form {name}): {why}")
    tally = Tally()
    try:
        data = form.read(files, request.options, tally)
        data.class_names = told_apart(data.class_names, tally)
        data.pictures = with_usable_boxes(once_each(data.pictures, data.tally), data.tally)
        if request.options.splits == "source":
            data.notes += _splits_passed_over(files)
        _say_found(data, say)
        share = ValShare(request.val_share, request.val_seed, request.val_group_by_stem)
        data.pictures, where_from = with_splits(
            data.pictures, share, data.tally, of_source=request.options.splits == "source"
        )
        lines = _write(request, data, name, target)
    except UserError:
        _say_counts(tally, say)
        raise
    _say_counts(tally, say)
    _say_written(request, data, where_from, lines, say)
    return data


def _write(request: Request, data: DataSet, form: str, target: str) -> list[str]:
    """Writes the new data set; returns what there is to say of it."""
    placing = Placing(request.images)
    with new_folder(request.out) as folder:
        if target == COCO:
            lines = _write_coco(data, folder, placing)
        else:
            lines = _write_cityscapes(data, folder, placing, request.has_background)
        if request.is_strict and data.tally.num_dropped:
            raise BadValueError("something was left out, see above, which --strict does not allow: nothing was written")
        write_record(
            folder,
            {
                "source": str(request.source.absolute()),
                "form": form,
                "target": target,
                "class_names": list(data.class_names),
                "pictures": {split: _num_of(data, split) for split in SPLITS},
                "left_out": data.tally.dropped(),
                "changed": data.tally.changed(),
            },
        )
    note = placing.note()
    return [*([note] if note else []), *lines, *next_commands(target, request.out, data)]


def _write_coco(data: DataSet, folder: Path, placing: Placing) -> list[str]:
    counts = coco.write(data, folder, placing)
    if not sum(counts.values()):
        raise BadValueError("there is no box of any class in the source that can be used: nothing was written")
    lines = [f"boxes: {_listed({name: count for name, count in counts.items() if count})}"]
    absent = [name for name, count in counts.items() if not count]
    if absent:
        lines.append(f"classes without a box: {first_of(absent, MOST_LISTED)}")
    if data.has_labels:
        left = f"; {data.class_names[data.background]!r} is no object" if data.background is not None else ""
        lines.append(f"each connected region of a class is one object: those that touch share a box{left}")
        data.class_names = tuple(counts)
    return lines


def _write_cityscapes(data: DataSet, folder: Path, placing: Placing, has_background: bool) -> list[str]:
    names, numbers, unpainted = cityscapes.classes_of(data, has_background)
    totals = cityscapes.write(data, folder, placing, numbers, unpainted, names)
    if not totals[:-1].sum():
        raise BadValueError("no pixel of any label in the source has a class: nothing was written")
    data.class_names = names
    shares = totals / totals.sum()
    of_each = [f"{name} {share(part, 1)}" for name, part in zip(names, shares, strict=False)]
    absent = [name for name, total in zip(names, totals, strict=False) if not total]
    lines = [f"pixels: {first_of(of_each, MOST_LISTED)}; no class {share(shares[-1], 1)}"]
    if not data.has_labels:
        what = f"{names[unpainted]} ({unpainted})" if unpainted < len(names) else "no class (255)"
        lines.append(f"pixels outside all objects are {what}; a pixel belongs to a polygon if its centre lies inside")
        if any(None in each.objects.shapes for each in data.pictures if each.objects is not None):
            lines.append("objects that are only boxes are painted as filled boxes")
    return lines + ([f"classes without a pixel: {first_of(absent, MOST_LISTED)}"] if absent else [])


def _splits_passed_over(files: SourceFiles) -> list[str]:
    folder, beside = files.passed_over_split
    what = f"folder {folder!r} is not taken for a split: {beside!r} lies beside it, and no other split is there"
    return [what] if folder else []


def _say_found(data: DataSet, say: Say) -> None:
    count = f", {counted(count_objects(data.pictures), 'object')}" if not data.has_labels else ""
    named = first_of([repr(name) for name in data.class_names], MOST_LISTED)
    say(f"found: {counted(len(data.pictures), 'picture')}, {counted(len(data.class_names), 'class')} ({named}){count}")
    for note in data.notes:
        say(f"  {note}")


def _say_counts(tally: Tally, say: Say) -> None:
    for title, lines in (("left out", tally.dropped()), ("changed", tally.changed())):
        if lines:
            say(f"{title}:")
            for line in lines:
                say(f"  {line}")


def _say_written(request: Request, data: DataSet, where_from: str, lines: list[str], say: Say) -> None:
    parts = [f"{counted(count, 'picture')} {WHAT_FOR[split]}" for split in SPLITS if (count := _num_of(data, split))]
    say(f"written: '{request.out}', {', '.join(parts)} ({where_from})")
    for line in lines:
        say(line)


def _num_of(data: DataSet, split: str) -> int:
    return sum(picture.split == split for picture in data.pictures)


def _listed(counts: dict[str, int]) -> str:
    return first_of([f"{name} {count:,}" for name, count in counts.items()], MOST_LISTED)
