"""Which loggers a run has beside metrics.jsonl: looked for before anything else is done, opened with the run folder."""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

from utils.model_utils.errors import BadStateError
from utils.model_utils.files import METRICS_NAME
from utils.training.record.loggers.run_log import Guarded
from utils.training.record.loggers.swanlab import SwanLabLogger
from utils.training.record.loggers.tensorboard import TensorBoardLogger

# Logger to the module that it needs and to what pip installs of it: one beside whose protobuf MindSpore works.
NEEDED = {"tensorboard": ("tensorboardX", "tensorboardX==2.6.5"), "swanlab": ("swanlab", "swanlab==0.6.4")}


def check_installed(names: Sequence[str]) -> None:
    """Refuses loggers whose packages are missing.

    Raises:
        BadStateError: at least one is; the sentence has pip's command.
    """
    missing = [name for name in names if importlib.util.find_spec(NEEDED[name][0]) is None]
    if missing:
        packages = " ".join(NEEDED[name][1] for name in missing)
        raise BadStateError(
            f"loggers has {', '.join(missing)}, whose package is not installed: install it with `pip install "
            f"{packages}`, or leave it out of loggers"
        )


def make_loggers(names: Sequence[str], run_folder: Path, config: Mapping[str, object]) -> list[Guarded]:
    """Returns the loggers of these names; each writes into a folder of its own name in the run folder.

    Args:
        names: keys of `NEEDED`; one that is there twice counts once.
        run_folder: of the run.
        config: the effective configuration.
    """
    made = []
    for name in dict.fromkeys(names):
        folder = run_folder / name
        if name == "tensorboard":
            made.append(Guarded(name, TensorBoardLogger(folder, run_folder / METRICS_NAME)))
        else:
            parent, experiment = run_folder.resolve().parts[-2:]
            made.append(Guarded(name, SwanLabLogger(folder, run_folder / METRICS_NAME, parent, experiment, config)))
    return made
