"""The base of all layers; see `mindspore`."""

from collections.abc import Callable, Iterator
from typing import Any, Self

from mindspore import Parameter

def __getattr__(name: str) -> Any: ...

class Cell:
    """A network or a part of one; calling it runs `construct`."""

    construct: Callable[..., Any]
    training: bool
    def __init__(self, auto_prefix: bool = ..., flags: dict[str, Any] | None = ...) -> None: ...
    def __call__(self, *inputs: Any, **named: Any) -> Any: ...
    def get_parameters(self, expand: bool = ...) -> Iterator[Parameter]: ...
    def trainable_params(self, recurse: bool = ...) -> list[Parameter]: ...
    def parameters_dict(self, recurse: bool = ...) -> dict[str, Parameter]: ...
    def parameters_and_names(self, name_prefix: str = ..., expand: bool = ...) -> Iterator[tuple[str, Parameter]]: ...
    def cells_and_names(self, name_prefix: str = ...) -> Iterator[tuple[str, Cell]]: ...
    def name_cells(self) -> dict[str, Cell]: ...
    def compile(self, *inputs: Any, **named: Any) -> None: ...
    def set_train(self, mode: bool = ...) -> Self: ...
    def to_float(self, dst_type: Any) -> Self: ...

class Dense(Cell):
    """A linear layer."""

    in_channels: int
    out_channels: int
    weight: Parameter
    bias: Parameter
    matmul: Any
    bias_add: Any
    def __init__(self, in_channels: int, out_channels: int, **options: Any) -> None: ...

class Conv2d(Cell):
    """A convolution."""

    in_channels: int
    out_channels: int
    weight: Parameter
    bias: Parameter
    has_bias: bool
    conv2d: Any
    bias_add: Any
    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = ..., **options: Any
    ) -> None: ...
