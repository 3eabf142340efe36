"""What the graphs of a suite consist of: on a small network of MindSpore's own operators, as Ascend would take it."""

from collections import Counter
from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import nn

from utils.exporting.primitives import primitives_of_network
from utils.training.step.train_step import TrainStep

TRAINING, EVALUATION, EXPORT = "training step", "evaluation", "exported file"  # titles


def primitives_of_step(step: TrainStep, batch: Sequence[np.ndarray]) -> Counter[str]:
    """Returns the primitives of a training step: loss, gradients and update."""
    step.network.set_train(True)
    return primitives_of_network(step.as_graph(), [ms.Tensor(np.float32(1.0)), *map(ms.Tensor, batch)])


def primitives_in_inference(network: nn.Cell, arrays: Sequence[np.ndarray]) -> Counter[str]:
    """Returns the primitives of a network for inference."""
    return primitives_of_network(network.set_train(False), [ms.Tensor(array) for array in arrays])
