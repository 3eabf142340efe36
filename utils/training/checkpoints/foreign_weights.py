"""Reads the weights of PyTorch files (.pth, .pt) and safetensors files as NumPy arrays; never runs a file's code.

Which of the two a file is follows from its first bytes, not from its name. Neither needs torch. A file of torch.save
that is a zip archive (since PyTorch 1.6) has checksums, which are compared; the others have none.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, deserialize

from utils.model_utils.errors import BadValueError, MissingPathError, UserError, os_errors_as
from utils.model_utils.guards.finite import refuse_not_finite
from utils.training.checkpoints.foreign_state import (
    COMPILED_MARK,
    FoundState,
    bare_names,
    find_state,
    split_averages,
    stored_class_names,
    stored_config,
)
from utils.training.checkpoints.pytorch_files.reading import NotPlainError, OtherFormError, open_pytorch_file
from utils.training.checkpoints.pytorch_files.unpickler import Inert, StoredTensor

_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
# A zip archive has a checksum for each entry; safetensors and what torch.save wrote before 2020 have none.
NO_CHECKSUMS = (
    "checksums: a file of this form has none, so that bits that changed on the way go unseen; compare it with the "
    "checksum that its publisher gives"
)
_HEADER_LENGTH_BYTES = 8  # of safetensors: a little-endian number before its header
_FOREIGN_STARTS = (
    (b"\x1f\x8b", "a gzip file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy file"),
    (b"<", "a web page"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file it stands for"),
)
_TENSOR_MAKERS = ("torch._utils._rebuild", "torch._tensor._rebuild")  # of tensors that are not plain
_SAFETENSORS_TYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": np.uint16,
    "BOOL": np.bool_,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
}


@dataclass(frozen=True)
class ForeignWeights:
    """The weights of a file.

    Attributes:
        path: the file.
        arrays: name in the file to values; numbers with a fraction as float32, whole numbers as they are.
        wrapper: key of the dictionary in which the weights lay, "" where they lay open.
        class_names: names of the classes in the order of the class outputs, as OpenMMLab's programs store them beside
            the weights; empty where the file says none.
        notes: what a report should say about them.
        program_config: the configuration of the program that made them, where OpenMMLab's stores it beside them.
    """

    path: Path
    arrays: dict[str, np.ndarray]
    wrapper: str = ""
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    program_config: Mapping[str, object] = field(default_factory=dict)


def read_foreign_weights(path: Path, *, averaged: bool = False, flag: str = "") -> ForeignWeights:
    """Reads a state dict; a dictionary around it and what stands before all names are taken off.

    Args:
        path: the file.
        averaged: take the weights that were averaged over the steps where the file has both.
        flag: the argument that asks for them, for messages; "" where there is none.

    Raises:
        MissingPathError: there is no such file, or it cannot be read.
        BadValueError: it is empty, cut short, neither form, holds no finite weights, or no averages that are asked for.
    """
    path = Path(path)
    start = _first_bytes(path)
    class_names: tuple[str, ...] = ()
    config: Mapping[str, object] = {}
    if start.startswith((_ZIP, _PICKLE)):
        found, class_names, config = _read_pytorch(path, averaged, flag)
    elif start[_HEADER_LENGTH_BYTES:].startswith(b"{"):
        found = FoundState(_read_safetensors(path))
    else:
        raise BadValueError(
            f"'{path}' is {_describe_start(path, start)}: wanted a PyTorch file (.pth) or a safetensors file; choose "
            "another file"
        )
    if not found.state:
        raise BadValueError(f"'{path}' holds no weights; choose another file")
    bare = bare_names(found.state)
    if len(bare) < len(found.state):
        raise BadValueError(
            f"'{path}' has the weights of two networks, {len(found.state) - len(bare)} of whose names differ by "
            f"'{COMPILED_MARK}' alone; save one of them"
        )
    found = split_averages(replace(found, state=bare), averaged, flag, path)
    arrays = dict(found.state)
    refuse_not_finite(path, arrays, "download or copy it again, or choose another file")
    notes = found.notes if start.startswith(_ZIP) else (*found.notes, NO_CHECKSUMS)
    return ForeignWeights(path, arrays, found.wrapper, class_names, notes, config)


def _first_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise MissingPathError(f"weights '{path}' is a folder; give the file itself")
    if not path.exists():
        raise MissingPathError(f"weights '{path}' does not exist; check the path")
    with (
        os_errors_as(MissingPathError, f"weights '{path}' cannot be read", "; check its permissions"),
        path.open("rb") as file,
    ):
        start = file.read(32)
    if not start:
        raise BadValueError(f"weights '{path}' is empty; copy or download it again")
    return start


def _describe_start(path: Path, start: bytes) -> str:
    if path.suffix == ".ckpt":
        return "no file of PyTorch, perhaps a MindSpore checkpoint, which needs no conversion"
    return next((kind for mark, kind in _FOREIGN_STARTS if start.startswith(mark)), "no file of weights")


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        entries = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]  # it is a compiled function
    except SafetensorError as error:
        raise BadValueError(f"'{path}' is cut short or damaged ({error}); copy or download it again") from error
    unknown = {entry["dtype"] for _, entry in entries} - set(_SAFETENSORS_TYPES)
    if unknown:
        raise BadValueError(
            f"'{path}' has weights of type {', '.join(sorted(unknown))}, wanted float32, float16 or bfloat16; choose a "
            "file that is not quantised"
        )
    return {name: _decoded(entry["data"], entry["dtype"], entry["shape"]) for name, entry in entries}


def _decoded(data: bytes, type_name: str, shape: list[int]) -> np.ndarray:
    values = np.frombuffer(data, _SAFETENSORS_TYPES[type_name]).reshape(shape)
    if type_name == "BF16":  # the upper half of a float32
        return (values.astype(np.uint32) << 16).view(np.float32).reshape(shape)
    return values.astype(np.float32) if values.dtype.kind == "f" else values


def _read_pytorch(path: Path, averaged: bool, flag: str) -> tuple[FoundState, tuple[str, ...], Mapping[str, object]]:
    """Returns the weights as arrays, the names of the classes and the configuration of the program."""
    try:
        with open_pytorch_file(path) as file:
            found = find_state(file.content, averaged, flag)
            weights = _weights_of(path, file.content, found)
            arrays = file.arrays(dict(weights.state))
            return replace(weights, state=arrays), stored_class_names(file.content), stored_config(file.content)
    except UserError:
        raise
    except OtherFormError as error:
        raise BadValueError(
            f"'{path}' is {error}, wanted weights, as torch.save(model.state_dict(), FILE) writes them; choose another "
            "file"
        ) from error
    except NotPlainError as error:
        raise BadValueError(f"'{path}': {error}, wanted plain numbers; choose the file of the plain network") from error
    except Exception as error:  # a damaged pickle raises anything
        logging.getLogger(__name__).debug("%s: %r", path, error)
        raise BadValueError(f"'{path}' is cut short, damaged or no PyTorch file; copy or download it again") from error


def _weights_of(path: Path, content: object, found: FoundState | None) -> FoundState:
    """Returns what was found; refuses what is no dictionary of tensors; nothing of it was run, and nothing is."""
    save = "torch.save(model.state_dict(), FILE)"
    if found is None:
        what = f"a '{content.name}', which is not opened as it is code, and " if isinstance(content, Inert) else ""
        raise BadValueError(f"'{path}' holds {what}no state dict (names with tensors); save one with {save}")
    others = [name for name, value in found.state.items() if not isinstance(value, StoredTensor)]
    if not others:
        return found
    first = found.state[others[0]]
    kind = first.name if isinstance(first, Inert) else type(first).__name__
    if kind.startswith(_TENSOR_MAKERS):
        raise BadValueError(
            f"'{path}': tensor '{others[0]}' is quantised, sparse or of another kind ({kind}), wanted plain numbers; "
            "choose the file of the plain network"
        )
    raise BadValueError(
        f"'{path}' holds {len(others)} entries that are no tensors, first '{others[0]}' ({kind}); save the weights "
        f"alone with {save}"
    )
