"""Work that threads do ahead of whoever asks for its results."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], num_loaders: int, extra: int
) -> Generator[Result, None, None]:
    """Yields function(item) in the order of the items; threads work ahead by at most `num_loaders` + `extra` items."""
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(num_loaders, thread_name_prefix="data")
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > num_loaders + extra:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
