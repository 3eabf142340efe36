"""Faster R-CNN with Res2Net, SegFormer and RetinaNet with NAS-FPN for MindSpore.

Import it before MindSpore: it prepares the process for fast kernels on a CPU. What it offers stands in mszoo.utils.api
and is imported when it is first used.
"""

import importlib

import mszoo.utils  # noqa: F401  (prepares the process for MindSpore)

_API = "mszoo.utils.api"


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("mszoo")
    if name.startswith("_"):
        raise AttributeError(f"module 'mszoo' has no attribute '{name}'")
    return getattr(importlib.import_module(_API), name)


def __dir__() -> list[str]:
    return sorted({"__version__", *globals(), *importlib.import_module(_API).__all__})
