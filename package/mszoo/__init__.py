"""Faster R-CNN with Res2Net, SegFormer and RetinaNet with NAS-FPN for MindSpore.

Import it before MindSpore: it prepares the process for fast kernels on a CPU. What it offers stands in mszoo.utils.api
and is imported when it is first used.
"""

import importlib

import mszoo.utils  # noqa: F401  (prepares the process for MindSpore)

# Written out, since pickle asks every module for every name that it looks for.
__all__ = ["Evaluation", "Training", "evaluate", "load", "train"]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("mszoo")
    if name not in __all__:
        raise AttributeError(f"module 'mszoo' has no attribute '{name}'")
    return getattr(importlib.import_module("mszoo.utils.api"), name)


def __dir__() -> list[str]:
    return sorted({"__version__", *globals(), *__all__})
