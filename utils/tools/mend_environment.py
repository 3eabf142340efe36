"""Mends a fresh environment on a machine that lacks system libraries which wheels expect; run once after installation.

python utils/tools/mend_environment.py    (with the environment's own interpreter; standard library only)

- opencv-python needs libGL and libglib, which a server without a screen may lack: the headless wheel of the same
  version takes its place. Both wheels are one module.
- mindspore needs libgomp.so.1, which comes with compilers: a copy is taken from the scikit-learn wheel, which carries
  one, and laid into mindspore's own library folder. Nothing else of that wheel is installed.
"""

import ctypes
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

OPENMP_LIBRARY = "libgomp.so.1"
OPENMP_WHEEL = "scikit-learn==1.9.1"  # a wheel that carries the library; nothing else of it is used


def main() -> None:
    """Applies the mends that are needed and checks them."""
    if not _imports("cv2"):
        _replace_opencv()
    if not _has_openmp():
        _add_openmp()
    for module in ("cv2", "mindspore"):
        if not _imports(module):
            sys.exit(f"{module} cannot be imported: run `{sys.executable} -c 'import {module}'` to see why")


def _imports(module: str) -> bool:
    return subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0


def _pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], check=True)


def _replace_opencv() -> None:
    wheel = f"opencv-python-headless=={version('opencv-python')}"
    print(f"cv2 needs screen libraries that are not here: laying {wheel} over it")
    _pip("install", "--no-deps", "--force-reinstall", wheel)


def _has_openmp() -> bool:
    try:
        ctypes.CDLL(OPENMP_LIBRARY)
    except OSError:
        return False
    return True


def _add_openmp() -> None:
    spec = find_spec("mindspore")
    assert spec is not None and spec.submodule_search_locations, "pip has just installed it"
    folder = Path(spec.submodule_search_locations[0]) / "lib"
    print(f"{OPENMP_LIBRARY} is not here: taking the copy in the wheel of {OPENMP_WHEEL} for mindspore")
    with tempfile.TemporaryDirectory() as download:
        _pip("download", "--no-deps", "--only-binary=:all:", "--dest", download, OPENMP_WHEEL)
        with zipfile.ZipFile(next(Path(download).glob("*.whl"))) as wheel:
            name = next(name for name in wheel.namelist() if "/libgomp" in name)
            (folder / OPENMP_LIBRARY).write_bytes(wheel.read(name))


if __name__ == "__main__":
    main()
