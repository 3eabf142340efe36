"""The configuration that an evaluation leaves beside its numbers, so that it can be repeated and compared."""

from pathlib import Path

from utils.model_utils.config.base import Config
from utils.model_utils.config.loading import dump_config
from utils.model_utils.files import write_file

METRICS_FILE = "metrics.jsonl"  # which a training leaves


def leave_config(folder: Path, config: Config) -> None:
    """Writes the effective configuration of an evaluation, config.yaml; beside that of a training eval_config.yaml.

    Raises:
        BadStateError: it cannot be written.
    """
    name = "eval_config.yaml" if (folder / METRICS_FILE).exists() else "config.yaml"
    write_file(folder / name, dump_config(config).encode(), "free some space, or choose another --run_dir")
