"""How every run begins: its data, its log, its folder with the effective configuration, its device, its workers."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from utils.launch.processes.lifelines import held_lifelines
from utils.model_utils.config.loading import dump_config
from utils.model_utils.config.schema import ModelArtsKeys, TrainingKeys
from utils.model_utils.device_adapter import DeviceInfo, resolve_amp_level, set_up_device
from utils.model_utils.local_adapter import get_device_num, get_rank_id
from utils.model_utils.moxing_adapter import open_uploader, sync_in
from utils.model_utils.storage.result_uploader import ResultUploader
from utils.model_utils.workers import Workers
from utils.training.checkpoints.folder import CheckpointFolder
from utils.training.ends.expected import refuse_unmeasured
from utils.training.pictures.run_pictures import RunPictures
from utils.training.plan import RunOutput
from utils.training.record.loggers.opening import check_installed, make_loggers
from utils.training.record.logging_setup import hold_messages, set_up_logging
from utils.training.record.profiling import PROFILE_FOLDER, StepProfiler
from utils.training.record.records import LineFormats
from utils.training.record.run_folder import CONFIG_NAME, RunFolder

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Run:
    """What a run has from its beginning to its end.

    Attributes:
        folder: takes what the run writes; only worker 0 writes there.
        device: of this process.
        on_saved: to be called with each checkpoint that is complete and the newest.
        profiler: profiles the first steps, where the configuration asks for it; the one of worker 0 stands for all.
        amp_level: precision of the network, see `apply_amp`.
    """

    folder: RunFolder
    device: DeviceInfo
    on_saved: Callable[[Path], None]
    profiler: StepProfiler | None = None
    amp_level: str = "O0"

    @property
    def workers(self) -> Workers:
        """The processes that train together."""
        return self.device.workers

    def output(
        self, checkpoints: CheckpointFolder, lines: LineFormats | None = None, pictures: RunPictures | None = None
    ) -> RunOutput:
        """Returns where the run leaves what it makes; see `RunOutput`."""
        return RunOutput(self.folder, checkpoints, lines, self.on_saved, self.profiler, pictures)


@contextmanager
def open_run(config: TrainingKeys, checkpoints: str | None = None, names: Sequence[str] = ("*.ckpt",)) -> Iterator[Run]:
    """Brings a job's data in, looks at the run folder, takes the device, joins the workers.

    The trainer makes and locks the folder (`RunFolder.begin`), when all that the run needs is known to be good: the log
    and the configuration are in it then. In a job on ModelArts, where these are in it at once, what is in the folder
    goes to `train_url`.

    Args:
        config: the configuration of a training, with `ModelArtsKeys` where the suite has them.
        checkpoints: folder of the checkpoints, relative to the run folder, instead of `save_checkpoint_path`.
        names: of the checkpoints, see `RunFolder`.

    Raises:
        UserError: the data, the run folder, the device, the precision on it, the object storage or a logger cannot be
            used.
    """
    refuse_unmeasured(config)
    check_installed(config.loggers)
    rank = get_rank_id() if config.run_distribute else 0
    set_up_logging(rank=rank, rank_count=get_device_num())
    inputs = sync_in(config) if isinstance(config, ModelArtsKeys) else nullcontext()
    with (
        inputs,
        RunFolder(
            config.results_folder(),
            resume=bool(config.resume),
            overwrite=config.overwrite and not _says_a_run_itself(config, "overwrite"),
            checkpoints=checkpoints or config.save_checkpoint_path,
            names=names,
            needed=config.pre_trained or "",
            writes=rank == 0,
            on_begin=lambda: set_up_logging(folder.log_path, rank_count=get_device_num()),
            loggers=make_loggers(config.loggers, config.results_folder(), config.model_dump(mode="json")),
        ) as folder,
    ):
        if folder.writes and getattr(config, "enable_modelarts", False):
            # The machine goes with the job: what is known of one that fails has to be sent.
            folder.write_config(dump_config(config))
            set_up_logging(folder.log_path, rank_count=get_device_num())
        elif folder.writes:
            hold_messages()
        for note in config.notes():
            logger.info("%s", note)
        device = set_up_device(
            config.device_target, config.device_id, seed=config.seed, is_distributed=config.run_distribute
        )
        amp_level = resolve_amp_level(config.amp_level, device.target)
        with _open_uploader(config, folder) as results, held_lifelines(device.workers):
            yield Run(folder, device, results.checkpoint_saved, _profiler(config, folder, device), amp_level)


def _says_a_run_itself(config: TrainingKeys, key: str) -> bool:
    """Whether a key is from the configuration that a run in the very folder has left, as older versions wrote it."""
    written = config.results_folder() / CONFIG_NAME
    return written.is_file() and Path(config.origin(key).where).resolve() == written.resolve()


def _profiler(config: TrainingKeys, folder: RunFolder, device: DeviceInfo) -> StepProfiler | None:
    if not (config.enable_profiling and folder.writes):
        return None
    return StepProfiler(folder.path / PROFILE_FOLDER, device.target)


def _open_uploader(config: TrainingKeys, folder: RunFolder) -> ResultUploader:
    if folder.writes and isinstance(config, ModelArtsKeys):
        return open_uploader(config, folder.path)
    return ResultUploader(folder.path, None, None)
