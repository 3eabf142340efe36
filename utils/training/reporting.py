"""What is said of steps and epochs while a run trains."""

import logging

from utils.training.plan import RunOutput
from utils.training.record.curves import CurvePicture
from utils.training.record.lines import format_epoch_line, format_step_line
from utils.training.record.records import EpochRecord, StepRecord

logger = logging.getLogger(__name__)


class RunReport:
    """Writes log lines, rows of metrics and the curves of a run.

    Args:
        output: where they go.
        log_interval: steps between log lines and rows of metrics.

    Attributes:
        curves: the picture of the run.
    """

    def __init__(self, output: RunOutput, log_interval: int) -> None:
        self._output, self._log_interval = output, log_interval
        self.curves = CurvePicture(output.folder.metrics.path, output.folder.curves_path)

    def add_step(self, record: StepRecord) -> None:
        """Says a step that is due, the last of its epoch, or not finite."""
        is_due = record.step % self._log_interval == 0 or record.step == record.steps_per_epoch
        if is_due or not record.is_finite:
            self._output.folder.log.add(record)
            for line in self._output.lines.step_lines(record) if self._output.lines and is_due else ():
                logger.info("%s", line)
            logger.log(logging.INFO if record.is_finite else logging.WARNING, "%s", format_step_line(record))
        if self._output.profiler is not None:
            self._output.profiler.after_step(record)

    def add_epoch(self, record: EpochRecord) -> None:
        """Says an epoch."""
        self._output.folder.log.add(record)
        for line in self._output.lines.epoch_lines(record) if self._output.lines else ():
            logger.info("%s", line)
        logger.info("%s", format_epoch_line(record))

    def end(self) -> None:
        """Draws the curves for the last time and shows them to the loggers, which have the numbers of earlier ones."""
        self.curves.draw()
        if self._output.folder.curves_path.is_file():
            self._output.folder.log.add_picture("curves", self._output.folder.curves_path)
