"""How every run begins: its log, its folder with the effective configuration, its device."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from utils.model_utils.config import dump_config
from utils.model_utils.config_schema import TrainingKeys
from utils.model_utils.device_adapter import DeviceInfo, set_up_device
from utils.training.logging_setup import set_up_logging
from utils.training.run_folder import RunFolder

logger = logging.getLogger(__name__)


@contextmanager
def open_run(config: TrainingKeys, checkpoints: str | None = None) -> Iterator[tuple[RunFolder, DeviceInfo]]:
    """Makes or takes over the run folder and locks it, logs into it, writes the configuration, and takes the device.

    Args:
        config: the configuration of a training.
        checkpoints: folder of the checkpoints, relative to `run_dir`, instead of `save_checkpoint_path`.

    Raises:
        UserError: the run folder or the device cannot be used.
    """
    set_up_logging()
    with RunFolder(
        Path(config.run_dir), resume=bool(config.resume), overwrite=config.overwrite,
        checkpoints=checkpoints or config.save_checkpoint_path,
    ) as run:
        set_up_logging(run.log_path)
        for note in config.notes():
            logger.info("%s", note)
        run.write_config(dump_config(config))
        yield run, set_up_device(config.device_target, config.device_id, seed=config.seed)
