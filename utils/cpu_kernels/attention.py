"""Softmax attention of tokens, whose scores a CPU never stores."""

import functools
from pathlib import Path

import mindspore as ms
from mindspore import Tensor, nn, ops

from utils.cpu_kernels.choice import chosen_kernel, fits_kernel, make_kernel


@functools.cache
def _attention_kernel(library: Path) -> ops.Custom:
    """Returns (q[N, L, h, d], k[N, S, h, d], v[N, S, h, d], scale[1]) -> result[N, L, h, d], log_sums[N, h, L]."""
    backward = make_kernel(library, "attention_backward", lambda q, k, v, *rest: (q, k, v), 3)

    def bprop(
        q: Tensor, k: Tensor, v: Tensor, scale: Tensor, out: tuple[Tensor, Tensor], dout: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, ...]:
        dq, dk, dv = backward(q, k, v, scale, out[0], out[1], dout[0])
        return dq, dk, dv, ops.zeros_like(scale)

    return make_kernel(library, "attention_forward", lambda q, k, v, scale: (q, [q[0], q[2], q[1]]), 2, bprop)


class TokenAttention(nn.Cell):
    """Softmax attention of tokens, softmax(scale * q k^T) v in each head.

    Args:
        num_heads: heads that the channels are cut into.
        scale: factor of the scores, usually 1 / sqrt(head width).
    """

    def __init__(self, num_heads: int, scale: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.scale = scale
        self.settings = Tensor([scale], ms.float32)
        self.scores = ops.BatchMatMul(transpose_b=True)
        self.weighted = ops.BatchMatMul()
        self.softmax = ops.Softmax(-1)
        self.kernel = chosen_kernel(_attention_kernel)

    def construct(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attends from every query float32[N, L, C] to every key float32[N, S, C] -> float32[N, L, C]."""
        q, k, v = self.split(query), self.split(key), self.split(value)  # [N, L or S, heads, width]
        if self.kernel is not None and fits_kernel(query):
            return self.kernel(q, k, v, self.settings)[0].reshape(query.shape)
        order = (0, 2, 1, 3)  # [N, L, heads, width] -> [N, heads, L, width] and back
        scores = self.scores(ops.mul(q.transpose(order), self.scale), k.transpose(order))  # [N, heads, L, S]
        result = self.weighted(self.softmax(scores), v.transpose(order))
        return result.transpose(order).reshape(query.shape)

    def split(self, tokens: Tensor) -> Tensor:
        """float32[N, L, C] -> float32[N, L, heads, C / heads]."""
        batch, length, channels = tokens.shape
        return tokens.reshape(batch, length, self.num_heads, channels // self.num_heads)
