"""Rewrites the ONNX that MindSpore writes, for engines: whole operators, folded constants, any number of images.

MindSpore writes opset 11, each GELU in 20 nodes and each layer norm in 13, four of them casts of float32 to float32,
and the number of images as a constant in every Reshape. The packages `onnx` and `onnxscript` belong to the optional
group `engines`.
"""

import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import version_converter
from onnxscript import ir, optimizer
from onnxscript.rewriter.pattern import MatchResult, OpsetPatternBuilder, RewriterContext, RewriteRule

from utils.exporting.onnx_form import OPSET, OnnxForm
from utils.exporting.onnx_operators import TAIL_COEFFICIENTS, TAIL_SCALE

AXES_ARE_INPUTS = 13  # opset since which Unsqueeze has its axes as an input
BATCH = "N"  # name of the axis of images
_LARGEST_WEIGHT = 2**40  # no limit: by default weights of more than a few thousand numbers are not folded

Pattern = Any  # a value of a pattern; the package names no public class for it


def rewrite_onnx(file: Path, form: OnnxForm, any_batch: bool) -> None:
    """Rewrites a file in its place; what it computes stays the same but for RoiAlign's samples.

    Args:
        file: as MindSpore writes it, with the weights in it.
        form: what it is to be like.
        any_batch: make it take any number of images; it is of one image.
    """
    for name in ("onnxscript", "onnx_ir"):
        logging.getLogger(name).setLevel(logging.WARNING)  # at INFO they tell of each node
    model = ir.serde.deserialize_model(version_converter.convert_version(onnx.load(file), form.opset))
    _fold(model)
    for rule in (GELU, LAYER_NORM if form.opset >= OPSET else CLASSIC_LAYER_NORM):
        rule.apply_to_model(model)
    if any_batch:
        BORDER.apply_to_model(model)
        _free_batch(model.graph)
    if form.roi_sampling_ratio is not None:
        _align_exactly(model.graph, form.roi_sampling_ratio)
    _fold(model)
    if form.opset < AXES_ARE_INPUTS:
        _give_axes_as_attribute(model.graph)
    ir.save(model, file)


def _fold(model: ir.Model) -> None:
    """Computes what follows from weights alone, and leaves out what does nothing."""
    optimizer.optimize(model, input_size_limit=_LARGEST_WEIGHT, output_size_limit=_LARGEST_WEIGHT)


def _nodes(graph: ir.Graph, operator: str) -> Iterator[ir.Node]:
    return (node for node in graph if node.op_type == operator)


def _free_batch(graph: ir.Graph) -> None:
    """Makes the first axis, of one image, one of any length: in inputs, outputs, and the shapes of Reshape."""
    ends = {value: ir.Shape([BATCH, *value.shape[1:]]) for value in (*graph.inputs, *graph.outputs)}
    for value in (*graph.inputs, *(value for node in graph for value in node.outputs)):
        value.shape = ends.get(value)  # inside, those of one image go; engines find theirs
    for node in _nodes(graph, "Reshape"):
        wanted = node.inputs[1].const_value.numpy().copy()
        # 0 keeps the axis as it comes in; -1, which may stand once, takes what is left over.
        wanted[0] = 0 if -1 in wanted[1:] else -1
        node.replace_input_with(1, _constant(graph, node, wanted))


def _align_exactly(graph: ir.Graph, sampling_ratio: int) -> None:
    """Gives RoiAlign its samples, and pixels that are aligned: before opset 16 no side was shorter than a pixel."""
    for node in _nodes(graph, "RoiAlign"):
        node.attributes.add(ir.AttrInt64("sampling_ratio", sampling_ratio))
        node.attributes.add(ir.AttrString("coordinate_transformation_mode", "half_pixel"))
        # This mode takes half a pixel off each corner; the network has done so already.
        shift = ir.node("Add", [node.inputs[1], _constant(graph, node, np.float32(0.5))])
        graph.insert_before(node, shift)
        node.replace_input_with(1, shift.outputs[0])


def _constant(graph: ir.Graph, node: ir.Node, value: np.ndarray | np.generic) -> ir.Value:
    """Returns a constant for a node, which has one at most."""
    constant = ir.Value(name=f"{node.outputs[0].name}_constant", const_value=ir.tensor(np.asarray(value)))
    graph.register_initializer(constant)
    return constant


def _give_axes_as_attribute(graph: ir.Graph) -> None:
    """Rewrites Unsqueeze, which folding (onnxscript 0.7.2) makes as later opsets have it, whatever that of the file."""
    for node in list(_nodes(graph, "Unsqueeze")):
        if len(node.inputs) > 1:
            node.attributes.add(ir.AttrInt64s("axes", node.inputs[1].const_value.numpy().reshape(-1).tolist()))
            node.resize_inputs(1)


# Exact GELU


def _gelu_in_pieces(op: OpsetPatternBuilder, x: Pattern, one: Pattern) -> Pattern:
    """The nodes that MindSpore makes of `GeluWithoutErf`."""
    size = op.Abs(x)
    t = op.Div(one, op.Add(1.0, op.Mul(size, TAIL_SCALE)))
    series = op.Mul(t, 0.0)
    for coefficient in TAIL_COEFFICIENTS:
        series = op.Mul(op.Add(series, coefficient), t)
    tail = op.Mul(op.Mul(series, 0.5), op.Exp(op.Mul(op.Mul(x, -0.5), x)))
    return op.Sub(op.Relu(x), op.Mul(size, tail))


def _gelu(op: RewriterContext, x: ir.Value, **_: ir.Value) -> ir.Value:
    """Halves x and multiplies it with 1 + erf(x / sqrt(2))."""
    root, one, half = (op.Constant(value_float=value) for value in (math.sqrt(0.5), 1.0, 0.5))
    return op.Mul(op.Mul(x, half), op.Add(op.Erf(op.Mul(x, root)), one))


GELU = RewriteRule(_gelu_in_pieces, _gelu)


# Layer norm over the last axis


def _norm_in_pieces(
    op: OpsetPatternBuilder, x: Pattern, size: Pattern, epsilon: Pattern, gamma: Pattern, beta: Pattern
) -> Pattern:
    """The nodes that MindSpore makes of a layer norm, without its casts."""
    centred = op.Sub(x, op.ReduceMean(x, _outputs=["mean"]))
    variance = op.Div(op.ReduceSumSquare(centred, _outputs=["squares"]), size)
    return op.Add(op.Mul(op.Div(centred, op.Sqrt(op.Add(variance, epsilon))), gamma), beta)


def _is_over_last_axis(
    _: object, x: ir.Value, size: ir.Value, mean: ir.Value, squares: ir.Value, **__: object
) -> MatchResult:
    """Whether the pieces are those of a layer norm, not of another mean."""
    result = MatchResult()
    rank = len(x.shape)
    for value in (mean, squares):
        if [axis % rank for axis in value.producer().attributes["axes"].as_ints()] != [rank - 1]:
            return result.fail("a mean over other axes")
    if _number(size) != x.shape[-1]:
        return result.fail("a sum that is divided by something else than its terms")
    return result


def _norm(
    op: RewriterContext, x: ir.Value, epsilon: ir.Value, gamma: ir.Value, beta: ir.Value, **_: object
) -> ir.Value:
    return op.LayerNormalization(x, gamma, beta, axis=-1, epsilon=_number(epsilon))


def _classic_norm(
    op: RewriterContext, x: ir.Value, epsilon: ir.Value, gamma: ir.Value, beta: ir.Value, **_: object
) -> ir.Value:
    """The variance as a mean of squares: older converters know no ReduceSumSquare."""
    centred = op.Sub(x, op.ReduceMean(x, axes=[-1], keepdims=1))
    variance = op.ReduceMean(op.Mul(centred, centred), axes=[-1], keepdims=1)
    return op.Add(op.Mul(op.Div(centred, op.Sqrt(op.Add(variance, epsilon))), gamma), beta)


# Borders


def _bordered(op: OpsetPatternBuilder, border: Pattern, x: Pattern) -> Pattern:
    return op.Concat(border, x, _outputs=["joined"])


def _is_of_one_number(_: object, border: ir.Value, **__: object) -> MatchResult:
    constant = border.const_value
    is_border = constant is not None and len(np.unique(constant.numpy())) == 1
    return MatchResult() if is_border else MatchResult().fail("no border")


def _pad(op: RewriterContext, border: ir.Value, x: ir.Value, joined: ir.Value, **_: object) -> ir.Value:
    """A border that is joined to x has the number of images in its shape; padding has not."""
    values = border.const_value.numpy()
    axis = joined.producer().attributes["axis"].as_int() % values.ndim
    pads = np.zeros(2 * values.ndim, np.int64)
    pads[axis] = values.shape[axis]
    return op.Pad(x, op.Constant(value=ir.tensor(pads)), op.Constant(value=ir.tensor(values.reshape(-1)[0])))


def _number(value: ir.Value) -> float:
    return float(value.const_value.numpy().item())


LAYER_NORM = RewriteRule(_norm_in_pieces, _norm, _is_over_last_axis)
BORDER = RewriteRule(_bordered, _pad, _is_of_one_number)
CLASSIC_LAYER_NORM = RewriteRule(_norm_in_pieces, _classic_norm, _is_over_last_axis)
