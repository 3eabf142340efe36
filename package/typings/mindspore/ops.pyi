"""What decorates functions of ours; see `mindspore`. Operators are `Any`."""

from collections.abc import Callable
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])

def __getattr__(name: str) -> Any: ...
def constexpr(fn: _Function) -> _Function: ...

class MultitypeFuncGraph:
    """A function that a graph maps over tensors of several kinds."""

    def __init__(self, name: str) -> None: ...
    def register(self, *type_names: str) -> Callable[[_Function], _Function]: ...
