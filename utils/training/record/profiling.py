"""A profile of a few training steps: MindSpore's, beside the time that each waited for data."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from utils.model_utils.errors import BadStateError, first_line
from utils.model_utils.files import write_file
from utils.training.record.records import StepRecord

if TYPE_CHECKING:
    from mindspore.profiler import profile

PROFILE_FOLDER = "profile"  # in the run folder
FIRST_STEPS = 2  # they compile
STEPS = 5  # enough for a mean, and few enough that the profile can be opened
STEPS_FILE = "steps.csv"

logger = logging.getLogger(__name__)


class StepProfiler:
    """Profiles the steps after the first two of a run, five of them or as many as there are.

    `folder` takes MindSpore's profile of operators, and on Ascend and GPU of the device, in a folder that MindSpore
    names, and steps.csv with the times of the profiled steps. Where MindSpore's profiler fails, one line in the log
    says so, and steps.csv is written all the same.

    Args:
        folder: is made if missing.
        target: device of the run, "Ascend", "GPU" or "CPU".
    """

    def __init__(self, folder: Path, target: str) -> None:
        self._folder, self._target = folder, target
        self._seen = 0
        self._records: list[StepRecord] = []
        self._profile: profile | None = None

    def after_step(self, record: StepRecord) -> None:
        """Takes note of a step, and begins or ends the profile behind it."""
        self._seen += 1
        if self._seen == FIRST_STEPS:
            self._begin()
        elif FIRST_STEPS < self._seen <= FIRST_STEPS + STEPS:
            self._records.append(record)
            if len(self._records) == STEPS:
                self.close()

    def close(self) -> None:
        """Ends the profile of a run that has fewer steps; nothing where it has ended."""
        has_profile = self._end()
        if not self._records:
            return
        try:
            write_file(self._folder / STEPS_FILE, _as_table(self._records).encode())
        except BadStateError as error:  # no reason for a training to end
            logger.warning("%s", error)
            self._records = []
            return
        waited = sum(record.data_ms for record in self._records) / len(self._records)
        worked = sum(record.step_ms for record in self._records) / len(self._records)
        logger.info(
            "profiled steps %d to %d: %.1f ms waiting for data, %.1f ms the step itself; %s in '%s'",
            self._records[0].global_step,
            self._records[-1].global_step,
            waited,
            worked,
            f"MindSpore's profile and {STEPS_FILE}" if has_profile else STEPS_FILE,
            self._folder,
        )
        self._records = []

    def _begin(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._profile = _new_profile(self._folder, self._target)
            self._profile.start()
        except Exception as error:  # the profiler has exceptions of its own
            self._give_up(first_line(error))

    def _end(self) -> bool:
        """Ends MindSpore's profile, where one has begun, and returns whether it is there."""
        ending, self._profile = self._profile, None
        if ending is None:
            return False
        try:
            ending.stop()
        except Exception as error:
            self._give_up(first_line(error))
            return False
        if not any(path.is_dir() for path in self._folder.iterdir()):  # MindSpore logs its faults and returns
            self._give_up("it wrote nothing")
            return False
        return True

    def _give_up(self, reason: str) -> None:
        self._profile = None
        logger.warning(
            "MindSpore's profiler does not work here (%s): %s has the times of the steps, nothing has those of "
            "operators",
            reason,
            STEPS_FILE,
        )


def _new_profile(folder: Path, target: str) -> "profile":
    from mindspore.profiler import ProfilerActivity, profile, tensorboard_trace_handler

    device = {"Ascend": [ProfilerActivity.NPU], "GPU": [ProfilerActivity.GPU]}.get(target, [])
    handler = tensorboard_trace_handler(str(folder))
    if handler is None:  # MindSpore 2.10 logs why and returns None; the profile would then go into ./data
        raise ValueError(f"it refuses the folder '{folder}'")
    return profile(activities=[ProfilerActivity.CPU, *device], start_profile=False, on_trace_ready=handler)


def _as_table(records: list[StepRecord]) -> str:
    """Returns the steps as CSV: global step, milliseconds of waiting for the batch, milliseconds of the step."""
    rows = [f"{record.global_step},{record.data_ms:.3f},{record.step_ms:.3f}" for record in records]
    return "\n".join(["global_step,data_ms,step_ms", *rows, ""])
