"""How long a training may take."""

import math
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class TimeLimit:
    """A limit on the time since the command was given: a queue's, which a run that goes on in it has anew.

    Attributes:
        hours: of the limit.
        began_at: when the command was given, seconds since 1970.
    """

    hours: float
    began_at: float

    def seconds_left(self) -> float:
        """Returns the seconds to the limit; none are left where it is negative."""
        return self.hours * 3600 - (time.time() - self.began_at)

    def is_reached(self, next_seconds: float = 0.0) -> bool:
        """Whether something that takes so many seconds would end after the limit."""
        return self.seconds_left() <= next_seconds


NO_LIMIT = TimeLimit(math.inf, 0.0)
