"""Reads and writes MindSpore .ckpt files (protobuf) as NumPy arrays; never opens a pickle.

Written by hand rather than with `mindspore.save_checkpoint`, which removes the old file before it renames the new one,
does not force it to the disk, leaves it unwritable, and logs lines of its own for each of a user's mistakes. The format
is MindSpore's: `mindspore.load_checkpoint` reads these files and this module reads MindSpore's.
"""

import functools
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError, os_errors_as, short
from utils.model_utils.files import replaced_file

if TYPE_CHECKING:
    from google.protobuf.message import Message

STATE_NAME = "training_state"  # the entry that only this engine writes
STATE_PREFIX = "optimizer"  # first part of the names of what an optimizer keeps
EMA_PREFIX = "ema"  # first part of the names of averaged weights
_CHUNK_BYTES = 512 * 1024 * 1024  # MindSpore cuts larger tensors too
_MAX_FILE_BYTES = 2 * 1024**3 - 1  # protobuf's limit
_TRAILER_NAME = b"crc_num"
_CHECKSUM_BYTES = 10  # big-endian, as MindSpore writes it after the name
_TRAILER_BYTES = len(_TRAILER_NAME) + _CHECKSUM_BYTES
MOST_NAME_LETTERS = 255  # of a parameter, as sentences show them; the longest of published networks have half of that
MOST_AXES = 32  # of an array of NumPy 1, and far above any parameter
_TYPES = {
    "Float32": np.float32,
    "Float16": np.float16,
    "Float64": np.float64,
    "Bool": np.bool_,
    "Int8": np.int8,
    "Int16": np.int16,
    "Int32": np.int32,
    "Int64": np.int64,
    "UInt8": np.uint8,
    "UInt16": np.uint16,
    "UInt32": np.uint32,
    "UInt64": np.uint64,
}
_NAMES = {np.dtype(kind): name for name, kind in _TYPES.items()}
_EXPORTED = (".mindir", ".onnx", ".air")  # endings
_FOREIGN_STARTS = (
    (b"\x80", "a Python pickle"),
    (b"PK\x03\x04", "a PyTorch or zip file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy file"),
)


def write_checkpoint_file(path: Path, arrays: Mapping[str, np.ndarray], go_on: str = "") -> None:
    """Writes arrays to a temporary file beside `path`, forces it to the disk and renames it.

    Args:
        path: the checkpoint file; an existing one is replaced only when the new one is complete.
        arrays: parameter name to array, of the types that MindSpore stores.
        go_on: what to do once there is room, as the end of the sentence that says that it cannot be written.

    Raises:
        BadStateError: if the file cannot be written, e.g. because the disk is full; the file that was there stays.
    """
    advice = f"; free some space or make its folder writable{go_on}"
    with (
        os_errors_as(BadStateError, f"checkpoint '{path}' cannot be written", advice),
        replaced_file(path, is_forced=True) as file,
    ):
        checksum = 0
        for block in _encoded(arrays):
            file.write(block)
            checksum = zlib.crc32(block, checksum)
        file.write(_TRAILER_NAME + checksum.to_bytes(_CHECKSUM_BYTES, "big"))


def read_checkpoint_file(path: Path) -> dict[str, np.ndarray]:
    """Reads all arrays of a checkpoint file; of text entries, which MindSpore allows, none.

    Raises:
        MissingPathError: if there is no such file.
        BadValueError: if it is empty, cut short, damaged or no checkpoint.
    """
    content, has_checksum = _checked_content(path)
    pieces: dict[str, list[bytes]] = {}
    headers: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name, type_name, dims, data in _entries(path, content):
        if len(name) > MOST_NAME_LETTERS:
            raise BadValueError(
                f"'{path}' is damaged: a parameter, {short(name)}, has a name of {len(name)} letters; copy it again or "
                "choose another file"
            )
        pieces.setdefault(name, []).append(data)
        headers[name] = (type_name, dims)
    if not has_checksum and STATE_NAME in headers:
        raise BadValueError(f"'{path}' is cut short: its checksum is missing; copy it again or choose another file")
    arrays = {
        name: _decoded(path, name, *headers[name], b"".join(parts))
        for name, parts in pieces.items()
        if headers[name][0] in _TYPES
    }
    if not arrays:
        raise BadValueError(f"'{path}' holds no parameters, so it is no MindSpore checkpoint; choose another file")
    return arrays


@functools.cache
def _message_class() -> Callable[[], "Message"]:
    """Returns MindSpore's class of the message, whose protobuf needs MindSpore's libraries."""
    import mindspore  # noqa: F401
    from mindspore.train.checkpoint_pb2 import Checkpoint

    return Checkpoint


def _entries(path: Path, content: bytes) -> list[tuple[str, str, tuple[int, ...], bytes]]:
    """Returns name, type, shape and bytes of each entry of a protobuf message."""
    from google.protobuf.message import DecodeError  # which a run of an exported file alone does without

    message = _message_class()()
    try:
        message.ParseFromString(content)
        return [
            (value.tag, value.tensor.tensor_type, tuple(value.tensor.dims), value.tensor.tensor_content)
            for value in message.value
        ]
    except (DecodeError, UnicodeDecodeError) as error:  # a name that is no UTF-8 is noticed when it is asked for
        if path.suffix.lower() in _EXPORTED:
            raise BadValueError(
                f"'{path}' is an exported model, wanted a checkpoint (.ckpt): give the one that it was made of; "
                "run_infer_310.sh of the suite, and load of the Python API, run a MindIR"
            ) from error
        raise BadValueError(
            f"'{path}' is no MindSpore checkpoint, cut short or damaged ({len(content)} bytes); copy it again or "
            "choose another file"
        ) from error


def _encoded(arrays: Mapping[str, np.ndarray]) -> Iterator[bytes]:
    for name, array in arrays.items():
        data = np.ascontiguousarray(array).tobytes()
        for start in range(0, max(len(data), 1), _CHUNK_BYTES):
            message = _message_class()()
            value = message.value.add()
            value.tag = name
            value.tensor.dims.extend(array.shape)
            value.tensor.tensor_type = _NAMES[array.dtype]
            value.tensor.tensor_content = data[start : start + _CHUNK_BYTES]
            yield message.SerializeToString()


def _decoded(path: Path, name: str, type_name: str, dims: tuple[int, ...], data: bytes) -> np.ndarray:
    count, rest = divmod(len(data), np.dtype(_TYPES[type_name]).itemsize)
    shape = () if dims == (0,) and count == 1 else dims  # MindSpore writes a scalar as [0] in places
    if rest or len(shape) > MOST_AXES or any(length < 0 for length in shape) or count != math.prod(shape):
        raise BadValueError(
            f"'{path}' is damaged: parameter {short(name)} has {count} values{' and a part of one' * bool(rest)} for "
            f"shape {short(shape)}; copy the file again or choose another"
        )
    return np.frombuffer(data, _TYPES[type_name]).reshape(shape)


def _checked_content(path: Path) -> tuple[bytes, bool]:
    """Returns the protobuf part of a file, and whether a checksum (which fits) came with it."""
    if path.is_dir():
        raise MissingPathError(f"checkpoint '{path}' is a folder; give the .ckpt file itself")
    if not path.exists():
        raise MissingPathError(f"checkpoint '{path}' does not exist; check the path")
    with os_errors_as(MissingPathError, f"checkpoint '{path}' cannot be read", "; check its permissions"):
        size = path.stat().st_size
        if size > _MAX_FILE_BYTES:
            raise BadValueError(f"'{path}' has {size} bytes, more than a MindSpore checkpoint can have (2 GiB)")
        with path.open("rb") as file:
            start = file.read(16)
            _refuse_foreign(path, start)
            content = start + file.read()
    return _without_trailer(path, content)


def _refuse_foreign(path: Path, start: bytes) -> None:
    if not start:
        raise BadValueError(f"checkpoint '{path}' is empty; copy it again or choose another file")
    for mark, kind in _FOREIGN_STARTS:
        if start.startswith(mark):
            raise BadValueError(
                f"'{path}' is {kind}, no MindSpore checkpoint, and is not opened (a pickle could run code); convert it "
                "to a .ckpt file first"
            )


def _without_trailer(path: Path, content: bytes) -> tuple[bytes, bool]:
    if content[-_TRAILER_BYTES:-_CHECKSUM_BYTES] != _TRAILER_NAME:
        return content, False
    checksum = int.from_bytes(content[-_CHECKSUM_BYTES:], "big")
    content = content[:-_TRAILER_BYTES]
    if zlib.crc32(content) != checksum:
        raise BadValueError(f"'{path}' is damaged: its checksum does not fit; copy it again or choose another file")
    return content, True
