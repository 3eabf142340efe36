"""`load`: the door to models; what it needs is imported once it is called."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from utils.model_utils.errors import BadValueError, MissingPathError, short
from utils.model_utils.near_paths import near_path
from utils.model_utils.signals import interrupts_between_graphs

if TYPE_CHECKING:
    from utils.api.model import Model


def load(path: str | os.PathLike, *, suite: str = "", **keys: object) -> "Model":
    """Loads a model: a checkpoint of any suite, or a MindIR or ONNX that export.py has written, its JSON beside it.

    Args:
        path: the file.
        suite: "faster_rcnn", "nas_fpn" or "segformer"; only for a checkpoint that does not say of which it is.
        keys: keys of the suite's infer.py, which count before what the checkpoint says, e.g. `device_target="CPU"`,
            `picture_min_score=0.5`, `min_score=0.01` (NAS-FPN), `test_score_thr=0.01` (Faster R-CNN),
            `eval_mode="slide"` (SegFormer). Of an exported file: `picture_min_score`; `device_target` and `device_id`
            of a MindIR, `engine`, `cpu_precision` and `num_threads` of an ONNX, which MindSpore has no part in; what
            its JSON lists under postprocessing, and the keys of docs/accuracy.md that act on its outputs:
            `flip_test`, `nms_method` and the like for NAS-FPN, `only_classes` for both detectors.

    Returns:
        The model; call it with a picture.

    Raises:
        MissingPathError: there is no such file.
        BadValueError: it is no model, a key is unknown, or a value does not fit the weights.
        BadStateError: the device is not there, or this process uses another.
    """
    if not isinstance(path, str | os.PathLike):
        raise BadValueError(
            f"{short(path)} is of type {type(path).__name__}, wanted the path of a checkpoint: give a text"
        )
    file = Path(os.path.abspath(os.path.expanduser(os.fspath(path))))
    if file.is_dir():
        raise MissingPathError(f"'{file}' is a folder: name a checkpoint in it, such as the one with best in its name")
    if not file.exists():
        raise MissingPathError(f"'{file}' does not exist{near_path(file)}: name a checkpoint or an exported model")
    if file.suffix.lower() == ".air":
        raise BadValueError(f"'{file}' cannot be run here: give the checkpoint, or export it as MINDIR or ONNX")
    if file.suffix.lower() == ".onnx":
        from utils.api.files.exported import open_exported

        return open_exported(file, suite, keys)
    with interrupts_between_graphs():  # it imports MindSpore
        from utils.api.files.exported import open_exported
        from utils.api.files.opening import open_checkpoint

    return (open_exported if file.suffix.lower() == ".mindir" else open_checkpoint)(file, suite, keys)
