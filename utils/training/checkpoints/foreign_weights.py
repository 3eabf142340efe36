"""Reads the weights of PyTorch files (.pth, .pt) and safetensors files as NumPy arrays; never runs a file's code.

Which of the two a file is follows from its first bytes, not from its name. PyTorch files need torch, which is no
requirement of the suites; safetensors files do not.
"""

import logging
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError, deserialize

from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError, os_errors_as

if TYPE_CHECKING:
    import torch

# Names under which training frameworks keep the weights in a larger dictionary.
WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "net", "weights")
PARALLEL_PREFIX = "module."  # what torch's DataParallel puts before every name

_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
_HEADER_LENGTH_BYTES = 8  # of safetensors: a little-endian number before its header
_FOREIGN_STARTS = (
    (b"\x1f\x8b", "a gzip file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy file"),
    (b"<", "a web page"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file it stands for"),
)
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
    """

    path: Path
    arrays: dict[str, np.ndarray]
    wrapper: str = ""
    class_names: tuple[str, ...] = ()


def read_foreign_weights(path: Path) -> ForeignWeights:
    """Reads a state dict; a dictionary around it and `module.` before all names are taken off.

    Raises:
        MissingPathError: there is no such file, or it cannot be read.
        BadStateError: it is a PyTorch file and torch is not installed.
        BadValueError: it is empty, cut short, neither form, would run code when opened, or holds no finite weights.
    """
    path = Path(path)
    start = _first_bytes(path)
    class_names: tuple[str, ...] = ()
    if start.startswith((_ZIP, _PICKLE)):
        wrapper, arrays, class_names = _read_pytorch(path)
    elif start[_HEADER_LENGTH_BYTES:].startswith(b"{"):
        wrapper, arrays = "", _read_safetensors(path)
    else:
        raise BadValueError(
            f"'{path}' is {_describe_start(path, start)}: wanted a PyTorch file (.pth) or a safetensors file; choose "
            "another file"
        )
    if not arrays:
        raise BadValueError(f"'{path}' holds no weights; choose another file")
    if all(name.startswith(PARALLEL_PREFIX) for name in arrays):
        arrays = {name.removeprefix(PARALLEL_PREFIX): array for name, array in arrays.items()}
    refuse_not_finite(path, arrays)
    return ForeignWeights(path, arrays, wrapper, class_names)


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
        entries = deserialize(path.read_bytes())
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


def _read_pytorch(path: Path) -> tuple[str, dict[str, np.ndarray], tuple[str, ...]]:
    try:
        import torch
    except ImportError as error:
        raise BadStateError(
            f"'{path}' is a PyTorch file and torch is not installed; install it (pip install torch), or give the "
            "weights as a safetensors file"
        ) from error
    try:
        with warnings.catch_warnings(action="ignore"):  # of files that are refused with a sentence below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle raises anything
        raise BadValueError(_describe_load_error(path, error)) from error
    wrapper, state = _unwrapped(content)
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        raise BadValueError(
            f"'{path}' holds no state dict (names with tensors); save one with torch.save(model.state_dict(), FILE)"
        )
    others = [name for name, value in state.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise BadValueError(
            f"'{path}' holds {len(others)} entries that are no tensors, first '{others[0]}'; save the weights alone "
            "with torch.save(model.state_dict(), FILE)"
        )
    return wrapper, {name: _as_array(path, name, tensor) for name, tensor in state.items()}, stored_class_names(content)


def stored_class_names(content: object) -> tuple[str, ...]:
    """Returns the names of the classes beside the weights: `meta.dataset_meta.classes` (v3), else `meta.CLASSES` (v2).

    A text alone is the name of one class: a pair of brackets without a comma makes none a tuple. Names of another kind
    and repeated ones are no names.
    """
    meta = content.get("meta") if isinstance(content, Mapping) else None
    if not isinstance(meta, Mapping):
        return ()
    of_data = meta.get("dataset_meta")
    entries = {**meta, **(of_data if isinstance(of_data, Mapping) else {})}
    names = next((entries[key] for key in ("classes", "CLASSES") if entries.get(key)), ())
    names = (names,) if isinstance(names, str) else names
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        return ()
    return tuple(names) if len(set(names)) == len(names) else ()


def _unwrapped(content: object) -> tuple[str, object]:
    """Returns the key under which the weights lie, "" for none, and the dictionary of weights."""
    if isinstance(content, Mapping):
        for wrapper in WRAPPERS:
            if isinstance(content.get(wrapper), Mapping):
                return wrapper, content[wrapper]
    return "", content


def _as_array(path: Path, name: str, tensor: "torch.Tensor") -> np.ndarray:
    try:
        tensor = tensor.detach()
        return (tensor.float() if tensor.is_floating_point() else tensor).contiguous().numpy()
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise BadValueError(
            f"'{path}': tensor '{name}' is quantised or sparse ({tensor.dtype}), wanted plain numbers; choose the file "
            "of the plain network"
        ) from error


def _describe_load_error(path: Path, error: Exception) -> str:
    text = str(error)
    logging.getLogger(__name__).debug("torch.load: %s", text)
    named = re.search(r"GLOBAL ([\w.]+)", text)
    if named or "TorchScript" in text:
        what = f"'{named[1]}'" if named else "a TorchScript program"
        return (
            f"'{path}' names {what}, code that opening it could run (or it is damaged), so it is not opened; where you "
            "trust it, save its weights alone: torch.save(torch.load(OLD, weights_only=False)['state_dict'], NEW)"
        )
    return f"'{path}' is cut short, damaged or no PyTorch file; copy or download it again"


def refuse_not_finite(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Refuses the weights of a training that failed.

    Raises:
        BadValueError: an array has values that are not finite.
    """
    bad = [name for name, array in arrays.items() if array.dtype.kind == "f" and not np.isfinite(array).all()]
    if bad:
        raise BadValueError(
            f"'{path}' has values that are not finite in {len(bad)} of {len(arrays)} tensors, first '{bad[0]}'; the "
            "training that made it failed: choose another file"
        )
