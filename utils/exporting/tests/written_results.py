"""Result files as utils/cpp_infer writes them, from arrays, for tests of what reads them."""

import dataclasses
import json
from pathlib import Path, PurePosixPath

import numpy as np

from utils.exporting.description import ModelDescription, Preprocessing, TensorDescription, write_description


def write_results(folder: Path, model: Path, images, skipped=(), names=None) -> Path:
    """Writes a run's results.

    Args:
        folder: the working directory of the run.
        model: file that was run.
        images: (file, (height, width), (scale_y, scale_x), the outputs for it) of each.
        skipped: (file, reason) of each.
        names: of the outputs; None for output_0, output_1, ...

    Returns:
        The folder of the raw files.
    """
    results = folder / "result_Files"
    results.mkdir(parents=True, exist_ok=True)
    entries = []
    for file, (height, width), (scale_y, scale_x), outputs in images:
        stem = PurePosixPath(file).name.partition(".")[0]
        entries.append(
            {"file": file, "stem": stem, "height": height, "width": width, "scale_y": scale_y, "scale_x": scale_x}
        )
        for number, output in enumerate(outputs):
            (results / f"{stem}_{number}.bin").write_bytes(np.ascontiguousarray(output).tobytes())
    outputs = images[0][3]
    names = names or [f"output_{number}" for number in range(len(outputs))]
    described = [
        {"name": name, "dtype": str(output.dtype), "shape": list(output.shape)}
        for name, output in zip(names, outputs, strict=True)
    ]
    content = {
        "suite": "any",
        "model": str(model),
        "engine": "python",
        "outputs": described,
        "images": entries,
        "skipped": [{"file": file, "reason": reason} for file, reason in skipped],
    }
    (folder / "result_Files.json").write_text(json.dumps(content))
    return results


def describe(model: Path, outputs, *, suite="nas_fpn", class_names=("red", "blue"), category_ids=(7, 3), **changed):
    """Writes the JSON beside a model with outputs of these arrays' shapes for one image; returns what it holds."""
    description = ModelDescription(
        suite=suite,
        file=model.name,
        file_format="MINDIR",
        inputs=(TensorDescription("images", "float32", (1, 3, 64, 96)),),
        outputs=tuple(
            TensorDescription(f"output_{number}", str(output.dtype), (1, *output.shape))
            for number, output in enumerate(outputs)
        ),
        preprocessing=Preprocessing("RGB", "keep_ratio", 64, 96, (0, 0, 0), (1, 1, 1), "bottom_right"),
        class_names=class_names,
        category_ids=category_ids,
    )
    description = dataclasses.replace(description, **changed)
    write_description(model.parent, description)
    return description
