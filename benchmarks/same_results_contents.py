"""What the files that the commands write say, for same_results.py, and where two of them differ."""

import concurrent.futures
import json
import multiprocessing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TIMES = {"data_ms", "step_ms", "seconds", "images_per_second"}
PIXELS, MODELS = {".jpg", ".png"}, {".mindir", ".onnx"}


@dataclass(frozen=True)
class Side:
    """What one tree has made.

    Attributes:
        folder: of its results.
        places: what its files may name, and the other's name otherwise: folders of results, the tree.
    """

    folder: Path
    places: tuple[Path, ...]

    def files(self, part: str, *patterns: str) -> dict[str, object]:
        """Returns what the files of a part say that fit one of the patterns, by their path in it."""
        folder = self.folder / part
        paths = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
        return {str(path.relative_to(folder)): read(path, self) for path in paths if not path.name.startswith(".")}

    def without_places(self, text: str) -> str:
        """Leaves out where the results and the tree are."""
        for place in self.places:
            text = text.replace(str(place), "")
        return text


def model_outputs(path: Path) -> list[np.ndarray]:
    """Runs an exported model on inputs that only their shapes decide."""
    description = json.loads(path.with_suffix(".json").read_text())
    draws = np.random.default_rng(1)
    inputs = [draws.normal(size=each["shape"]).astype(each["dtype"]) for each in description["inputs"]]
    height_width = inputs[0].shape[2:]
    for array in inputs[1:]:  # the size of the picture inside the input, and factors
        array[:] = (*height_width, 1, 1)
    if path.suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return session.run(None, {each.name: array for each, array in zip(session.get_inputs(), inputs, strict=True)})
    import mindspore as ms

    ms.set_device("CPU")
    ms.set_context(mode=ms.GRAPH_MODE)
    outputs = ms.nn.GraphCell(ms.load(str(path)))(*map(ms.Tensor, inputs))
    return [output.asnumpy() for output in (outputs if isinstance(outputs, tuple) else (outputs,))]


def read(path: Path, side: Side) -> object:
    """Returns what a file says, without times and without the places of this side."""
    if path.suffix in MODELS:
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(model_outputs, path).result()
    if path.suffix in PIXELS:
        import cv2

        return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if path.suffix == ".ckpt":
        import mindspore as ms

        arrays = {name: value.asnumpy() for name, value in ms.load_checkpoint(str(path)).items()}
        state = arrays.pop("training_state").tobytes().decode()
        return {"state": json.loads(side.without_places(state)), **arrays}
    if "records" in path.parts:
        return path.stat().st_mtime_ns
    text = side.without_places(path.read_text())
    if path.suffix == ".jsonl":
        return [without_times(json.loads(line)) for line in text.splitlines()]
    return without_times(json.loads(text)) if path.suffix == ".json" else text.splitlines()


def without_times(value: object) -> object:
    """Leaves out what another run measures otherwise."""
    return {key: item for key, item in value.items() if key not in TIMES} if isinstance(value, dict) else value


def first_difference(old: object, new: object, where: str = "") -> str:
    """Returns where two values differ first, "" if they are equal bit for bit."""
    if type(old) is not type(new):
        return f"{where}: {type(old).__name__} / {type(new).__name__}"
    if isinstance(old, np.ndarray):
        if (old.dtype, old.shape) != (new.dtype, new.shape):
            return f"{where}: {old.dtype}{old.shape} / {new.dtype}{new.shape}"
        if old.tobytes() == new.tobytes():
            return ""
        return f"{where}: by up to {np.abs(old.astype(np.float64) - new).max():.3g}"
    if isinstance(old, str) and "\n" in old:
        return first_difference(old.splitlines(), new.splitlines(), where)
    if isinstance(old, dict):
        if missing := sorted(old.keys() ^ new.keys()):
            return f"{where}: only in {'old' if missing[0] in old else 'new'}: {missing[0]}"
        pairs = {f"{where} {key}": (value, new[key]) for key, value in old.items()}
    elif isinstance(old, list):
        if len(old) != len(new):
            return f"{where}: {len(old)} / {len(new)} items"
        pairs = {f"{where} [{number}]": pair for number, pair in enumerate(zip(old, new, strict=True))}
    else:
        return "" if old == new else f"{where}: {old} / {new}"
    return next((found for name, pair in pairs.items() if (found := first_difference(*pair, name))), "")
