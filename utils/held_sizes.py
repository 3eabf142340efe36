"""What was made for a size of input, a compiled network for one: a limited number is held."""

import gc
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class HeldSizes(OrderedDict[Key, Value]):
    """Makes what a size needs when it first comes; what was not asked for the longest time makes room.

    Args:
        limit: sizes that are held at once.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def get_or_make(self, size: Key, make: Callable[[], Value]) -> Value:
        """Returns what is held for a size, else makes it, once there is room."""
        if size not in self:
            while len(self) >= self._limit:
                self.popitem(last=False)
                gc.collect()  # a graph's memory comes back with its Cell, and Cells refer to each other
            self[size] = make()
        self.move_to_end(size)
        return self[size]
