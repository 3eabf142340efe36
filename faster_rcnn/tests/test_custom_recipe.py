"""config/custom.yaml holds on any data: its rate fits the layers that no batch norm follows."""

import math

import mindspore as ms

from faster_rcnn.src import build
from faster_rcnn.src.config import load


def test_weights_that_are_averaged_have_not_moved_by_their_own_size():
    """AdamW moves a weight by up to lr a step, and by lr * sqrt(steps) where its gradients are noise.

    The averaged weights, which are evaluated, are those of the last 1 / (1 - 0.99) = 100 steps: at a rate of 0.001 a
    weight moves by 0.01 meanwhile. Xavier's weights of the RoI head's first layer are about
    sqrt(2 / (64 * 49 + 256)) = 0.0243. At a rate of 0.004 they moved by 0.04: the average was of networks that had
    nothing in common, with AP50 0.15 where the weights themselves had 0.65, and soon these were lost as well. A batch
    norm undoes the size of the weights before it: the backbone stands that rate.
    """
    ms.set_seed(1)
    config = load(["--config_path=config/custom.yaml"])
    network = build.build_network(config, num_classes=1)
    moved = config.lr * math.sqrt(1 / (1 - config.ema_decay))
    sizes = {
        parameter.name: float(parameter.asnumpy().std())
        for parameter in network.get_parameters()
        if parameter.name.startswith(("neck.", "rcnn.shared.")) and parameter.name.endswith("weight")
    }
    assert len(sizes) == 10
    assert abs(sizes["rcnn.shared.0.weight"] - 0.0243) < 2e-4
    assert {name: size for name, size in sizes.items() if size < 2 * moved} == {}
