"""Makes the Python environment in which MMDetection, MMSegmentation and transformers run.

They need other versions of packages than this repository, and operators of mmcv that its light package leaves out.
The sources of these are in that package, and two of them are compiled here.
"""

import os
import subprocess
import sys
from pathlib import Path

# Elsewhere than on a machine that maps torch to the CPU wheel, PyTorch's CPU index has to be added to pip's settings.
PACKAGES = (
    "torch==2.13.0",
    "torchvision==0.28.0",
    "numpy==1.26.4",
    "opencv-python==4.11.0.86",
    "mmengine==0.10.7",
    "mmcv-lite==2.2.0",
    "mmdet==3.3.0",
    "transformers==5.23.0",
    "timm==1.0.31",
    "ftfy==6.3.1",  # imported by mmsegmentation
    "regex",
    "prettytable==3.16.0",  # the same
    "ninja",
    "setuptools==80.9.0",  # mmengine needs pkg_resources, which later ones leave out
)
# Without its own requirements: it asks for a full mmcv of another version.
WITHOUT_REQUIREMENTS = ("mmsegmentation==1.2.2",)
OPERATORS = Path(__file__).with_name("operators.cpp")
BUILD = """
import importlib.util, pathlib, sys
from torch.utils.cpp_extension import load
sources = pathlib.Path(importlib.util.find_spec("mmcv").origin).parent / "ops" / "csrc"
load(
    name="mmcv_cpu_operators",
    sources=[sys.argv[1], *(str(sources / "pytorch" / name) for name in ("nms.cpp", "roi_align.cpp"))],
    extra_include_paths=[str(sources / "common"), str(sources / "pytorch")],
    build_directory=sys.argv[2],
)
"""


def prepare_environment(folder: Path) -> Path:
    """Makes the environment in a folder where it is not there yet, in some minutes, and returns its Python.

    Raises:
        subprocess.CalledProcessError: a package cannot be had, or the operators do not compile.
    """
    python = folder / "bin" / "python"
    finished = folder / "finished"
    if finished.exists():
        return python
    _run(sys.executable, "-m", "venv", folder)
    _run(python, "-m", "pip", "install", "--quiet", *PACKAGES)
    _run(python, "-m", "pip", "install", "--quiet", "--no-deps", *WITHOUT_REQUIREMENTS)
    packages = next((folder / "lib").glob("python*/site-packages"))
    _run(python, "-c", BUILD, OPERATORS, packages, path=f"{folder / 'bin'}")
    finished.touch()
    return python


def _run(*command: object, path: str = "") -> None:
    environment = {**os.environ, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}"} if path else None
    subprocess.run([str(part) for part in command], check=True, env=environment)
