"""A network as one compiled graph for each size of its input, of which a limited number is held."""

import mindspore as ms
import numpy as np
from mindspore import nn

from utils.held_sizes import HeldSizes

Shape = tuple[int, ...]


class CompiledSizes:
    """Calls a network; MindSpore compiles it for a shape when that is first seen, and once more when it was given up.

    MindSpore keeps what it compiles for as long as the Cell lives that it compiled. So each shape has a Cell of its own
    around the network, and letting go of it gives its memory back: of MiT-B0 at 480x512, 140 MB but for 10.

    Args:
        network: float32[N, 3, H, W] to logits; it may share its weights with others.
        limit: shapes that are held at once; the one that was not used for longest is given up.

    Attributes:
        network: as given.
    """

    def __init__(self, network: nn.Cell, limit: int) -> None:
        self.network = network
        self._held: HeldSizes[Shape, _OneShape] = HeldSizes(limit)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Returns the logits of float32[N, 3, H, W]."""
        if self.network.training:
            self.network.set_train(False)
        return self._held.get_or_make(images.shape, lambda: _OneShape(self.network))(ms.Tensor(images)).asnumpy()


class _OneShape(nn.Cell):
    """The network, compiled for one shape."""

    def __init__(self, network: nn.Cell) -> None:
        super().__init__(auto_prefix=False)  # parameters keep the network's names
        self.network = network
        self.set_train(False)

    def construct(self, images: ms.Tensor) -> ms.Tensor:
        """float32[N, 3, H, W] -> the network's logits."""
        return self.network(images)
