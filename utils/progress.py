"""Progress of a long loop over images: a bar with the time left on a terminal, now and then a log line elsewhere."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

PLAIN_INTERVAL_SECONDS = 10.0  # a log is not flooded, and one who watches it is not left in doubt

logger = logging.getLogger(__name__)


def track(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Yields all `total` items, 0 if unknown, and shows how far the loop is; `what` says e.g. "checking images"."""
    if sys.stderr.isatty():
        yield from _track_on_terminal(items, total, what)
    else:
        yield from _track_in_log(items, total, what)


def _track_on_terminal(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield from progress.track(items, total=total or None, description=what)


def _track_in_log(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    start = last = time.monotonic()
    for count, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= PLAIN_INTERVAL_SECONDS:
            last = now
            if count < total:
                logger.info("%s: %d of %d, %.0f s left", what, count, total, (now - start) / count * (total - count))
            else:  # of a video the total is a guess
                logger.info("%s: %d", what, count)
