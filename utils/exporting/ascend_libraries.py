"""What the libraries for Ascend inside the installed mindspore wheel name, read as files: no device is needed."""

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

# The library of kernels, one operator at a time; and what turns whole graphs into those of CANN, operator by operator.
KERNELS = Path("lib/plugin/libmindspore_ops_ascend.so")
ADAPTERS = Path("lib/plugin/ascend/libmindspore_graph_ir.so")
# Names of CANN where they are not MindSpore's.
NAMES_OF_CANN = {"ReLU": "Relu", "ReLU6": "Relu6", "Concat": "Cat", "BatchMatMul": "Matmul", "AvgPool": "AvgPool2d"}

_TEXT = re.compile(rb"[A-Za-z_][A-Za-z0-9_.]{2,200}")
# kPrimConv2D, a class Conv2DAscend, CANN's function aclnnAdd, its operator ge::op::Add, a source file
_NAMING = (
    re.compile(r"kPrim([A-Z]\w*?)E?$"),
    re.compile(r"(?<=\d)([A-Z]\w*?)(?:Ascend|KernelMod)E?$"),
    re.compile(r"^aclnn([A-Z]\w*?)(?:GetWorkspaceSize)?$"),
    re.compile(r"2ge2op\d+([A-Z]\w*?)E"),
    re.compile(r"^([a-z]\w*)_aclnn_kernel\.(?:cc|h)$"),
    re.compile(r"^([A-Z]\w*)$"),
)


@dataclass(frozen=True)
class AscendNames:
    """Operators that are named.

    Attributes:
        kernels: in the library of kernels.
        adapters: in the library of graph adapters.
    """

    kernels: frozenset[str]
    adapters: frozenset[str]

    def has_kernel(self, primitive: str) -> bool:
        """Whether the library of kernels names an operator."""
        return _is_in(primitive, self.kernels)

    def has_adapter(self, primitive: str) -> bool:
        """Whether the library of adapters does."""
        return _is_in(primitive, self.adapters)


def read_ascend_names() -> AscendNames | None:
    """Returns what the wheel's libraries name; None where the installed mindspore has none."""
    spec = find_spec("mindspore")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    if not (root / KERNELS).is_file() or not (root / ADAPTERS).is_file():
        return None
    return AscendNames(_names_in(root / KERNELS), _names_in(root / ADAPTERS))


def _names_in(library: Path) -> frozenset[str]:
    texts = {text.decode() for text in _TEXT.findall(library.read_bytes())}
    return frozenset(_plain(match[1]) for text in texts for rule in _NAMING if (match := rule.search(text)))


def _is_in(primitive: str, names: frozenset[str]) -> bool:
    own = (primitive, NAMES_OF_CANN.get(primitive, primitive))
    return any(_plain(f"{name}{version}") in names for name in own for version in ("", "V2", "D"))


def _plain(name: str) -> str:
    return name.lower().replace("_", "")
