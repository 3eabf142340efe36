"""Exports a network and checks the file: it is loaded again, run, and its outputs are compared with the network's."""

import contextlib
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn

from utils.exporting.check import compare_outputs, run_model, run_network
from utils.exporting.description import ModelDescription, TensorDescription, write_description
from utils.exporting.files import export_folder, exported_file, plain_name, put_in_place, strip_ending
from utils.exporting.onnx_form import INSTALL_REWRITERS, PLAIN_FORM, OnnxForm, can_rewrite
from utils.model_utils.errors import BadStateError, BadValueError, first_line
from utils.model_utils.files import free_space

logger = logging.getLogger(__name__)

AUTO = "auto"
MAX_RELATIVE_DIFFERENCE = 1e-4  # other kernels sum float32 in another order, 1e-6 to 1e-5; a wrong operator shows
CHECK_BATCH_SIZES = (1, 2)  # of a model that takes any number of images
_BLAMED_OPERATOR = re.compile(r"Exporting (\w+) operator|(\w+) operator in your model|\[?(\w+)\]? .{0,20}not support")


@dataclass(frozen=True)
class ExportedModel:
    """An exported model that was checked.

    Attributes:
        file: the model file.
        file_format: "MINDIR", "AIR" or "ONNX".
        outputs: of the model, in its order, with the names that were given.
        num_bytes: size of the model with its parameter files.
        difference: largest difference of an output to the network's as a share of the largest absolute value of that
            output; None where the file cannot be run here.
    """

    file: Path
    file_format: str
    outputs: tuple[TensorDescription, ...]
    num_bytes: int
    difference: float | None


def choose_format(file_format: str, device: str) -> str:
    """Returns the format that "auto" means on a device, "Ascend", "GPU" or "CPU", and says it in one log line.

    Raises:
        BadValueError: AIR elsewhere than on Ascend.
    """
    if file_format == AUTO:
        chosen = "AIR" if device == "Ascend" else "MINDIR"
        logger.info("export format auto: %s on this device (%s)", chosen, device)
        return chosen
    if file_format == "AIR" and device != "Ascend":
        raise BadValueError(f"AIR is written on Ascend only and this device is a {device}: choose MINDIR or ONNX")
    return file_format


def file_formats(file_format: str, with_onnx: bool, device: str) -> tuple[str, ...]:
    """Returns what is written, in this order: `choose_format`'s, and ONNX before it, whose JSON then makes room."""
    chosen = choose_format(file_format, device)
    return ("ONNX", chosen) if with_onnx and chosen != "ONNX" else (chosen,)


def input_shape(batch_size: int | None, *image_shape: int) -> tuple[int | None, ...]:
    """Returns the shape of an input, its first axis the batch, None (any number) for a `batch_size` of 0 or None."""
    return (batch_size or None, *image_shape)


def export_network(
    network: nn.Cell,
    inputs: Sequence[TensorDescription],
    path: Path,
    file_format: str,
    *,
    output_names: Sequence[str],
    reference: nn.Cell | None = None,
    sample: Callable[[int], Sequence[np.ndarray]] | None = None,
    onnx: OnnxForm = PLAIN_FORM,
) -> ExportedModel:
    """Exports a network and checks what was written, before it takes the place of an older file.

    Args:
        network: its construct takes the inputs and returns a tensor or a tuple of tensors; it is set to inference.
        inputs: what it takes; at most axis 0 has the length None.
        path: of the file to write, without ending; MindSpore's ending for the format is added.
        file_format: "MINDIR", "AIR" or "ONNX", as `choose_format` returns it.
        output_names: name of each output.
        reference: network to compare the file with, where `network` was made of other operators for the export.
        sample: makes the inputs to compare with, for a number of images; None draws normal numbers for each input.
        onnx: what an ONNX file is like where the packages that rewrite it are installed.

    Returns:
        The model. A MindIR above 1 GiB of parameters is a `*_graph.mindir` beside a folder `*_variables`.

    Raises:
        BadValueError: the format cannot hold this network or a batch of any size.
        BadStateError: the file cannot be written, or its outputs differ; nothing is left behind, an older file stays.
    """
    path = strip_ending(Path(path), file_format)
    is_dynamic = any(each.shape[0] is None for each in inputs)
    is_rewritten = file_format == "ONNX" and can_rewrite()
    if file_format == "ONNX" and is_dynamic and not is_rewritten:
        raise BadValueError(
            "MindSpore writes ONNX for a fixed number of images only: give a batch size, e.g. 1, or install what "
            f"rewrites the file (`{INSTALL_REWRITERS}`)"
        )
    network.set_train(False)
    reference = (reference or network).set_train(False)
    with export_folder(path) as folder:
        _write(network, inputs, folder, plain_name(path), file_format)
        file = exported_file(folder, path, file_format)
        if is_rewritten:
            from utils.exporting.onnx_rewriting import rewrite_onnx  # the packages are optional

            rewrite_onnx(file, onnx, any_batch=is_dynamic)
        elif file_format == "ONNX":
            logger.info(
                "the ONNX file is as MindSpore writes it, with opset 11 and operators in pieces; `%s` lets export.py "
                "rewrite it for engines",
                INSTALL_REWRITERS,
            )
        outputs, difference = _check(
            reference, sample or partial(normal_numbers, inputs), inputs[0].shape[0], file, file_format, output_names
        )
        # A difference that is not a number is one, too.
        if difference is not None and not difference <= MAX_RELATIVE_DIFFERENCE:
            raise BadStateError(
                f"the exported {file_format} gives other outputs than the network (largest difference {difference:.3g} "
                f"of an output's largest value, allowed are {MAX_RELATIVE_DIFFERENCE:g}): it was removed; try another "
                "format"
            )
        num_bytes = sum(part.stat().st_size for part in folder.rglob("*") if part.is_file())
        return ExportedModel(put_in_place(folder, path, file_format), file_format, outputs, num_bytes, difference)


def share_weights(network: nn.Cell, portable: nn.Cell) -> None:
    """Gives a network of other operators, which has the same parameters, the weights of `network`."""
    weights = {parameter.name: parameter for parameter in network.get_parameters()}
    for parameter in portable.get_parameters():
        parameter.set_data(weights[parameter.name].data)


def leave_description(model: ExportedModel, description: ModelDescription) -> None:
    """Writes the JSON of an exported model beside it, and says where both are.

    Raises:
        BadStateError: it cannot be written.
    """
    file = write_description(model.file.parent, description)
    print(format_exported(model))
    print(f"described in {file}")


def format_exported(model: ExportedModel) -> str:
    """Returns what a command prints, e.g. `exported net.mindir (MINDIR, 344.1 MB), largest difference ... 0`."""
    checked = (
        "not checked here"
        if model.difference is None
        else f"largest difference to the network's outputs {model.difference:.2g} of their largest value"
    )
    return f"exported {model.file} ({model.file_format}, {model.num_bytes / 1e6:.1f} MB), {checked}"


def _write(network: nn.Cell, inputs: Sequence[TensorDescription], folder: Path, name: str, file_format: str) -> None:
    tensors = [
        ms.Tensor(shape=each.shape, dtype=getattr(ms, each.dtype))
        if each.shape[0] is None and file_format != "ONNX"  # which is written for one image, then rewritten
        else ms.Tensor(np.zeros((each.shape[0] or 1, *each.image_shape), each.dtype))
        for each in inputs
    ]
    try:
        with contextlib.chdir(folder):  # MindSpore refuses a path with a space or a letter that is not ASCII
            ms.export(network, *tensors, file_name=name, file_format=file_format)
    except OSError as error:
        reason = error.strerror or error
        raise BadStateError(
            f"the {file_format} file cannot be written ({reason}, {free_space(folder)}): free some space, or choose a "
            "file name on another disk"
        ) from error
    except (RuntimeError, ValueError, TypeError) as error:
        if file_format != "ONNX":
            raise
        raise BadValueError(
            f"MindSpore cannot write this network as ONNX: {_blamed(error)}; export MINDIR instead"
        ) from error


def _blamed(error: Exception) -> str:
    """Returns what of a network stands in the way, from MindSpore's own words."""
    found = _BLAMED_OPERATOR.search(str(error))
    operator = next((name for name in found.groups() if name), "") if found else ""
    return f"it has no way to say the operator {operator}" if operator else first_line(error)


def _check(
    network: nn.Cell,
    sample: Callable[[int], Sequence[np.ndarray]],
    num_images: int | None,
    file: Path,
    file_format: str,
    output_names: Sequence[str],
) -> tuple[tuple[TensorDescription, ...], float | None]:
    """Returns the outputs' description and the largest difference over the batch sizes that are tried."""
    descriptions: tuple[TensorDescription, ...] = ()
    differences: list[float] = []
    for batch_size in CHECK_BATCH_SIZES if num_images is None else (num_images,):
        arrays = sample(batch_size)
        expected = run_network(network, arrays)
        descriptions = tuple(
            TensorDescription(name, str(output.dtype), (num_images, *output.shape[1:]))
            for name, output in zip(output_names, expected, strict=True)
        )
        found = run_model(file, file_format, arrays)
        if found is not None:
            differences.append(compare_outputs(found, expected))
    return descriptions, float(np.max(differences)) if differences else None


def normal_numbers(inputs: Sequence[TensorDescription], batch_size: int) -> list[np.ndarray]:
    """Draws normal numbers for each input, always the same, as normalised pictures are."""
    draws = np.random.default_rng(0)
    return [draws.standard_normal((batch_size, *each.image_shape)).astype(each.dtype) for each in inputs]
