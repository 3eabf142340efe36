"""A network as one compiled graph for each size of its input, of which a limited number is held."""

from collections import OrderedDict
from collections.abc import Callable

import mindspore as ms
import numpy as np
from mindspore import nn

Shape = tuple[int, ...]


class CompiledSizes:
    """Calls a network; MindSpore compiles it for a shape when that is first seen, and once more when it was given up.

    MindSpore keeps what it compiles for as long as the Cell lives that it compiled. So each shape has a Cell of its own
    around the network, and letting go of it gives its memory back: of MiT-B0 at 480x512, 140 MB but for 10.

    Args:
        network: float32[N, 3, H, W] to logits; a Cell, which may share its weights with others, or any function.
        limit: shapes that are held at once; the one that was not used for longest is given up.

    Attributes:
        network: as given.
    """

    def __init__(self, network: Callable[[ms.Tensor], ms.Tensor], limit: int) -> None:
        self.network = network
        self._limit = limit
        self._held: OrderedDict[Shape, Callable[[ms.Tensor], ms.Tensor]] = OrderedDict()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Returns the logits of float32[N, 3, H, W]."""
        if getattr(self.network, "training", False):
            self.network.set_train(False)
        return self._of_shape(images.shape)(ms.Tensor(images)).asnumpy()

    def _of_shape(self, shape: Shape) -> Callable[[ms.Tensor], ms.Tensor]:
        if not isinstance(self.network, nn.Cell):
            return self.network
        if shape not in self._held:
            while len(self._held) >= self._limit:
                self._held.popitem(last=False)
            self._held[shape] = _OneShape(self.network)
        self._held.move_to_end(shape)
        return self._held[shape]


class _OneShape(nn.Cell):
    """The network, compiled for one shape."""

    def __init__(self, network: nn.Cell) -> None:
        super().__init__(auto_prefix=False)  # parameters keep the network's names
        self.network = network
        self.set_train(False)

    def construct(self, images: ms.Tensor) -> ms.Tensor:
        """float32[N, 3, H, W] -> the network's logits."""
        return self.network(images)
