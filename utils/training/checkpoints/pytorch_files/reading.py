"""Opens a file of torch.save: a zip archive (since PyTorch 1.6) or, before, pickles followed by storages."""

import contextlib
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from utils.model_utils.errors import short
from utils.training.checkpoints.pytorch_files.unpickler import (
    ITEM_BYTES,
    DamagedPickleError,
    Storage,
    StoredTensor,
    next_pickle,
    read_pickle,
)

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C  # the first pickle of the older form
PROTOCOL_VERSION = 1001  # the second
# A file has its values in one to eight bytes each, and shares them between a few tensors at most.
MOST_VALUES_PER_BYTE = 8
BIG_ENDIAN = "a file of a big-endian machine"
_PLAIN = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": np.uint16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}


class OtherFormError(ValueError):
    """A sound file of a kind that is not read; the text says which, as in "a TorchScript program"."""


class NotPlainError(ValueError):
    """A tensor of numbers that have no plain form; the text says which."""


@dataclass(frozen=True)
class PytorchFile:
    """What a file holds.

    Attributes:
        content: what was saved, `StoredTensor` for tensors and `Inert` for all objects but Python's own.
        size: of the file in bytes.
        read_storage: returns the bytes of a storage; raises where it is missing or damaged.
    """

    content: object
    size: int
    read_storage: Callable[[Storage], bytes]

    def arrays(self, tensors: dict[str, StoredTensor]) -> dict[str, np.ndarray]:
        """Returns the values of tensors by name: numbers with a fraction as float32, others as they are.

        Raises:
            NotPlainError: a tensor is complex, quantised or a conjugate.
            Exception: of any kind where the file is damaged: `DamagedPickleError` where tensors lie outside the file.
        """
        storages: dict[Storage, np.ndarray] = {}
        arrays, total = {}, 0
        for name, tensor in tensors.items():
            _check_plain(name, tensor)
            storage = tensor.storage
            if storage not in storages:
                storages[storage] = self._values(storage)
            total += _check_view(tensor, storages[storage].size)
            if total > MOST_VALUES_PER_BYTE * self.size:
                raise DamagedPickleError(f"tensors of more than {total} values in {self.size} bytes")
            arrays[name] = _as_numbers(_view(tensor, storages[storage]), tensor.storage.kind.name)
        return arrays

    def _values(self, storage: Storage) -> np.ndarray:
        data, kind = self.read_storage(storage), np.dtype(_PLAIN[storage.kind.name])
        if storage.count < 0 or storage.count * kind.itemsize > len(data):
            raise DamagedPickleError(f"storage {storage.key} has {len(data)} bytes for {storage.count} values")
        return np.frombuffer(data, kind, count=storage.count)


@contextlib.contextmanager
def open_pytorch_file(path: Path) -> Iterator[PytorchFile]:
    """Reads all of a file but its numbers, which can be read as long as it is open.

    Raises:
        OtherFormError: it is sound and of a kind that is not read.
        Exception: of any kind where it is damaged.
    """
    with path.open("rb") as file:
        is_zip = file.read(2) == b"PK"
        file.seek(0)
        if not is_zip:
            yield _open_pickles(file, path.stat().st_size)
            return
        with zipfile.ZipFile(file) as archive:
            yield _open_zip(archive, path.stat().st_size)


def _open_zip(archive: zipfile.ZipFile, size: int) -> PytorchFile:
    entries = {entry.filename: entry for entry in archive.infolist()}
    folder = next((name.split("/")[0] for name in entries), "")
    if f"{folder}/data.pkl" not in entries:
        raise OtherFormError("a zip archive of another program")
    if f"{folder}/constants.pkl" in entries:
        raise OtherFormError("a TorchScript program")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
        raise OtherFormError("a PyTorch file that was compressed again")
    if sum(entry.file_size for entry in entries.values()) > size:
        raise DamagedPickleError("entries that are larger than the file")

    def read(name: str) -> bytes:
        entry = entries[f"{folder}/{name}"]
        if entry.CRC == 0:  # PyTorch writes 0 where `set_crc32_options(False)` has turned checksums off
            entry.CRC = None  # type: ignore[assignment]  # zipfile compares nothing then
        return archive.read(entry)

    if f"{folder}/byteorder" in entries and read("byteorder") != b"little":
        raise OtherFormError(BIG_ENDIAN)
    content, _ = read_pickle(read("data.pkl"))
    return PytorchFile(content, size, lambda storage: read(f"data/{storage.key}"))


def _open_pickles(file: BinaryIO, size: int) -> PytorchFile:
    if read_pickle(next_pickle(file))[0] != MAGIC_NUMBER:
        raise OtherFormError("a Python pickle, which torch.save has not written")
    if read_pickle(next_pickle(file))[0] != PROTOCOL_VERSION:
        raise DamagedPickleError("another version of the older form")
    system = read_pickle(next_pickle(file))[0]
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise OtherFormError(BIG_ENDIAN)
    content, storages = read_pickle(next_pickle(file))
    places = _find_storages(file, storages, size)

    def read_storage(storage: Storage) -> bytes:
        start, length = places[storage.key]
        file.seek(start)
        return file.read(length)

    return PytorchFile(content, size, read_storage)


def _find_storages(file: BinaryIO, storages: dict[str, Storage], size: int) -> dict[str, tuple[int, int]]:
    """Returns start and length in bytes of each storage by key: a pickled list of keys, then a count and the values."""
    keys = read_pickle(next_pickle(file))[0]
    is_plain = isinstance(keys, list) and all(isinstance(key, str | int) for key in keys)
    if not is_plain or set(map(str, keys)) != set(storages):
        raise DamagedPickleError("a list of storages that is not that of its tensors")
    places = {}
    for key in (str(key) for key in keys):
        (count,) = struct.unpack("<q", file.read(8))
        length = count * ITEM_BYTES[storages[key].kind.name]
        places[key] = (file.tell(), length)
        if not 0 <= length <= size - file.tell():
            raise DamagedPickleError(f"storage {key} is longer than the file")
        file.seek(length, 1)
    return places


def _check_plain(name: str, tensor: StoredTensor) -> None:
    if not isinstance(tensor.storage, Storage):
        raise DamagedPickleError(f"tensor {name} is of no storage")
    if tensor.storage.kind.name not in _PLAIN or not tensor.is_plain:
        raise NotPlainError(f"tensor {short(name)} is complex or quantised ({tensor.storage.kind.name})")


def _check_view(tensor: StoredTensor, available: int) -> int:
    """Returns the number of values of a tensor.

    Raises:
        DamagedPickleError: they do not lie inside the storage.
    """
    offset, shape, steps = tensor.offset, tensor.shape, tensor.steps
    if not (isinstance(shape, tuple) and isinstance(steps, tuple) and len(shape) == len(steps)):
        raise DamagedPickleError("a tensor with another number of steps than of lengths")
    if any(type(number) is not int or number < 0 for number in (offset, *shape, *steps)):
        raise DamagedPickleError("a tensor whose offset, lengths or steps are no whole numbers from 0 on")
    if 0 in shape:
        return 0
    last = offset + sum((length - 1) * step for length, step in zip(shape, steps, strict=True))
    if last >= available:
        raise DamagedPickleError(f"a tensor up to value {last} of a storage of {available}")
    count = 1
    for length in shape:  # Python's own numbers do not run over
        count *= length
    return count


def _view(tensor: StoredTensor, values: np.ndarray) -> np.ndarray:
    if 0 in tensor.shape:
        return np.empty(tensor.shape, values.dtype)
    steps = [step * values.itemsize for step in tensor.steps]
    return np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, steps, writeable=False)


def _as_numbers(values: np.ndarray, kind: str) -> np.ndarray:
    """Returns a bfloat16, the upper half of a float32, and all others with a fraction as float32."""
    if kind == "BFloat16Storage":
        return np.asarray(np.left_shift(values, 16, dtype=np.uint32)).view(np.float32)
    if values.dtype.kind != "f":
        return np.ascontiguousarray(values).reshape(values.shape)
    with np.errstate(over="ignore"):  # what is too large for float32 is infinite, and refused as such
        return np.ascontiguousarray(values, np.float32).reshape(values.shape)
