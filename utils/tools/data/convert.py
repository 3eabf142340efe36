"""Converts a data set of one's own to the layout that the detectors or SegFormer read.

python -m utils.cli data convert SOURCE --out FOLDER [--to coco|cityscapes] [--form FORM] ...
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from utils.forms.conversion import Request, convert
from utils.forms.options import Options
from utils.forms.sniffing import CITYSCAPES, COCO, FORMS
from utils.installation import console_command
from utils.model_utils.command import run_command
from utils.model_utils.errors import short
from utils.model_utils.guards.arguments import SentenceParser, share, whole_number
from utils.model_utils.guards.numbers import is_whole_number
from utils.model_utils.guards.pixel_limit import add_limit_argument, set_most_megapixels
from utils.training.record.logging_setup import set_up_logging

LARGEST_VALUE = 255


def main(arguments: Sequence[str] | None = None) -> None:
    """Converts as the arguments ask; None takes those of the process.

    Raises:
        UserError: the data set cannot be converted; nothing was written.
    """
    parsed = _parser().parse_args(arguments)
    set_most_megapixels(parsed.max_image_megapixels)
    set_up_logging()
    options = Options(
        parsed.first_pixel, parsed.difficult, parsed.colors, parsed.no_class, parsed.classes, parsed.splits
    )
    convert(
        Request(
            source=parsed.source,
            out=parsed.out,
            form=parsed.form or "",
            target=parsed.to or "",
            images=parsed.images,
            val_share=parsed.val_share,
            val_seed=parsed.val_seed,
            val_group_by_stem=parsed.val_group_by_stem,
            has_background=parsed.background == "class",
            is_strict=parsed.strict,
            overwrite=parsed.overwrite,
            options=options,
        )
    )


def _parser() -> argparse.ArgumentParser:
    parser = SentenceParser(
        prog=console_command("data", "convert"),
        description="Converts a data set that an annotation tool exported. It only reads the source.",
        allow_abbrev=False,
    )
    parser.add_argument("source", type=Path, metavar="SOURCE", help="folder with annotations and pictures")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder of the new data set")
    parser.add_argument(
        "--to",
        choices=(COCO, CITYSCAPES),
        help="coco for the detectors, cityscapes for SegFormer; by default cityscapes for label pictures, else coco",
    )
    forms = ", ".join(f"{name} ({form.title})" for name, form in FORMS.items())
    parser.add_argument(
        "--form", choices=tuple(FORMS), help=f"form of the source; by default it is recognised: {forms}"
    )
    parser.add_argument(
        "--images",
        choices=("link", "hardlink", "copy"),
        default="link",
        help="how pictures get into FOLDER (%(default)s)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier conversion in FOLDER")
    parser.add_argument("--strict", action="store_true", help="write nothing if anything would be left out")
    parser.add_argument(
        "--splits",
        choices=("source", "none"),
        default="source",
        help="whether the splits of the source count, such as folders train and val; none: all pictures are shared out "
        "anew (%(default)s)",
    )
    _add_splits(parser.add_argument_group("splits, if the source has none to evaluate on"))
    _add_reading(parser.add_argument_group("reading"))
    add_limit_argument(parser)
    return parser


def _add_splits(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--val_share",
        type=share,
        default=0.2,
        metavar="SHARE",
        help="share of the pictures to evaluate on; 0: none (0.2)",
    )
    group.add_argument(
        "--val_seed", type=whole_number(), default=0, help="another number draws other pictures (%(default)s)"
    )
    group.add_argument(
        "--val_group_by_stem",
        action="store_true",
        help="pictures whose names differ only in the last number stay in one split, such as the frames of a video",
    )


def _add_reading(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--background",
        choices=("class", "none"),
        default="class",
        help="to cityscapes, from objects: pixels outside all objects are a class of their own, or no class "
        "(%(default)s)",
    )
    group.add_argument(
        "--classes",
        type=_names,
        default=(),
        metavar="A,B,...",
        help="names of the classes of label pictures in order: one for each value, or for each but those of --no_class",
    )
    group.add_argument(
        "--colors",
        type=Path,
        metavar="FILE",
        help="names and colours, or values, of the classes of label pictures: lines such as 'car 0 0 142' or 'car 7'",
    )
    group.add_argument(
        "--no_class",
        type=_values,
        metavar="V,W,...",
        help="values of label pictures that are no class; a list of names has one for each value, or for each class",
    )
    group.add_argument(
        "--first_pixel",
        type=int,
        choices=(0, 1),
        help="number of the first pixel in Pascal VOC's corners; by default found from the boxes",
    )
    group.add_argument(
        "--difficult",
        choices=("ignore", "keep", "drop"),
        default="ignore",
        help="Pascal VOC's difficult objects: ignored by training and evaluation, kept like others, or left out "
        "(%(default)s)",
    )


def _values(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    if not all(is_whole_number(word) and int(word) <= LARGEST_VALUE for word in words):
        raise argparse.ArgumentTypeError(f"{short(text)}, wanted whole numbers up to {LARGEST_VALUE} and commas")
    return tuple(map(int, words))


def _names(text: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in text.split(","))
    if not all(words) or len(set(words)) < len(words):
        raise argparse.ArgumentTypeError(f"{short(text)}, wanted different names with commas between")
    return words


if __name__ == "__main__":
    run_command(main, "data convert")
