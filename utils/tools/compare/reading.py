"""What the folder of a run, of a training or of an evaluation, has to compare."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.model_utils.config.yaml_files import read_yaml_layers
from utils.model_utils.errors import BadValueError, MissingPathError, os_errors_as
from utils.model_utils.files import METRICS_NAME, RESULT_NAME, named_twice
from utils.model_utils.guards.json_text import Json, JsonTextError, parse_json
from utils.training.record.metrics_log import epochs_done_at, read_metrics

CONFIGS = ("config.yaml", "eval_config.yaml")  # the first one that is there
MAX_RESULT_BYTES = 1 << 26  # a confusion matrix of 255 classes has 1 MB


@dataclass(frozen=True, eq=False)
class Run:
    """A folder that was read.

    Attributes:
        name: what it is called beside the others.
        folder: where it lies.
        rows: of metrics.jsonl; empty for an evaluation.
        result: of result.json; empty for a training.
        keys: of its configuration, by key; empty where it has none.
    """

    name: str
    folder: Path
    rows: Sequence[dict]
    result: Mapping[str, Json]
    keys: Mapping[str, object]

    def epochs(self) -> list[dict]:
        """Returns the rows of epochs."""
        return [row for row in self.rows if row["kind"] == "epoch"]

    def evaluations(self) -> list[dict]:
        """Returns the rows of evaluations."""
        return [row for row in self.rows if row["kind"] == "evaluation" and row.get("metrics")]

    def losses(self) -> dict[str, tuple[list[float], list[float]]]:
        """Returns epochs and values of each loss: the mean of every epoch, of a short training those of its steps."""
        rows = self.epochs()
        if len(rows) < 3:  # epochs: fewer points are no curve
            rows = [row for row in self.rows if row["kind"] == "step"]
        return _series([(epochs_done_at(row), row.get("losses") or {}) for row in rows])

    def metrics(self) -> dict[str, tuple[list[float], list[float]]]:
        """Returns epochs and values of each metric."""
        return _series([(row["epoch"], row["metrics"]) for row in self.evaluations()])

    def best(self) -> dict | None:
        """Returns the evaluation with the most of the first metric, by which a run chooses its best checkpoint.

        Of equal ones it is the last, as for the run.
        """
        rows = [row for row in self.evaluations() if number_of(next(iter(row["metrics"].values()))) is not None]
        return max(reversed(rows), key=lambda row: next(iter(row["metrics"].values())), default=None)

    def classes(self) -> dict[str, float | None]:
        """Returns AP or IoU of each class, of a training those of its best evaluation; None where not defined."""
        found = self.result.get("per_class")
        values = found if isinstance(found, dict) else self._best_by_class()
        return {str(name): _of_class(value) for name, value in values.items()}

    def _best_by_class(self) -> Mapping[str, Json]:
        """Returns the first of the tables by class that a training's best evaluation has: of AP or IoU."""
        tables = (self.best() or {}).get("per_class")
        table = next(iter(tables.values()), None) if isinstance(tables, dict) else None
        return table if isinstance(table, dict) else {}


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Reads the folders of runs.

    Args:
        paths: folders, or files in them.

    Raises:
        MissingPathError: a folder is not there, or has neither metrics nor a result.
        BadValueError: it is named twice, or a file in it is damaged.
    """
    folders = [path.parent if path.is_file() else path for path in paths]
    twice = named_twice(folders)
    if twice is not None:
        raise BadValueError(f"'{paths[twice]}' is named twice: name each run once")
    return [_read(folder, name) for folder, name in zip(folders, _names(folders), strict=True)]


def number_of(value: object) -> float | None:
    """Returns a finite number as such, everything else as None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        return None
    return value


def _read(folder: Path, name: str) -> Run:
    if not folder.is_dir():
        raise MissingPathError(f"there is no folder '{folder}': give the run_dir of a training or an evaluation")
    rows, result = read_metrics(folder / METRICS_NAME), _read_result(folder / RESULT_NAME)
    if not rows and not result:
        raise MissingPathError(
            f"'{folder}' has neither {METRICS_NAME} nor {RESULT_NAME}: give the run_dir of a training or an evaluation"
        )
    path = next((folder / each for each in CONFIGS if (folder / each).is_file()), None)
    layers = read_yaml_layers(path) if path is not None else []
    return Run(name, folder, rows, result, {key: entry.value for layer in layers for key, entry in layer.items()})


def _read_result(path: Path) -> dict:
    if not path.is_file():
        return {}
    with os_errors_as(BadValueError, f"'{path}' cannot be read", ": make it readable"):
        size = path.stat().st_size
        text = path.read_bytes() if size <= MAX_RESULT_BYTES else b""
    try:
        content = parse_json(text)
    except JsonTextError as error:
        raise BadValueError(f"'{path}' is no result of an evaluation ({error}): evaluate again") from error
    if not isinstance(content, dict):
        raise BadValueError(f"'{path}' is no result of an evaluation: evaluate again")
    return content


def _names(folders: Sequence[Path]) -> list[str]:
    """Returns the shortest ends of the paths that tell the folders apart."""
    parts = [folder.absolute().parts for folder in folders]
    longest = max(map(len, parts))
    for length in range(1, longest + 1):
        names = ["/".join(each[-length:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return [str(folder) for folder in folders]


def _series(rows: Sequence[tuple[float, Mapping[str, object]]]) -> dict[str, tuple[list[float], list[float]]]:
    """Returns places and numbers by name; what is no number is left out."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for place, values in rows:
        for name, value in values.items():
            number = number_of(value)
            if number is not None:
                places, numbers = found.setdefault(name, ([], []))
                places.append(place)
                numbers.append(number)
    return found


def _of_class(value: Json) -> float | None:
    number = number_of(value.get("IoU") if isinstance(value, dict) else value)
    return None if number is None or number < 0 else number
