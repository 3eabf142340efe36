"""The configuration that an evaluation leaves beside its numbers, so that it can be repeated and compared."""

import logging
from pathlib import Path

from utils.model_utils.config.base import Config
from utils.model_utils.config.loading import dump_config
from utils.model_utils.files import METRICS_NAME, is_stored_config, write_file

logger = logging.getLogger(__name__)

NAMES = ("config.yaml", "eval_config.yaml")


def leave_config(folder: Path, config: Config) -> None:
    """Writes the effective configuration of an evaluation, config.yaml; beside that of a training eval_config.yaml.

    A file of that name that no command has left stays: config.yaml is a usual name, and the folder may be the user's.

    Raises:
        BadStateError: it cannot be written.
    """
    names = NAMES[(folder / METRICS_NAME).exists() :]
    paths = [folder / name for name in names if not (folder / name).exists() or is_stored_config(folder / name)]
    if not paths:
        logger.warning(
            "the configuration is not written: '%s' is not one that a command has left; choose another --run_dir",
            folder / names[-1],
        )
        return
    write_file(paths[0], dump_config(config).encode(), "free some space, or choose another --run_dir")
