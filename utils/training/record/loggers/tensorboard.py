"""TensorBoard's event files, which `tensorboard --logdir RUN` shows; of tensorboardX the messages are used, no threads.

Its SummaryWriter hands events to a thread through a short queue: where the thread has ended, as on a full disk, the
training would wait for ever. Events are few here, so that they are written at once.
"""

import os
import socket
import struct
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from utils.images import read_size
from utils.training.record.loggers.protocol import ResumePoint
from utils.training.record.loggers.scalars import EVALUATION_GROUPS, clean, scalars_of
from utils.training.record.metrics_log import in_one_count, read_metrics, row_of
from utils.training.record.records import EpochRecord, EvaluationRecord, StepRecord

if TYPE_CHECKING:
    from tensorboardX.proto.event_pb2 import Event

_LENGTH, _CHECKSUM = struct.Struct("<Q"), struct.Struct("<I")
_VERSION = "brain.Event:2"  # what the first event of a file says
_RGB = 3  # the colour space of a picture


class TensorBoardLogger:
    """Writes an event file; see `RunLogger`.

    A resumed run copies the events that stay into a file of its own and removes the earlier ones, so that no step is
    there twice; numbers that it has logged without this logger come from metrics.jsonl. The new file begins with the
    mark by which a TensorBoard that is looking on forgets what it has read.

    Args:
        folder: takes the event files; nothing else of it is touched.
        metrics_path: metrics.jsonl of the run.
    """

    def __init__(self, folder: Path, metrics_path: Path) -> None:
        self.folder, self._metrics_path = folder, metrics_path
        self._path = folder

    def begin(self, resumed: ResumePoint | None) -> None:
        """Begins the file."""
        with _without_torch():
            from tensorboardX.proto.event_pb2 import Event, SessionLog

        self.folder.mkdir(parents=True, exist_ok=True)
        earlier = event_files(self.folder)
        # Names sort by time; two processes of one second would write one file, but for the end.
        name = f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}.{os.getpid()}.{time.monotonic_ns()}"
        self._path = self.folder / name
        self._write(Event(file_version=_VERSION, wall_time=time.time()))
        if earlier:
            self._write(Event(step=0, session_log=SessionLog(status=SessionLog.START), wall_time=time.time()))
        if resumed is not None:
            kept = list(_kept_events(earlier, resumed))
            for event in sorted([*kept, *self._missing_events(kept)], key=lambda each: each.step):
                self._write(event)
        for path in earlier:
            path.unlink(missing_ok=True)

    def _missing_events(self, kept: Sequence["Event"]) -> Iterator["Event"]:
        """Yields the numbers of metrics.jsonl that no event has."""
        there = {(value.tag, event.step) for event in kept for value in event.summary.value}
        for row in in_one_count(read_metrics(self._metrics_path)):
            step = round(row["global_step"])
            values = {name: value for name, value in scalars_of(row).items() if (name, step) not in there}
            if values:
                yield _event_of(values, step)

    def add(self, record: StepRecord | EpochRecord | EvaluationRecord) -> None:
        """Writes the numbers of a record."""
        self._write(_event_of(scalars_of(row_of(record)), record.global_step))

    def add_picture(self, name: str, path: Path, global_step: int) -> None:
        """Writes a picture, as the file has it."""
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        height, width = read_size(path) or (0, 0)
        image = Summary.Image(height=height, width=width, colorspace=_RGB, encoded_image_string=path.read_bytes())
        value = Summary.Value(tag=clean(name), image=image)
        self._write(Event(step=global_step, summary=Summary(value=[value]), wall_time=time.time()))

    def close(self) -> None:
        """Does nothing: every event is in the file."""

    def _write(self, event: "Event") -> None:
        """Adds an event to the file, in one piece: its length and its bytes, each followed by a checksum."""
        from tensorboardX.record_writer import masked_crc32c

        content = event.SerializeToString()
        length = _LENGTH.pack(len(content))
        parts = (length, _CHECKSUM.pack(masked_crc32c(length)), content, _CHECKSUM.pack(masked_crc32c(content)))
        with self._path.open("ab") as file:
            file.write(b"".join(parts))


def event_files(folder: Path) -> list[Path]:
    """Returns the event files of a folder in the order in which they were begun."""
    return sorted(folder.glob("events.out.tfevents.*"))


def read_events(path: Path) -> Iterator["Event"]:
    """Yields the events of a file that have numbers or pictures; one that was cut short ends it."""
    from tensorboardX.proto.event_pb2 import Event

    with path.open("rb") as file:
        left = os.fstat(file.fileno()).st_size
        while left >= _LENGTH.size:
            (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
            left -= _LENGTH.size + length + 2 * _CHECKSUM.size
            if left < 0:
                return
            file.read(_CHECKSUM.size)
            event = Event.FromString(file.read(length))
            file.read(_CHECKSUM.size)
            if event.HasField("summary"):
                yield event


def _kept_events(paths: Iterable[Path], resumed: ResumePoint) -> Iterator["Event"]:
    """Yields the events that stay, their steps in the count of the process that goes on."""
    for path in paths:
        for event in read_events(path):
            if _stays(event, resumed):
                event.step = round(event.step * resumed.step_scale)
                yield event


def _event_of(values: Mapping[str, float], step: int) -> "Event":
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary

    numbers = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
    return Event(step=step, summary=Summary(value=numbers), wall_time=time.time())


def _stays(event: "Event", resumed: ResumePoint) -> bool:
    """Whether an event is of what a resumed run has behind it, and will not log again."""
    if event.step != resumed.global_step or resumed.keep_evaluation:
        return event.step <= resumed.global_step
    return not any(value.HasField("image") or value.tag.startswith(EVALUATION_GROUPS) for value in event.summary.value)


@contextmanager
def _without_torch() -> Iterator[None]:
    """Keeps tensorboardX from importing PyTorch where it is installed: it would take 5 s and 200 MB, for nothing."""
    is_there = "torch" in sys.modules
    if not is_there:
        sys.modules["torch"] = None  # type: ignore[assignment]  # what the import system takes for "not installed"
    try:
        yield
    finally:
        if not is_there:
            del sys.modules["torch"]
