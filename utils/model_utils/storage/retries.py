"""Attempts with growing pauses between them, and a limit."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from utils.model_utils.errors import BadStateError

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


class TransientError(Exception):
    """A fault that another attempt may mend: a server that is busy, a connection that was cut."""


@dataclass(frozen=True)
class Retries:
    """How often something is tried.

    Attributes:
        attempts: number of attempts, at least 1.
        first_seconds: pause after the first one; each further pause is twice as long.
        longest_seconds: most that a pause lasts.
        sleep: makes the pause.
    """

    # Pauses of 1, 2, 4, 8 and 16 s: half a minute in all outlasts a busy server and a cut connection.
    attempts: int = 6
    first_seconds: float = 1.0
    longest_seconds: float = 30.0  # where more attempts are asked for: minutes of silence would look like a hang
    sleep: Callable[[float], None] = time.sleep

    def run(self, action: Callable[[], Result], what: str) -> Result:
        """Returns what `action` returns, trying again after each `TransientError`.

        Args:
            action: one attempt.
            what: what is tried, as the beginning of a sentence.

        Raises:
            BadStateError: the last attempt failed too; any other error of `action` is raised at once.
        """
        for attempt in range(1, self.attempts):
            try:
                return action()
            except TransientError as error:
                pause = min(self.first_seconds * 2 ** (attempt - 1), self.longest_seconds)
                logger.warning(
                    "%s failed (%s): attempt %d of %d follows in %g s", what, error, attempt + 1, self.attempts, pause
                )
            self.sleep(pause)
        try:
            return action()
        except TransientError as error:
            raise BadStateError(
                f"{what} failed {self.attempts} times, at last with {error}: check the connection and the endpoint, "
                "then start again; what has arrived is kept"
            ) from None
