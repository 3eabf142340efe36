"""Which types of numbers the operators of a graph take and give, read from a MindIR."""

from dataclasses import dataclass
from pathlib import Path

import mindspore as ms
from mindspore import nn
from mindspore.train.mind_ir_pb2 import ModelProto, TensorProto

FLOATS = {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16", TensorProto.BFLOAT16: "bfloat16"}


@dataclass(frozen=True)
class Operator:
    """An operator; of its inputs and outputs those that are one tensor of numbers with a fraction."""

    name: str
    takes: frozenset[str]
    gives: frozenset[str]


def operators_of(network: nn.Cell, *inputs: ms.Tensor, folder: Path) -> list[Operator]:
    """Returns the operators of a network's graph, made for these inputs and not run; the last is its result."""
    ms.export(network, *inputs, file_name=str(folder / "graph"), file_format="MINDIR")
    graph = ModelProto.FromString((folder / "graph.mindir").read_bytes()).graph
    types = {item.name: FLOATS.get(item.data_type) for item in graph.parameter}
    types |= {item.name: FLOATS.get(tensor.data_type) for item in graph.input for tensor in item.tensor}
    found = []
    for node in graph.node:
        given = [tensor.data_type for each in node.attribute if each.name == "shape" for tensor in each.tensors]
        if len(given) == 1:
            types[node.output[0]] = FLOATS.get(given[0])
        name = node.op_type.split("::")[-1].split(":")[0]
        taken = frozenset(kind for each in node.input if (kind := types.get(each)))
        found.append(Operator(name, taken, frozenset(FLOATS[kind] for kind in given if kind in FLOATS)))
    result = frozenset(FLOATS[tensor.data_type] for each in graph.output for tensor in each.tensor)
    return [*found, Operator("Return", result, result)]
