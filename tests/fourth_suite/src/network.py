"""The network and its loss."""

import mindspore as ms
from mindspore import nn, ops

SIDE = 8  # pixels of a picture


class HalvesNetwork(nn.Cell):
    """One convolution and a linear layer."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, channels, 3, pad_mode="pad", padding=1)
        self.head = nn.Dense(channels * SIDE * SIDE, 2)

    def construct(self, images: ms.Tensor) -> ms.Tensor:
        """float32[N, 1, SIDE, SIDE] -> float32[N, 2]: logits of left and right."""
        return self.head(ops.relu(self.conv(images)).flatten(start_dim=1))


class HalvesLoss(nn.Cell):
    """This worker's part of the cross-entropy; its arguments have the names of the columns of a batch."""

    loss_names = ("loss",)

    def __init__(self, network: HalvesNetwork, num_workers: int) -> None:
        super().__init__(auto_prefix=False)
        self.network, self.num_workers = network, num_workers

    def construct(self, images: ms.Tensor, labels: ms.Tensor) -> tuple[ms.Tensor]:
        """float32[N, 1, SIDE, SIDE] and int32[N] -> the mean of the batch, divided by the number of workers."""
        return (ops.cross_entropy(self.network(images), labels) / self.num_workers,)
