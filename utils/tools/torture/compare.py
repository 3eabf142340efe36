"""What a training has left, so that two of them can be compared bit for bit; times and paths apart."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from utils.model_utils.errors import UserError
from utils.model_utils.files import METRICS_NAME
from utils.tools.torture.small_suites import DATA_NAME, RUN_NAME, SmallSuite

# Of a row of metrics.jsonl and of the best evaluation in a checkpoint: how long something took.
TIMES = {"data_ms", "step_ms", "images_per_second", "seconds"}
# Left-overs of a process that was ended while it wrote: the names that the product's writers use.
UNFINISHED = ("*.tmp", "*.tmp-*", ".*.tmp*", ".*.building*")
_LOGS = ("train.log", "msrun", "rank_")  # how often a run was begun is seen in them
_LINES = ("loss_0.log", "loss_1.log")


def facts_of(suite: SmallSuite, here: Path) -> dict[str, object]:
    """Returns all that has to be equal: by file name, and for weights by the name of the array."""
    run = here / RUN_NAME
    facts: dict[str, object] = {"names of files": sorted(_names(here))}
    for path in sorted((run / suite.checkpoints).glob("*.ckpt")):
        facts |= {f"{path.name}: {name}": value for name, value in _checkpoint_facts(path, here)}
    metrics = run / METRICS_NAME
    rows = metrics.read_bytes().splitlines() if metrics.is_file() else []
    for number, row in enumerate(map(json.loads, rows), start=1):
        facts[f"metrics.jsonl, row {number}"] = {name: value for name, value in row.items() if name not in TIMES}
    for path in (run / "config.yaml", *(run / name for name in _LINES)):
        if path.is_file():
            facts[path.name] = path.read_text(encoding="utf-8").replace(str(here), "HERE")
    return facts


def differences(found: Mapping[str, object], expected: Mapping[str, object]) -> list[str]:
    """Returns a text for each fact that is another."""
    names = [*expected, *(name for name in found if name not in expected)]
    return [
        f"{name} is {'missing' if name not in found else 'too much' if name not in expected else 'another'}"
        for name in names
        if name not in found or name not in expected or found[name] != expected[name]
    ]


def unfinished_files(here: Path) -> list[str]:
    """Returns the files and folders that a process has left half-written."""
    found = {path.relative_to(here).as_posix() for pattern in UNFINISHED for path in here.rglob(pattern)}
    return sorted(found)


def unreadable_files(suite: SmallSuite, here: Path) -> list[str]:
    """Returns what stands under a final name and cannot be read: checkpoints, rows of metrics, the configuration."""
    from utils.training.checkpoints.checkpoint import load_checkpoint

    run, found = here / RUN_NAME, []
    for path in sorted((run / suite.checkpoints).glob("*.ckpt")):
        try:
            load_checkpoint(path)
        except UserError as error:
            found.append(f"{path.name}: {error}")
    metrics = run / METRICS_NAME
    lines = metrics.read_bytes().splitlines(keepends=True) if metrics.is_file() else []
    found += [f"metrics.jsonl, row {number}" for number, line in enumerate(lines[:-1], 1) if not _is_row(line)]
    return found


def _is_row(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _names(here: Path) -> Iterator[str]:
    """Yields the files of the run and of its data, but those that tell how often the run was begun."""
    for folder in (RUN_NAME, DATA_NAME):
        for path in (here / folder).rglob("*"):
            name = path.relative_to(here / folder).as_posix()
            if path.is_file() and not name.startswith(_LOGS):
                yield f"{folder}/{name}"


def _checkpoint_facts(path: Path, here: Path) -> Iterator[tuple[str, object]]:
    from utils.training.checkpoints.checkpoint import load_checkpoint  # imports MindSpore
    from utils.training.checkpoints.checkpoint_file import STATE_NAME

    found = load_checkpoint(path)
    for name, array in found.arrays.items():
        if name != STATE_NAME:
            yield name, (str(array.dtype), array.shape, hashlib.sha256(array.tobytes()).hexdigest())
    for name, value in vars(found).items():
        if name in ("arrays", "path"):
            continue
        if name == "best" and value:
            value = {key: item for key, item in value.items() if key not in TIMES}
        yield name, str(value).replace(str(here), "HERE")
