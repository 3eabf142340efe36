"""Calls of every C entry point with values that reach its branches, and what a library returns for them.

A library may be one of another processor: a program, call_kernels.c, makes the calls, where needed in an emulator.
"""

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.cpu_kernels.library import SOURCES
from utils.cpu_kernels.tests.signatures import KERNELS, SIZES, Argument, num_outputs, right_arguments

PROGRAM = Path(__file__).with_name("call_kernels.c")
RUN_SECONDS = 300
# Sizes below and above those of vectors, tiles and blocks: a stride of 2; 3x3 kernels on an image that is large enough
# for Winograd's way; a depth above DEPTH_BLOCK; one that is interpolated by 4, which no convolution takes.
ODD = {"C": 37, "H": 23, "W": 24, "h": 23, "w": 24, "O": 33, "L": 37, "S": 70, "d": 19, "K": 150, "R": 9, "b": 7}
DEEP = {"N": 1, "C": 300, "H": 9, "W": 13, "h": 5, "w": 7, "O": 20, "k": 1, "L": 70, "S": 300, "d": 32, "K": 33}
ENLARGED = {"N": 3, "C": 19, "H": 24, "W": 20, "h": 6, "w": 5, "L": 16, "S": 16, "d": 16, "K": 16, "R": 40}
ALL_SIZES = (SIZES, *(SIZES | sizes for sizes in (ODD, DEEP, ENLARGED)))
# Axes that "..." stands for, more than a task has: of what is worked on element by element, and row by row.
ELEMENTS, ROWS = (41, 401), (17, 33)


@dataclass(frozen=True)
class Call:
    """One call of a kernel: its name, and the values of its arguments, inputs and outputs."""

    kernel: str
    values: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Answer:
    """What a kernel has returned, and its arguments after the call."""

    code: int
    values: tuple[np.ndarray, ...]


def all_calls() -> list[Call]:
    """Returns several calls of each kernel; a convolution refuses one of them."""
    return [_call(name, sizes, seed) for name in KERNELS for seed, sizes in enumerate(ALL_SIZES)]


def _call(kernel: str, sizes: Mapping[str, int], seed: int) -> Call:
    signature = KERNELS[kernel]
    leading = ROWS if "[..., " in signature else ELEMENTS
    arguments = right_arguments(signature, sizes, leading=leading)
    generator = np.random.default_rng([seed, *kernel.encode()])
    num_inputs = len(arguments) - num_outputs(signature)
    values = [_value(kernel, item, sizes, generator) for item in arguments[:num_inputs]]
    values += [np.ones(item.shape, item.type) for item in arguments[num_inputs:]]
    return Call(kernel, tuple(values))


def _value(kernel: str, item: Argument, sizes: Mapping[str, int], generator: np.random.Generator) -> np.ndarray:
    for (beginning, name), fixed in SETTINGS.items():
        if kernel.startswith(beginning) and item.name == name:
            return np.array(fixed, np.float32).reshape(item.shape)
    if item.name in MADE:
        return MADE[item.name](item.shape, sizes, generator).astype(item.type)
    return generator.normal(size=item.shape).astype(item.type)


# By the beginning of a kernel's name and the name of an argument.
SETTINGS = {
    ("attention", "scale"): [0.25],
    ("layer_norm", "eps"): [1e-5],
    ("focal_loss", "settings"): [0.25, 2.0],
    ("convolution", "settings"): [1e-5, 1.0],  # eps, and a ReLU
    ("nms", "nms_threshold"): [0.5],
    ("roi", "settings"): [0.0, 0.25, 0.125],  # as many samples as a bin has pixels; pixels of the levels
    ("sgd", "settings"): [0.5, 1.0, 0.1, 0.9],
    ("adamw", "settings"): [0.5, 1.0, 0.1, 0.01, 1e-8, 0.9, 0.999],
    ("sgd", "own_settings"): [1.0, 1e-4],
    ("adamw", "own_settings"): [1.0, 1e-4],
    ("average", "decay"): [0.99],
}
Make = Callable[[tuple[int, ...], Mapping[str, int], np.random.Generator], np.ndarray]


def _boxes(shape: tuple[int, ...], _sizes: Mapping[str, int], generator: np.random.Generator) -> np.ndarray:
    corners = generator.uniform(-10, 80, size=(*shape[:-1], 2))
    return np.concatenate([corners, corners + generator.uniform(0, 90, size=corners.shape)], axis=-1)


# What is no draw from a normal distribution either, by the name of an argument.
MADE: dict[str, Make] = {
    "boxes": _boxes,
    "rois": _boxes,
    "level": lambda shape, _, generator: generator.integers(-1, 3, size=shape),  # two levels, and none
    "labels": lambda shape, sizes, generator: generator.choice([*range(sizes["C"]), 255], size=shape),
    "classes": lambda shape, sizes, generator: generator.integers(-1, sizes["C"] + 1, size=shape),
    "is_valid": lambda shape, _, generator: generator.random(shape) < 0.9,
    "variance": lambda shape, _, generator: generator.uniform(0.5, 2, size=shape),
    "second": lambda shape, _, generator: generator.uniform(0, 2, size=shape),
    "log_sums": lambda shape, _, generator: generator.uniform(4, 6, size=shape),
}


def build(compiler: str, flags: Sequence[str], folder: Path) -> tuple[Path, Path]:
    """Compiles the kernels with the flags, and the program that calls them; returns program and library."""
    library, program = folder / "kernels.so", folder / "call_kernels"
    sources = [str(path) for path in sorted(SOURCES.glob("*.c"))]
    for command in (
        [compiler, *flags, *sources, "-o", str(library), "-lm"],
        [compiler, "-std=gnu11", "-O1", "-Wall", "-Werror", str(PROGRAM), "-o", str(program), "-ldl"],
    ):
        finished = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
        assert finished.returncode == 0, finished.stderr
    return program, library


def answers(starter: Sequence[str], program: Path, library: Path, calls: Sequence[Call], folder: Path) -> list[Answer]:
    """Returns what the kernels of a library make of the calls.

    Args:
        starter: command that runs the program, empty where this machine can.
        program: call_kernels.c, built.
        library: with the kernels.
        calls: to make.
        folder: for the files of calls and results.
    """
    (folder / "calls").write_bytes(b"".join(map(_encode, calls)))
    finished = subprocess.run(
        [*starter, str(program), str(library), str(folder / "calls"), str(folder / "results")],
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return list(_decode((folder / "results").read_bytes(), calls))


def _encode(call: Call) -> bytes:
    parts = [call.kernel.encode().ljust(64, b"\0"), np.int64(len(call.values)).tobytes()]
    for value in call.values:
        parts.append(str(value.dtype).encode().ljust(16, b"\0"))
        parts.append(np.array([value.ndim, value.nbytes, *value.shape], np.int64).tobytes() + value.tobytes())
    return b"".join(parts)


def _decode(content: bytes, calls: Sequence[Call]) -> Iterator[Answer]:
    at = 0
    for call in calls:
        code, at, values = int.from_bytes(content[at : at + 8], "little"), at + 8, []
        for value in call.values:
            values.append(np.frombuffer(content, value.dtype, value.size, at).reshape(value.shape))
            at += value.nbytes
        yield Answer(code, tuple(values))
    assert at == len(content)
