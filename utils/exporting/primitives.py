"""The operators that a graph consists of: MindSpore's primitives, by name and number."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import mindspore as ms
from google.protobuf.message import DecodeError
from mindspore import Tensor, nn

from utils.exporting.files import ENDINGS
from utils.model_utils.errors import BadValueError

# What holds a graph together; a device does not compute it.
STRUCTURE = frozenset(
    {
        "Constant",
        "Depend",
        "Load",
        "MakeTuple",
        "PyExecute",
        "Return",
        "TupleGetItem",
        "UpdateState",
        "call",
        "make_tuple",
        "tuple_getitem",
    }
)
_REFERENCE = "REF::"  # begins the type of a node whose primitive stands in a table of its own


def primitives_of(file: Path) -> Counter[str]:
    """Returns how often a MindIR has each primitive, those of `STRUCTURE` left out.

    Raises:
        BadValueError: it is no MindIR.
    """
    import mindspore.train.mind_ir_pb2 as mind_ir

    model = mind_ir.ModelProto()
    try:
        model.ParseFromString(file.read_bytes())
    except (DecodeError, OSError) as error:
        raise BadValueError(f"'{file}' cannot be read as a MindIR ({error}): export the model again") from error
    types = {primitive.name: primitive.op_type for primitive in model.primitives}
    nodes = [node for graph in (model.graph, *model.functions) for node in graph.node]
    names = [types.get(node.op_type.removeprefix(_REFERENCE), node.op_type) for node in nodes]
    return Counter(name for name in names if name not in STRUCTURE)


def primitives_of_network(network: nn.Cell, inputs: Sequence[Tensor]) -> Counter[str]:
    """Returns how often the compiled graph of a network has each primitive."""
    with TemporaryDirectory(prefix="primitives-") as name:
        file = Path(name, "graph")
        ms.export(network, *inputs, file_name=str(file), file_format="MINDIR")
        return primitives_of(file.with_suffix(ENDINGS["MINDIR"]))
