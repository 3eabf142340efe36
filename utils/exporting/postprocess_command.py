"""The command line of the commands postprocess.py, and the results and description that it names."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.exporting.description import ModelDescription, Setting, read_description
from utils.exporting.result_files import RESULT_FOLDER, ResultFiles, check_outputs, read_result_files
from utils.model_utils.errors import MAX_EXAMPLES, BadValueError, short
from utils.model_utils.guards.arguments import SentenceParser, share, truth, whole_number
from utils.model_utils.guards.pixel_limit import add_limit_argument, set_most_megapixels
from utils.words import counted


@dataclass(frozen=True)
class PostprocessArguments:
    """What a user has typed; `read_arguments` explains each in the help. A path that was not given is None."""

    anno_path: Path
    result_path: Path
    mindir_path: Path | None
    dataset_path: Path | None
    eval_split: str
    run_dir: Path
    ignore_unknown_classes: bool = False
    val_share: float = 0.0
    val_seed: int = 0
    val_group_by_stem: bool = False
    config: Path | None = None


def read_arguments(program: str, description: str, argv: Sequence[str] | None = None) -> PostprocessArguments:
    """Reads the command line, `--key=value` or `--key value`; prints the help and exits where that is asked for.

    Raises:
        BadValueError: an argument is missing or unknown.
    """
    parser = SentenceParser(prog=program, description=description, allow_abbrev=False)
    parser.add_argument(
        "--anno_path",
        "--ann_file",
        type=Path,
        required=True,
        help="the annotations; of detectors also the folder of their data set",
    )
    parser.add_argument(
        "--result_path",
        type=Path,
        default=Path(RESULT_FOLDER),
        help="folder of the result files, beside which is their .json (%(default)s)",
    )
    parser.add_argument("--mindir_path", type=Path, help="the model (the one that was run); its .json counts")
    parser.add_argument("--config", type=Path, help="the model's .json where it does not lie beside the model")
    parser.add_argument("--dataset_path", type=Path, help="the images; needed for annotations in lines of text")
    parser.add_argument("--eval_split", default="val", help="split of a Cityscapes folder (%(default)s)")
    parser.add_argument("--run_dir", type=Path, default=Path(), help="folder for what is written (%(default)s)")
    _add_detectors_arguments(parser)
    add_limit_argument(parser)
    values = vars(parser.parse_args(argv))
    set_most_megapixels(values.pop("max_image_megapixels"))
    return PostprocessArguments(**values)


def _add_detectors_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ignore_unknown_classes",
        type=truth,
        nargs="?",
        const=True,
        default=False,
        help="detectors: leave classes of the annotations that the model does not have out of the metric (%(default)s)",
    )
    parser.add_argument(
        "--val_share",
        type=share,
        default=0.0,
        help="detectors: val_share of the training; only the images that it kept for evaluation count; 0: all "
        "(%(default)s)",
    )
    parser.add_argument(
        "--val_seed", type=whole_number(), default=0, help="detectors: as in the training (%(default)s)"
    )
    parser.add_argument(
        "--val_group_by_stem",
        type=truth,
        nargs="?",
        const=True,
        default=False,
        help="detectors: as in the training (%(default)s)",
    )


def open_results(arguments: PostprocessArguments, suite: str) -> tuple[ResultFiles, ModelDescription]:
    """Reads the list of results and the description of their model.

    Raises:
        MissingPathError: one of them is missing.
        BadValueError: one cannot be read, or they do not belong together or to this suite.
    """
    results = read_result_files(Path(arguments.result_path))
    description = read_description(arguments.mindir_path or results.folder.parent / results.model, arguments.config)
    check_outputs(results, description, suite)
    return results, description


def threshold(description: ModelDescription, name: str) -> float:
    """Returns a threshold or limit of a model.

    Raises:
        BadValueError: it has no number of that name.
    """
    value = _stored(description, name)
    if isinstance(value, list | str):
        raise BadValueError(
            f"the description of '{description.file}' has {_kind(value)} as '{name}', wanted a number: export the "
            "model again"
        )
    return value


def lengths(description: ModelDescription, name: str) -> tuple[int, ...]:
    """Returns numbers of a model that belong together.

    Raises:
        BadValueError: it has no list of that name.
    """
    value = _stored(description, name)
    numbers = [each for each in value if isinstance(each, int)] if isinstance(value, list) else []
    if not isinstance(value, list) or len(numbers) != len(value):
        raise BadValueError(
            f"the description of '{description.file}' has {short(value)} as '{name}', wanted a list of whole numbers: "
            "export the model again"
        )
    return tuple(numbers)


def _kind(value: list | str) -> str:
    return "a list" if isinstance(value, list) else "a text"


def _stored(description: ModelDescription, name: str) -> Setting:
    if name not in description.postprocessing:
        raise BadValueError(
            f"the description of '{description.file}' has no '{name}' in its postprocessing: export the model again"
        )
    return description.postprocessing[name]


def format_skipped(results: ResultFiles) -> str:
    """Returns what became of images that could not be read; "" where all could.

    For example `1 of 47 images could not be read: broken.jpg`.
    """
    if not results.skipped:
        return ""
    total = len(results.images) + len(results.skipped)
    files = named([one.file for one in results.skipped])
    return f"{len(results.skipped)} of {counted(total, 'image')} could not be read: {files}"


def named(names: Sequence[str]) -> str:
    """Returns the first few names, and dots where there are more."""
    return ", ".join(names[:MAX_EXAMPLES]) + (", ..." if len(names) > MAX_EXAMPLES else "")
