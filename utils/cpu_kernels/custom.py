"""The kernels of the library as MindSpore primitives with gradients, made once per process each."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import mindspore as ms
from mindspore import Tensor, ops
from mindspore.ops import signature

Shape = tuple[int, ...]


def _kernel(
    library: Path,
    name: str,
    out_shapes: Callable[..., Shape | tuple[Shape, ...]],
    num_outputs: int = 1,
    bprop: Callable | None = None,
    case: str = "",
) -> ops.Custom:
    """Returns a function of the library as a primitive of float32 results.

    Without a graph, MindSpore takes primitives of equal function and attributes for the same one and asks one
    of them for all shapes; so where `out_shapes` uses more than the inputs' shapes, `case` has to say what.

    Args:
        library: from `library.kernel_library`.
        name: of the C function.
        out_shapes: gives the shapes of the outputs for the shapes of the inputs.
        num_outputs: 1 for one Tensor, more for a tuple of them.
        bprop: gradients of the inputs, from inputs, output and the output's gradient, as `ops.Custom` wants it.
        case: what tells this primitive from others of the same function.
    """
    types = ms.float32 if num_outputs == 1 else (ms.float32,) * num_outputs
    kernel = ops.Custom(f"{library}:{name}", out_shapes, types, "aot", bprop)
    kernel.add_prim_attr("case", case)
    return kernel


@functools.cache
def gelu_kernel(library: Path) -> ops.Custom:
    """Returns x[...] -> gelu(x)."""
    backward = _kernel(library, "gelu_backward", lambda x, dy: x)

    def bprop(x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
        return (backward(x, dout),)

    return _kernel(library, "gelu_forward", lambda x: x, bprop=bprop)


@functools.cache
def layer_norm_kernel(library: Path) -> ops.Custom:
    """Returns (x[..., C], gamma[C], beta[C], eps[1]) -> y[..., C]."""
    backward = _kernel(library, "layer_norm_backward", lambda x, gamma, eps, dy: (x, gamma, gamma), 3)

    def bprop(x: Tensor, gamma: Tensor, beta: Tensor, eps: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor, ...]:
        dx, dgamma, dbeta = backward(x, gamma, eps, dout)
        return dx, dgamma, dbeta, ops.zeros_like(eps)

    return _kernel(library, "layer_norm_forward", lambda x, gamma, beta, eps: x, bprop=bprop)


@functools.cache
def linear_kernel(library: Path) -> ops.Custom:
    """Returns (x[..., C], weight[O, C], bias[O]) -> y[..., O]."""
    backward = _kernel(library, "linear_backward", lambda x, weight, dy: (x, weight, [weight[0]]), 3)

    def bprop(x: Tensor, weight: Tensor, bias: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor, ...]:
        return backward(x, weight, dout)

    return _kernel(library, "linear_forward", lambda x, weight, bias: [*x[:-1], weight[0]], bprop=bprop)


@functools.cache
def attention_kernel(library: Path) -> ops.Custom:
    """Returns (q[N, L, h, d], k[N, S, h, d], v[N, S, h, d], scale[1]) -> result[N, L, h, d], log_sums[N, h, L]."""
    backward = _kernel(library, "attention_backward", lambda q, k, v, *rest: (q, k, v), 3)

    def bprop(
        q: Tensor,
        k: Tensor,
        v: Tensor,
        scale: Tensor,
        out: tuple[Tensor, Tensor],
        dout: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, ...]:
        dq, dk, dv = backward(q, k, v, scale, out[0], out[1], dout[0])
        return dq, dk, dv, ops.zeros_like(scale)

    return _kernel(library, "attention_forward", lambda q, k, v, scale: (q, [q[0], q[2], q[1]]), 2, bprop)


@functools.cache
def depthwise_gelu_kernel(library: Path) -> ops.Custom:
    """Returns (x[N, H, W, C], weight[C, 1, 3, 3], bias[C]) -> y[N, H, W, C]."""
    backward = _kernel(library, "depthwise_gelu_backward", lambda x, weight, bias, dy: (x, weight, bias), 3)

    def bprop(x: Tensor, weight: Tensor, bias: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor, ...]:
        return backward(x, weight, bias, dout)

    return _kernel(library, "depthwise_gelu_forward", lambda x, weight, bias: x, bprop=bprop)


@functools.cache
def resize_kernel(library: Path, size: tuple[int, int]) -> ops.Custom:
    """Returns x[N, C, h, w] -> y[N, C, *size]."""
    backward = _kernel(library, "resize_backward", lambda dy, x: x)

    def bprop(x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
        return (backward(dout, x),)

    return _kernel(library, "resize_forward", lambda x: [x[0], x[1], *size], bprop=bprop, case=str(size))


@functools.cache
def cross_entropy_kernel(library: Path) -> ops.Custom:
    """Returns (logits[N, C, h, w], labels int32[N, H, W]) -> loss[N, H, W], log_sums[N, H, W]."""
    backward = _kernel(library, "cross_entropy_backward", lambda logits, *rest: logits)

    def bprop(
        logits: Tensor,
        labels: Tensor,
        out: tuple[Tensor, Tensor],
        dout: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        return backward(logits, labels, out[1], dout[0]), ops.zeros_like(labels)

    return _kernel(library, "cross_entropy_forward", lambda logits, labels: (labels, labels), 2, bprop)


@functools.cache
def convolution_kernel(library: Path, stride: int) -> ops.Custom:
    """Returns (x[N, C, H, W], weight[O, C, k, k]) -> y[N, O, ceil(H / stride), ceil(W / stride)]."""
    image_backward = _kernel(library, "convolution_image_backward", lambda dy, weight, x: x)
    weight_backward = _kernel(library, "convolution_weight_backward", lambda x, dy, weight: weight)

    def bprop(x: Tensor, weight: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
        return image_backward(dout, weight, x), weight_backward(x, dout, weight)

    def out_shape(x: Shape, weight: Shape) -> list[int]:
        return [x[0], weight[0], -(-x[2] // stride), -(-x[3] // stride)]

    return _kernel(library, "convolution_forward", out_shape, bprop=bprop, case=str(stride))


@functools.cache
def focal_loss_kernel(library: Path) -> ops.Custom:
    """Returns (logits[..., C], classes int32[...], (alpha, gamma)[2]) -> loss[...]."""
    backward = _kernel(library, "focal_loss_backward", lambda logits, *rest: logits)

    def bprop(
        logits: Tensor, classes: Tensor, settings: Tensor, out: Tensor, dout: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        gradient = backward(logits, classes, settings, dout)
        return gradient, ops.zeros_like(classes), ops.zeros_like(settings)

    return _kernel(library, "focal_loss_forward", lambda logits, classes, settings: classes, bprop=bprop)


@functools.cache
def roi_align_kernels(library: Path, output_size: int, num_levels: int) -> tuple[ops.Custom, ops.Custom]:
    """Returns RoIAlign and its gradient as two primitives: a `bprop` of `ops.Custom` takes a fixed number of inputs.

    (rois[N, R, 4], level int32[N, R], settings[1 + levels], features[N, C, H, W]...) -> [N * R, C, s, s], and
    (rois, level, settings, dy, features...) -> the gradients of the features. The settings are the sampling ratio and,
    for each level, its pixels for one of the input.
    """

    def out_shape(rois: Shape, level: Shape, settings: Shape, *features: Shape) -> list[int]:
        return [rois[0] * rois[1], features[0][1], output_size, output_size]

    def gradient_shapes(rois: Shape, level: Shape, settings: Shape, dy: Shape, *features: Shape) -> tuple[Shape, ...]:
        return features if num_levels > 1 else features[0]

    return (
        _kernel(library, "roi_align_forward", out_shape, case=str(output_size)),
        _kernel(library, "roi_align_backward", gradient_shapes, num_levels, case=str(num_levels)),
    )


@functools.cache
def nms_kernel(library: Path) -> ops.Custom:
    """Returns (boxes[B, K, 4], valid bool[B, K], threshold[1]) -> kept bool[B, K]; it has no gradient."""
    return ops.Custom(f"{library}:nms", lambda boxes, valid, threshold: valid, ms.bool_, "aot")


def _in_place_kernel(library: Path, name: str, changed: Sequence[str], read: Sequence[str]) -> ops.Custom:
    """Returns a function of the library that changes its first inputs in place; its result, float32[1], says nothing.

    Args:
        library: from `library.kernel_library`.
        name: of the C function.
        changed: names of the parameters that it changes.
        read: names of the inputs that it reads, after them.
    """
    kernel = _kernel(library, name, lambda *shapes: [1])
    kernel.add_prim_attr("side_effect_mem", True)
    kinds = ((changed, signature.sig_rw.RW_WRITE), (read, signature.sig_rw.RW_READ))
    kernel.set_signatures(tuple(signature.make_sig(key, rw) for names, rw in kinds for key in names))
    return kernel


@functools.cache
def sgd_kernel(library: Path) -> ops.Custom:
    """Returns the update of (parameter, moment) by (gradient, settings[4], (rate's scale, decay)[2]).

    The settings are the gradient's factor, 1 if the update is to be made and 0 if not, learning rate and momentum.
    """
    return _in_place_kernel(library, "sgd_update", ("parameter", "moment"), ("gradient", "settings", "own_settings"))


@functools.cache
def adamw_kernel(library: Path) -> ops.Custom:
    """Returns the update of (parameter, first, second) by (gradient, settings[7], (rate's scale, decay)[2]).

    The settings are the gradient's factor, 1 if the update is to be made and 0 if not, learning rate, step size,
    epsilon and both betas.
    """
    return _in_place_kernel(
        library, "adamw_update", ("parameter", "first", "second"), ("gradient", "settings", "own_settings")
    )


@functools.cache
def average_kernel(library: Path) -> ops.Custom:
    """Returns the update of an average, average * decay + value * (1 - decay), by (value, decay[])."""
    return _in_place_kernel(library, "average_update", ("average",), ("value", "decay"))
