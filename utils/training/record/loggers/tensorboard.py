"""TensorBoard's event files, which `tensorboard --logdir RUN` shows; written with tensorboardX, without its threads.

Its SummaryWriter hands events to a thread through a short queue: where the thread has ended, as on a full disk, the
training would wait for ever. Events are few here, so that they are written at once.
"""

import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from utils.images import read_size
from utils.training.record.loggers.protocol import ResumePoint
from utils.training.record.loggers.scalars import EVALUATION_GROUPS, clean, scalars_of
from utils.training.record.metrics_log import row_of
from utils.training.record.records import EpochRecord, EvaluationRecord, StepRecord

if TYPE_CHECKING:
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event

_HEADER = struct.Struct("<QI")  # length of an event and its checksum
_CHECKSUM = struct.Struct("<I")


class TensorBoardLogger:
    """Writes an event file; see `RunLogger`.

    A resumed run copies the events that stay into a file of its own and removes the earlier ones, so that no step is
    there twice. The new file begins with the mark by which a TensorBoard that is looking on forgets what it has read.

    Args:
        folder: takes the event files; nothing else of it is touched.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer: EventsWriter | None = None

    def begin(self, resumed: ResumePoint | None) -> None:
        """Opens the file."""
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        self.folder.mkdir(parents=True, exist_ok=True)
        earlier = event_files(self.folder)
        # Two processes of one second would write one file, but for the suffix.
        self._writer = EventsWriter(str(self.folder / "events"), f".{os.getpid()}.{time.monotonic_ns()}")
        if not earlier:
            return
        self._write(Event(step=0, session_log=SessionLog(status=SessionLog.START)))
        for path in earlier if resumed is not None else ():
            for event in read_events(path):
                if resumed is not None and _stays(event, resumed):
                    event.step = round(event.step * resumed.step_scale)
                    self._writer.write_event(event)
        self._writer.flush()
        for path in earlier:
            path.unlink(missing_ok=True)

    def add(self, record: StepRecord | EpochRecord | EvaluationRecord) -> None:
        """Writes the numbers of a record."""
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=name, simple_value=value) for name, value in scalars_of(row_of(record)).items()]
        self._write(Event(step=record.global_step, summary=Summary(value=values)))

    def add_picture(self, name: str, path: Path, global_step: int) -> None:
        """Writes a picture, as the file has it."""
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        height, width = read_size(path) or (0, 0)
        image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=path.read_bytes())
        self._write(Event(step=global_step, summary=Summary(value=[Summary.Value(tag=clean(name), image=image)])))

    def close(self) -> None:
        """Closes the file."""
        if self._writer is not None:
            self._writer.close()

    def _write(self, event: "Event") -> None:
        assert self._writer is not None, "begin comes first"
        event.wall_time = time.time()
        self._writer.write_event(event)
        self._writer.flush()


def event_files(folder: Path) -> list[Path]:
    """Returns the event files of a folder in the order in which they were begun."""
    return sorted(folder.glob("events.out.tfevents.*"))


def read_events(path: Path) -> Iterator["Event"]:
    """Yields the events of a file, those apart that say its version only; one that was cut short ends it."""
    from tensorboardX.proto.event_pb2 import Event

    with path.open("rb") as file:
        left = os.fstat(file.fileno()).st_size
        while left >= _HEADER.size:
            length, _ = _HEADER.unpack(file.read(_HEADER.size))
            left -= _HEADER.size + length + _CHECKSUM.size
            if left < 0:
                return
            event = Event.FromString(file.read(length))
            file.read(_CHECKSUM.size)
            if event.HasField("summary"):
                yield event


def _stays(event: "Event", resumed: ResumePoint) -> bool:
    """Whether an event is of what a resumed run has behind it, and will not log again."""
    if event.step != resumed.global_step or resumed.keep_evaluation:
        return event.step <= resumed.global_step
    return not any(value.HasField("image") or value.tag.startswith(EVALUATION_GROUPS) for value in event.summary.value)
