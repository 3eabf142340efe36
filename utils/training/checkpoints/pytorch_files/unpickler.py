"""Reads the pickle of a PyTorch file; whatever it names stands for nothing, and nothing that it names is imported.

A pickle is a program: its opcodes name functions and call them. Here a name gives one of three things: a dictionary for
`collections.OrderedDict`, a record of where a tensor's numbers lie for PyTorch's storages and tensors, and for every
other name a class of its own whose objects take whatever the pickle does to them and do nothing.
"""

import io
import pickle
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, BinaryIO

MOST_MEMOS_PER_OPCODE = 2  # a pickler numbers what it remembers from 0 on, at most one at an opcode
MOST_HASHED_PER_OPCODE = 1000  # parts of keys; a pickler writes a part once, and shares a few shapes and names
_FILLS_DICTIONARY = ("SETITEM", "SETITEMS", "DICT")
_FILLS_SET = ("ADDITEMS", "FROZENSET")
_FILLS_LIST = ("APPEND", "APPENDS", "LIST")
_PLAIN = (0, 1)  # depth and size of what is no tuple
MOST_TUPLES_WITHIN_TUPLES = 200  # Python's hash of a tuple calls itself; 50000 levels are beyond a stack of 8 MB
# Bytes of a value in a storage, by the name of its class in `torch`.
ITEM_BYTES = MappingProxyType(
    {
        "DoubleStorage": 8,
        "FloatStorage": 4,
        "HalfStorage": 2,
        "BFloat16Storage": 2,
        "LongStorage": 8,
        "IntStorage": 4,
        "ShortStorage": 2,
        "CharStorage": 1,
        "ByteStorage": 1,
        "BoolStorage": 1,
        "ComplexDoubleStorage": 16,
        "ComplexFloatStorage": 8,
        "QUInt8Storage": 1,
        "QInt8Storage": 1,
        "QInt32Storage": 4,
        "QUInt4x2Storage": 1,
        "QUInt2x4Storage": 1,
        "UntypedStorage": 1,
    }
)


class DamagedPickleError(ValueError):
    """What no pickler writes."""


@dataclass(frozen=True)
class StorageType:
    """The kind of numbers of a storage; `name` is one of `ITEM_BYTES`."""

    name: str


@dataclass(frozen=True)
class Storage:
    """Where the numbers of tensors lie: the file's name for the place, their kind, how many the pickle says."""

    key: str
    kind: StorageType
    count: int


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """A view of a storage as the pickle says it, unchecked; steps and offset count values.

    Attributes:
        storage: a `Storage` in a sound file, as the other values are whole numbers there.
        offset: of its first value.
        shape: its lengths.
        steps: from one value to the next along each side.
        is_plain: its numbers are what the storage has, not their negative or conjugate.
    """

    storage: Any
    offset: Any
    shape: Any
    steps: Any
    is_plain: bool = True


class Inert:
    """Stands for an object of a class, or the result of a function, that a pickle names; see `name`."""

    name = ""

    def __init__(self, *arguments: object, **named: object) -> None:
        del arguments, named

    def __new__(cls, *arguments: object, **named: object) -> "Inert":
        """Takes the arguments that the pickle's class would get."""
        del arguments, named
        return super().__new__(cls)

    def __call__(self, *arguments: object, **named: object) -> "Inert":
        """Stands for a function that a function made."""
        del arguments, named
        return self

    def __setstate__(self, state: object) -> None:
        """Leaves the state."""

    def __setitem__(self, key: object, value: object) -> None:
        """Leaves an entry, of what is a dictionary's subclass."""

    def append(self, value: object) -> None:
        """Leaves a value, of what is a list's subclass."""

    def extend(self, values: object) -> None:
        """Leaves values, likewise."""

    def add(self, value: object) -> None:
        """Leaves a value, of what is a set's subclass."""


class _Dictionary(dict):
    """Stands for `OrderedDict`, without the attributes that PyTorch hangs on it."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        """Leaves the attributes."""


def _tensor(storage: object, offset: object, shape: object, steps: object, *rest: object) -> StoredTensor:
    """Stands for `torch._utils._rebuild_tensor_v2`: requires_grad, hooks and, where it is not plain, how follow."""
    return StoredTensor(storage, offset, shape, steps, is_plain=not any(rest[2:]))


def _parameter(data: object, *rest: object) -> object:
    """Stands for `torch._utils._rebuild_parameter`."""
    del rest
    return data


_KNOWN: Mapping[tuple[str, str], Callable[..., object]] = MappingProxyType(
    {
        ("collections", "OrderedDict"): _Dictionary,
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        ("torch._utils", "_rebuild_parameter"): _parameter,
        ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    }
)


class _Unpickler(pickle.Unpickler):
    """Gives inert things for names, and records the storages that the pickle refers to."""

    def __init__(self, content: bytes) -> None:
        # Python 2 wrote texts as bytes of any code; PyTorch reads them as UTF-8.
        super().__init__(io.BytesIO(content), encoding="utf-8", errors="surrogateescape")
        self.storages: dict[str, Storage] = {}
        self._inert: dict[str, type[Inert]] = {}

    def find_class(self, module: str, name: str) -> object:
        """Returns what stands for a name; never imports."""
        if module in ("torch", "torch.storage") and name in ITEM_BYTES:
            return StorageType(name)
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        full = f"{module}.{name}"
        if full not in self._inert:
            self._inert[full] = type("Inert", (Inert,), {"name": full})
        return self._inert[full]

    def persistent_load(self, pid: object) -> object:
        """Returns the storage that a persistent id describes.

        It is ("storage", kind, key, device, count), in older files and a view of another storage, which PyTorch before
        0.4 wrote; a file of a whole network also has ("module", class, source file, source).
        """
        if not isinstance(pid, tuple) or not pid:
            raise DamagedPickleError("a persistent id that PyTorch does not write")
        if pid[0] == "module":
            return pid[1]
        kind, key, _, count = pid[1:5]
        is_plain = isinstance(key, str | int) and isinstance(count, int)  # the text of others may have no end
        if pid[0] != "storage" or not isinstance(kind, StorageType) or not is_plain or any(pid[5:]):
            raise DamagedPickleError("a storage that PyTorch does not write")
        return self.storages.setdefault(str(key), Storage(str(key), kind, count))


def read_pickle(content: bytes) -> tuple[Any, dict[str, Storage]]:
    """Returns what a pickle is of, and the storages that it refers to, by key.

    Raises:
        Exception: of any kind where it is damaged; `DamagedPickleError` for what no pickler writes.
    """
    _check_opcodes(content)
    unpickler = _Unpickler(content)
    return unpickler.load(), unpickler.storages


def next_pickle(file: BinaryIO) -> bytes:
    """Returns the pickle that begins where a file stands, and leaves the file behind it.

    Raises:
        Exception: of any kind where it is cut short or damaged.
    """
    start = file.tell()
    for _ in pickletools.genops(file):
        pass
    end = file.tell()
    file.seek(start)
    return file.read(end - start)


def _check_opcodes(content: bytes) -> None:
    """Refuses what would take objects of other pickles, or memory that the file does not hold.

    An extension code stands for a name that a program has registered; a memo number is the length of a table.
    """
    memos: list[int] = []
    count = 0
    nesting = _Nesting()
    for opcode, argument, _ in pickletools.genops(content):
        count += 1
        nesting.follow(opcode, argument)
        if opcode.name.startswith("EXT"):
            raise DamagedPickleError("an extension code")
        if opcode.name.endswith("PUT"):
            memos.append(int(argument or 0))
        elif opcode.name == "BYTEARRAY8":
            raise DamagedPickleError("a bytearray, of which pickle takes the length on trust")
    if memos and max(memos) > MOST_MEMOS_PER_OPCODE * count:
        raise DamagedPickleError("a memo number beyond the opcodes")


class _Nesting:
    """Follows how deep and how large tuples within tuples are, without making any.

    A tuple that is a key of a dictionary is hashed: too deep a one ends the process, and one whose parts are shared
    many times over takes for ever. Other things are taken to be as deep and as large as what went into them.
    """

    def __init__(self) -> None:
        self._stack: list[tuple[int, int] | None] = []  # depths and sizes; None is a mark
        self._memo: dict[int, tuple[int, int]] = {}
        self._count = self._hashed = 0

    def follow(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:  # noqa: ANN401  # as pickletools has it
        """Takes the next opcode.

        Raises:
            DamagedPickleError: a tuple is deeper, or keys are larger, than any that is saved.
        """
        name = opcode.name
        self._count += 1
        if name.endswith("PUT"):
            self._memo[int(argument)] = self._stack[-1] or _PLAIN
            return
        if name == "MARK":
            self._stack.append(None)
            return
        if name in ("GET", "BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[int(argument)])
            return
        taken = self._take(opcode)
        depth = max((depth for depth, _ in taken), default=0)
        size = max((size for _, size in taken), default=1)
        if name.startswith("TUPLE"):
            depth, size = depth + 1, 1 + sum(size for _, size in taken)
        elif name in (*_FILLS_DICTIONARY, *_FILLS_SET, *_FILLS_LIST):
            size = 1  # a hash does not go into them
        if name in (*_FILLS_DICTIONARY, *_FILLS_SET):
            keys = taken[1::2] if name in _FILLS_DICTIONARY else taken  # from the end: value, key, value, ...
            self._hashed += sum(size for _, size in keys)
        if depth > MOST_TUPLES_WITHIN_TUPLES:
            raise DamagedPickleError("tuples within tuples, deeper than any that is saved")
        if self._hashed > MOST_HASHED_PER_OPCODE * self._count:
            raise DamagedPickleError("keys with more parts than the file has")
        self._stack += [(depth, size)] * len(opcode.stack_after)
        if name == "MEMOIZE":
            self._memo[len(self._memo)] = depth, size

    def _take(self, opcode: pickletools.OpcodeInfo) -> list[tuple[int, int]]:
        """Takes from the stack what an opcode takes, and returns the depths and sizes."""
        before, taken = opcode.stack_before, []
        if pickletools.markobject in before:
            while (item := self._stack.pop()) is not None:
                taken.append(item)
            before = before[: before.index(pickletools.markobject)]
        return taken + [self._stack.pop() or _PLAIN for _ in before]
