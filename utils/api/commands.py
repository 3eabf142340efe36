"""`train` and `evaluate`: a suite's commands as child processes; their log is shown, what they leave comes back."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.api.arguments import arguments_of
from utils.api.child import run_command_of
from utils.api.suites import check_suite, open_config
from utils.model_utils.files import METRICS_NAME, RESULT_NAME


@dataclass(frozen=True)
class Training:
    """What a training has left.

    Attributes:
        run_folder: with config.yaml, train.log, metrics.jsonl, curves.png and first_batch.jpg.
        checkpoints: those of the last epochs, the oldest first.
        best: the checkpoint of the best evaluation; None where there was none.
        metrics: of the last evaluation, by name; empty where there was none.
        losses: of the last step that was logged, by name.
    """

    run_folder: Path
    checkpoints: tuple[Path, ...]
    best: Path | None
    metrics: Mapping[str, float]
    losses: Mapping[str, float]


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation has found.

    Attributes:
        run_folder: with result.json and pictures.
        checkpoint: that was evaluated.
        metrics: each number of result.json by its name there, e.g. AP50 or mIoU.
        per_class: what result.json says of each class, by its name.
    """

    run_folder: Path
    checkpoint: Path
    metrics: Mapping[str, float]
    per_class: Mapping[str, object]


def train(suite: str, **keys: object) -> Training:
    """Trains in a process of its own by the suite's train.py; shows its log, and returns when it has ended.

    Ctrl-C stops it as in a terminal: it saves a checkpoint, and `resume="auto"` goes on from there.

    Args:
        suite: "faster_rcnn", "nas_fpn" or "segformer".
        keys: of train.py, e.g. `coco_root="my data"`, `epoch_size=12`, `run_dir="runs/first"`. Relative paths begin in
            the working directory, which is the run folder too where `run_dir` is not given.

    Raises:
        UserError: what train.py refuses, in its own sentence.
        KeyboardInterrupt: Ctrl-C, when the training has ended.
    """
    arguments = arguments_of(keys)
    config = open_config(check_suite(suite)).load(arguments, "train.py")
    run_command_of(suite, "train.py", arguments)
    folder = config.results_folder()
    rows = _read_json(folder / METRICS_NAME, by_line=True)
    best, others = _checkpoints(folder / config.save_checkpoint_path)
    return Training(
        run_folder=folder,
        checkpoints=others,
        best=best,
        metrics=_last(rows, "evaluation").get("metrics", {}),
        losses=_last(rows, "step").get("losses", {}),
    )


def evaluate(checkpoint: str | os.PathLike, *, suite: str = "", **keys: object) -> Evaluation:
    """Evaluates a checkpoint in a process of its own by the suite's eval.py; shows its log.

    Args:
        checkpoint: the file.
        suite: of the checkpoint; left out, the file is asked.
        keys: of eval.py, e.g. `coco_root="my data"`, `run_dir="runs/first/eval"`.

    Raises:
        UserError: what eval.py refuses, in its own sentence.
        KeyboardInterrupt: Ctrl-C, when the evaluation has ended.
    """
    path = Path(os.path.abspath(os.path.expanduser(os.fspath(checkpoint))))
    if not suite:
        from utils.api.files.opening import suite_of  # imports MindSpore, whose libraries read the file

        suite = suite_of(path)
    part = open_config(check_suite(suite))
    arguments = arguments_of({**keys, part.COMMANDS["eval.py"].checkpoint_key: path})
    config = part.load(arguments, "eval.py")
    run_command_of(suite, "eval.py", arguments)
    folder = config.results_folder()
    (result,) = _read_json(folder / RESULT_NAME)
    numbers = {name: value for name, value in result.items() if isinstance(value, int | float)}
    return Evaluation(folder, path, numbers, result.get("per_class", {}))


def _checkpoints(folder: Path) -> tuple[Path | None, tuple[Path, ...]]:
    """Returns the best checkpoint of a run, and the others, the oldest first.

    They lie in the folder itself or, by worker, in ckpt_0 of it; then the folder may be one with files of the user's.
    """
    files = [*folder.glob("ckpt_*/*.ckpt")] or [*folder.glob("*.ckpt")]
    files.sort(key=lambda path: path.stat().st_mtime_ns)
    best = [path for path in files if path.stem.endswith("_best")]
    return (best[-1] if best else None), tuple(path for path in files if path not in best)


def _read_json(path: Path, by_line: bool = False) -> list[dict[str, Any]]:
    """Returns the objects of a file that a command has left, one or one in each line; none where it is not there."""
    from utils.model_utils.guards.json_text import parse_json  # imports what `import utils.api` need not wait for

    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    return [parse_json(each) for each in (text.splitlines() if by_line else [text])]


def _last(rows: list[dict], kind: str) -> dict:
    return next((row for row in reversed(rows) if row.get("kind") == kind), {})
