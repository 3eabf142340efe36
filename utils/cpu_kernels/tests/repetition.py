"""Prints a digest of the gradients of a chain of kernels: `python -m utils.cpu_kernels.tests.repetition`."""

import hashlib

import mindspore as ms
import numpy as np
from mindspore import nn

from utils.cpu_kernels.attention import TokenAttention
from utils.cpu_kernels.convolution import Convolution
from utils.cpu_kernels.cross_entropy import SoftmaxCrossEntropy
from utils.cpu_kernels.depthwise_gelu import DepthwiseGelu
from utils.cpu_kernels.layer_norm import LayerNorm
from utils.cpu_kernels.linear import Linear


class Chain(nn.Cell):
    def __init__(self):
        super().__init__()
        self.norm, self.attend = LayerNorm(24, 1e-5), TokenAttention(3, 0.3)
        self.project = Linear(24, 24, "ones")
        self.position, self.loss = DepthwiseGelu(24, "ones"), SoftmaxCrossEntropy()
        generator = np.random.default_rng(2)
        weights = [generator.standard_normal((b, a, 3, 3)).astype(np.float32) * 0.05 for a, b in ((24, 40), (40, 36))]
        self.wide = nn.SequentialCell(
            [Convolution(*weight.shape[1::-1], 3, weight_init=ms.Tensor(weight)) for weight in weights]
        )

    def construct(self, x, labels):
        x = self.project(self.norm(x))
        x = self.position(self.attend(x, x, x), (20, 30))
        return self.loss(self.wide(x.transpose(0, 2, 1).reshape(2, 24, 20, 30)), labels).sum()


def main():
    ms.set_context(mode=ms.GRAPH_MODE)
    x = np.random.default_rng(0).standard_normal((2, 600, 24)).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 24, (2, 80, 120)).astype(np.int32)
    chain = Chain()
    of_input, of_weights = ms.grad(chain, 0, chain.trainable_params())(ms.Tensor(x), ms.Tensor(labels))
    print(hashlib.sha256(b"".join(g.asnumpy().tobytes() for g in (of_input, *of_weights))).hexdigest())


if __name__ == "__main__":
    main()
