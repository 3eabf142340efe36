"""Refuses a Python that the repository and MindSpore's wheels are not made for, before anything else is imported.

Versions back to 3.6 have to read this file: no newer syntax, and nothing of the repository.
"""

import os.path
import sys

FIRST, LAST = (3, 11), (3, 12)  # as requires-python of pyproject.toml says
EXIT_CODE = 2  # of an error of the user, as in model_utils/command.py


def refuse_other_pythons(root: str) -> None:
    """Ends the process with one sentence where it is a command of the repository, else raises.

    Args:
        root: folder of the suites and of utils.

    Raises:
        ImportError: a program of the user imports `utils` or the package with such a version.
    """
    if FIRST <= sys.version_info[:2] <= LAST:
        return
    version, first, last = (".".join(map(str, numbers)) for numbers in (sys.version_info[:3], FIRST, LAST))
    sentence = (
        f"this is Python {version} ('{sys.executable}'), wanted Python {first} or {last}: start it with one of these; "
        f"launchers take it from PYTHON=/path/to/python{last}"
    )
    name = _command_name(root)
    if not name:
        raise ImportError(sentence)
    sys.stderr.write(f"{name}: error: {sentence}\n")
    sys.exit(EXIT_CODE)


def _command_name(root: str) -> str:
    """Returns the name of the command that this process is; "" where it is none of the repository."""
    script = sys.argv[0] if getattr(sys, "argv", None) else ""
    if script in ("", "-c"):
        return ""
    if script == "-m":  # it is that while the packages are imported which the module lies in
        return "python -m"
    if os.path.basename(script) != "mszoo" and not os.path.realpath(script).startswith(os.path.realpath(root) + os.sep):
        return ""
    for argument in sys.argv:
        if argument.startswith("--program="):  # from a launcher
            return argument[len("--program=") :]
    return os.path.basename(script)
