"""Where this code lies and what its modules are called: in a clone, or installed as the package `mszoo`.

The package has the folders of the repository inside it; package/rewriting.py puts `mszoo.` before the imports. Names of
modules and paths of scripts in texts cannot be found on a syntax tree, so they come from here.
"""

import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]  # folder of the suites and of utils: the repository's, or the package's own
PACKAGE = __name__.removesuffix("utils.installation")  # "" in a clone, "mszoo." where it is installed
IS_INSTALLED = PACKAGE != ""
COMMANDS_OF_SUITES = ("train", "eval", "infer", "export", "convert")  # of utils/cli; how their scripts' names begin


def module_name(name: str) -> str:
    """Returns the name under which a module can be imported, e.g. of "utils.images" or "nas_fpn.src.build"."""
    return f"{PACKAGE}{name}"


def module_command(name: str, *arguments: str) -> list[str]:
    """Returns the command that runs a module in a process of its own."""
    return [sys.executable, "-m", module_name(name), *arguments]


def console_command(*words: str) -> str:
    """Returns a command of utils/cli as a user types it."""
    return " ".join(["mszoo" if IS_INSTALLED else "python -m utils.cli", *words])


def version() -> str:
    """Returns the version of this code, e.g. "0.1.0", in a clone "0.1.0 (clone)"; pyproject.toml is where it stands."""
    import importlib.metadata  # at the top, both would cost every --help
    import tomllib

    if IS_INSTALLED:
        return importlib.metadata.version(PACKAGE.removesuffix("."))
    project = ROOT / "pyproject.toml"
    if not project.is_file():  # a folder that utils/tools/bundle.py has made
        return "unknown (bundle)"
    return f"{tomllib.loads(project.read_text(encoding='utf-8'))['project']['version']} (clone)"


def shown_file(path: str) -> str:
    """Returns a script of the repository as a message names it: from its root in a clone, in full where installed."""
    return str(ROOT / path) if IS_INSTALLED else path


def shown_script(script: Path) -> str:
    """Returns how a user calls an entry script of a suite, e.g. "python nas_fpn/infer.py", "mszoo infer nas_fpn"."""
    word = script.stem.partition("_")[0]
    if not IS_INSTALLED or word not in COMMANDS_OF_SUITES:
        return f"python {shlex.quote(str(script).removeprefix(f'{Path.cwd()}/'))}"
    return console_command(word, script.relative_to(ROOT).parts[0])


def work_folder() -> Path:
    """Returns where commands put what no argument has a place for: the repository, else the working directory."""
    return Path.cwd() if IS_INSTALLED else ROOT


def yaml_paths_folder(suite_dir: Path) -> Path:
    """Returns where relative paths in a YAML file start: a suite's folder in a clone, else the working directory."""
    return Path.cwd() if IS_INSTALLED else suite_dir
