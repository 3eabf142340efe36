"""Workers of a job in one process, one after the other, for tests of what workers do together.

Threads would not do: MindSpore's data sets want the main one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from utils.model_utils.workers import Workers


class _NotYetGatheredError(Exception):
    def __init__(self, value: object) -> None:
        super().__init__()
        self.value = value


@dataclass(frozen=True, eq=False)
class _Worker(Workers):
    """One of them; `gathered` are the exchanges that are known, of which the first `position[0]` are over."""

    gathered: list[list] = field(kw_only=True)
    position: list[int] = field(default_factory=lambda: [0], init=False)

    def gather(self, value):
        """As in a real job."""
        index = self.position[0]
        self.position[0] += 1
        if index == len(self.gathered):
            raise _NotYetGatheredError(value)
        return list(self.gathered[index])

    def broadcast(self, value):
        """As in a real job."""
        return self.gather(value)[0]


def run_workers(count: int, work: Callable[[Workers], object]) -> list:
    """Returns what each of `count` workers makes by `work`, in the order of ranks.

    `work` is begun anew for each exchange between them, which it has to bear.
    """
    gathered: list[list] = []
    while True:
        made, told = [], []
        for rank in range(count):
            try:
                made.append(work(_Worker(rank, count, gathered=gathered)))
            except _NotYetGatheredError as exchange:
                told.append(exchange.value)
        if not told:
            return made
        assert not made, "some workers gather more often than others"
        gathered.append(told)
