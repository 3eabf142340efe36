"""Starts a program of this folder where MMDetection and MMSegmentation stand beside mmcv-lite and PyTorch for CPUs.

python openmmlab.py detectors|segmenters ARGUMENT...

It is started with the Python of `environment.py`, and makes both importable before it imports the program.
"""

import importlib
import importlib.machinery
import sys
import types

import torch

NEWEST_MMCV_ALLOWED = "2.1.0"  # both refuse 2.2.0, whose operators and pictures are the same


def prepare() -> None:
    """Puts mmcv's own CPU operators where mmcv looks for them, and stands in for those of torchvision."""
    import mmcv_cpu_operators

    operators = _MissingOperators("mmcv._ext")
    for name in ("nms", "roi_align_forward"):
        setattr(operators, name, getattr(mmcv_cpu_operators, name))
    operators.__spec__ = importlib.machinery.ModuleSpec("mmcv._ext", None)
    sys.modules["mmcv._ext"] = operators
    _declare_torchvision_operators()
    import mmcv

    mmcv.__version__ = NEWEST_MMCV_ALLOWED


class _MissingOperators(types.ModuleType):
    """Has every operator that mmcv asks for while it is imported; those that were not compiled raise when called."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(*_: object, **__: object) -> None:
            raise RuntimeError(f"mmcv's operator {name} was not compiled")

        return missing


def _declare_torchvision_operators() -> None:
    """Declares what torchvision registers kernels for, which fails where its own library cannot be loaded."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT.append(library)  # what it declares goes with it
        import torchvision  # noqa: F401


_KEPT: list = []


if __name__ == "__main__":
    prepare()
    importlib.import_module(sys.argv[1]).main(sys.argv[2:])
