"""SwanLab's log, which `swanlab sync` sends to a server or `swanlab watch` shows; by itself it stays on the machine.

SwanLab has no run to go on with, so that a resumed run is told anew all that metrics.jsonl has.
"""

import os
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from utils.training.record.loggers.protocol import ResumePoint
from utils.training.record.loggers.scalars import clean, scalars_of
from utils.training.record.metrics_log import in_one_count, read_metrics, row_of
from utils.training.record.records import EpochRecord, EvaluationRecord, StepRecord

MODE_VARIABLE, KEY_VARIABLE = "SWANLAB_MODE", "SWANLAB_API_KEY"
OFFLINE = "offline"  # files only: no key, no network
# What it would find out about the machine and the program; of the environment, the run folder has what counts.
_COLLECTED = ("metadata_collect", "collect_hardware", "collect_runtime", "requirements_collect", "hardware_monitor")


class SwanLabLogger:
    """Writes SwanLab's log; see `RunLogger`.

    Args:
        folder: takes the log.
        metrics_path: metrics.jsonl of the run.
        project: name of the project there.
        experiment: name of the run there.
        config: the effective configuration.
    """

    def __init__(
        self, folder: Path, metrics_path: Path, project: str, experiment: str, config: Mapping[str, object]
    ) -> None:
        self.folder, self._metrics_path = folder, metrics_path
        self._project, self._experiment, self._config = project, experiment, config
        self._swanlab: Any = None

    def begin(self, resumed: ResumePoint | None) -> None:
        """Opens the log; of a resumed run all that it has behind it is written first, and the earlier log removed."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the packages that it imports
            import swanlab
        self.folder.mkdir(parents=True, exist_ok=True)
        earlier = list(self.folder.glob("run-*"))
        swanlab.init(
            project=self._project,
            experiment_name=self._experiment,
            config=dict(self._config),
            logdir=str(self.folder),
            mode=chosen_mode(),
            log_level="error",
            settings=swanlab.Settings(**dict.fromkeys(_COLLECTED, False), log_proxy_type="none"),
        )
        self._swanlab = swanlab
        for row in in_one_count(read_metrics(self._metrics_path)) if resumed is not None else ():
            self._log(scalars_of(row), round(row["global_step"]))
        for path in earlier:
            shutil.rmtree(path, ignore_errors=True)

    def add(self, record: StepRecord | EpochRecord | EvaluationRecord) -> None:
        """Writes the numbers of a record."""
        self._log(scalars_of(row_of(record)), record.global_step)

    def add_picture(self, name: str, path: Path, global_step: int) -> None:
        """Writes a picture."""
        self._log({clean(name): self._swanlab.Image(str(path))}, global_step)

    def close(self) -> None:
        """Ends the log."""
        if self._swanlab is not None:
            self._swanlab.finish()

    def _log(self, values: Mapping[str, object], global_step: int) -> None:
        if values:
            self._swanlab.log(dict(values), step=global_step)


def chosen_mode() -> str:
    """Returns SwanLab's mode: that of its variable in the environment; without a key never the one that asks for it."""
    mode = os.environ.get(MODE_VARIABLE) or OFFLINE
    return OFFLINE if mode == "cloud" and not os.environ.get(KEY_VARIABLE) else mode
