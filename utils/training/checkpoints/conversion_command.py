"""What the conversion commands of all suites have in common: whose names a file has, where the checkpoint goes.

A suite gives the names of the weights of its network in the programs that it knows, as `Naming` and `Content`.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mindspore import nn

from utils.model_utils.errors import BadStateError
from utils.model_utils.files import make_writable_folder
from utils.training.checkpoints.checkpoint import Checkpoint, TrainingState, load_checkpoint, save_checkpoint
from utils.training.checkpoints.foreign_weights import ForeignWeights, read_foreign_weights
from utils.training.checkpoints.weight_conversion import WeightSource, convert_weights, format_conversion

NUM_STAGES = 4  # of every backbone
BACKBONE = "backbone"  # the part of the network that a checkpoint without head says it is of
_MINDSPORE_START = b"\n"  # a .ckpt is a list of protobuf's field 1
_SAFETENSORS_MARK = slice(8, 9)  # "{" after the length of its header
COUNTERS = {r".*\.num_batches_tracked": "num_batches_tracked, PyTorch's counters of steps"}

MINDSPORE_REST = {
    r"(moments|accum|stat|moment1|moment2|adam_m|adam_v|optimizer)\..*|(global_step|epoch_num|step_num|learning_rate|"
    r"momentum|weight_decay|loss_scale|beta1_power|beta2_power|current_iterator_step|"
    r"last_overflow_iterator_step)": "what an optimizer left beside the weights",
}


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a file turned out to hold.

    Attributes:
        title: for the report.
        sources: own parameter name to its source.
        dropped: names without a place here, as `convert_weights` takes them.
        num_classes: foreground classes; None without a head.
        notes: further lines of the report.
    """

    title: str
    sources: Mapping[str, WeightSource]
    dropped: Mapping[str, str]
    num_classes: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def part(self) -> str:
        """The part of the network that it fills, "" for all of it."""
        return BACKBONE if self.num_classes is None else ""


@dataclass(frozen=True, kw_only=True)
class Naming:
    """One way to name the weights of a backbone; `{stage}` counts from 0, `{number}` from 1.

    Attributes:
        title: whose it is, for the report.
        prefixes: what may stand before all its names.
        block: a block.
        dropped: names that may be in a file and have no place in the network, as `convert_weights` takes them.
    """

    title: str
    prefixes: tuple[str, ...]
    block: str
    dropped: Mapping[str, str] = field(default_factory=dict)

    @property
    def first(self) -> str:
        """Its first convolution."""
        raise NotImplementedError

    @property
    def marks(self) -> tuple[str, ...]:
        """The names, without what may stand before them, that tell it from others."""
        return (f"{self.first}.weight",)

    def prefix_in(self, names: Iterable[str]) -> str | None:
        """Returns what stands before the names in a file, None where they are not in it."""
        present = set(names)
        return next((prefix for prefix in self.prefixes if present >= {prefix + mark for mark in self.marks}), None)

    def blocks_in(self, prefix: str, names: Iterable[str]) -> tuple[int, ...]:
        """Returns the number of blocks of each stage that a file has."""
        counts = []
        for stage in range(NUM_STAGES):
            start, end = self.block.format(stage=stage, number=stage + 1, block="#").split("#")
            pattern = re.compile(rf"{re.escape(prefix + start)}(\d+){re.escape(end)}\.")
            counts.append(len({found[1] for name in names if (found := pattern.match(name))}))
        return tuple(counts)


def read_weights(path: Path, suite: str, *, averaged: bool) -> tuple[ForeignWeights, Checkpoint | None]:
    """Reads a PyTorch, safetensors or MindSpore file; which of them follows from its first bytes.

    Args:
        path: the file.
        suite: name of the suite; a checkpoint of another is refused.
        averaged: take the averaged weights of a file of PyTorch that has both; a checkpoint's are taken always.

    Returns:
        The weights, and the checkpoint where the file is one of MindSpore.

    Raises:
        UserError: it cannot be read, is damaged, is of another suite, or has no averages that are asked for.
    """
    start = _first_bytes(path)
    if not start.startswith(_MINDSPORE_START) or start[_SAFETENSORS_MARK] == b"{":
        return read_foreign_weights(path, averaged=averaged, flag="--ema=True"), None
    checkpoint = load_checkpoint(path, suite)
    arrays = checkpoint.averages or checkpoint.arrays
    return ForeignWeights(path, arrays, class_names=tuple(checkpoint.class_names)), checkpoint


def _first_bytes(path: Path) -> bytes:
    """Returns the start of a file, nothing where it cannot be read, which the reader then says."""
    try:
        with path.open("rb") as file:
            return file.read(16)
    except OSError:
        return b""


def choose_output(output: str, source: Path, folder: Path, overwrite: bool) -> Path:
    """Returns the checkpoint to write: `output`, else one in `folder` with the name of the source.

    Raises:
        BadStateError: see `check_output`.
    """
    path = Path(output) if output else folder / f"{source.stem}.ckpt"
    if not output and path.exists() and os.path.samefile(source, path):
        path = folder / f"{source.stem}_converted.ckpt"
    check_output(source, path, overwrite, "--output", "--overwrite=True")
    return path


def check_output(source: Path, output: Path, overwrite: bool, flag: str, overwrite_flag: str) -> None:
    """Refuses an output that is in the way; `flag` and `overwrite_flag` are the arguments that messages name.

    Raises:
        BadStateError: it is a folder, the source itself, or there already and not to be replaced.
    """
    if output.is_dir():
        raise BadStateError(f"output '{output}' is a folder; give the name of a file, e.g. {flag}={output}/net.ckpt")
    if output.exists() and source.exists() and os.path.samefile(source, output):
        raise BadStateError(f"output '{output}' is the file that is read; choose another {flag}")
    if output.exists() and not overwrite:
        raise BadStateError(
            f"output '{output}' is there already; choose another {flag}, or replace it with {overwrite_flag}"
        )


def write_converted(
    output: Path,
    weights: ForeignWeights,
    content: Content,
    network: nn.Cell,
    *,
    flag: str,
    suite: str,
    config_text: str,
    advice: str,
    class_names: Sequence[str] = (),
    category_ids: Sequence[int] = (),
) -> str:
    """Converts all weights or none, writes the checkpoint and returns the report.

    Args:
        output: the checkpoint.
        weights: the file.
        content: what it holds.
        network: built as it says.
        flag: argument that chooses the checkpoint, for messages.
        suite: name of the suite.
        config_text: of the configuration of the network.
        advice: what to do about a file that does not fit, for messages.
        class_names: as far as they are known.
        category_ids: likewise.

    Raises:
        BadValueError: the file does not fit the network.
        BadStateError: the checkpoint cannot be written.
    """
    shapes = {item.name: tuple(item.shape) for item in network.get_parameters()}
    conversion = convert_weights(
        weights.arrays, content.sources, shapes, content.dropped, file=str(weights.path), advice=advice
    )
    make_writable_folder(output.parent, flag)
    state = TrainingState(
        conversion.arrays,
        suite=suite,
        part=content.part,
        config_text=config_text,
        class_names=tuple(class_names),
        category_ids=tuple(category_ids),
    )
    save_checkpoint(output, state)
    title = f"{weights.path.name}: {content.title}" + (f", from its '{weights.wrapper}'" if weights.wrapper else "")
    return f"{title}\n{format_conversion(conversion, (*weights.notes, *content.notes))}"
