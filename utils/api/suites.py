"""The one door from utils to the suites: it imports their parts by name, when they are asked for.

Only the Python API, the command line and utils/tools go through it; nothing here imports MindSpore.
"""

import importlib
from collections import Counter
from pathlib import Path
from types import ModuleType

from utils.installation import ROOT, module_name
from utils.model_utils.errors import BadStateError, BadValueError, short

SUITES = ("faster_rcnn", "nas_fpn", "segformer")


def check_suite(name: object) -> str:
    """Returns the name of a suite.

    Raises:
        BadValueError: there is no such suite.
    """
    if name not in SUITES:
        raise BadValueError(f"there is no suite {short(name)}: choose one of {', '.join(SUITES)}")
    return str(name)


def suite_folder(name: str) -> Path:
    """Returns the folder of a suite, which holds its commands and YAML files.

    Raises:
        BadValueError: there is no such suite.
        BadStateError: it is not beside utils, as in a bundle.
    """
    folder = ROOT / check_suite(name)
    if not (folder / "src").is_dir():
        raise BadStateError(f"'{folder}' is not here: use the whole repository, not a part of it")
    return folder


def open_build(name: str) -> ModuleType:
    """Returns SUITE.src.build, which makes the suite's objects; it imports MindSpore."""
    return _open(name, "build")


def open_config(name: str) -> ModuleType:
    """Returns SUITE.src.config, whose `load` reads the keys of a command; MindSpore is not imported."""
    return _open(name, "config")


def open_exported_part(name: str) -> ModuleType:
    """Returns SUITE.src.models.exported, which predicts with exported files; MindSpore is not imported."""
    return _open(name, "models.exported")


def open_small_graphs(name: str) -> dict[str, Counter[str]]:
    """Returns the primitives of a suite's graphs in small, by title; MindSpore is imported."""
    return _open(name, "builders.small_graphs").primitives()


def _open(name: str, part: str) -> ModuleType:
    suite_folder(name)
    return importlib.import_module(module_name(f"{name}.src.{part}"))
