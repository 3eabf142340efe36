"""The arguments of a launcher: positional ones as the suite's page orders them, turned into the keys of its command."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.model_utils.errors import BadValueError, MissingPathError

DEVICE_ID = "DEVICE_ID"
RUN_DIR = "--run_dir="


@dataclass(frozen=True)
class Positional:
    """One positional argument after DEVICE_ID.

    Attributes:
        name: as the usage line shows it, e.g. "CHECKPOINT_PATH".
        kind: what it must be, a key of `KINDS`.
        key: key of the command's configuration that takes it.
        is_optional: may be left out, or be '' to give one behind it.
    """

    name: str
    kind: str
    key: str
    is_optional: bool

    @classmethod
    def parse(cls, text: str, is_optional: bool) -> "Positional":
        """Reads `NAME:KIND:KEY`."""
        name, kind, key = text.split(":")
        return cls(name, kind, key, is_optional)


@dataclass(frozen=True)
class CommandArguments:
    """What a user has asked for.

    Attributes:
        device_id: number of the device.
        settings: arguments of the command, `--key=value`, paths absolute.
        run_dir: folder given with `--run_dir`, None for the documented one.
    """

    device_id: int
    settings: tuple[str, ...]
    run_dir: Path | None


def usage(program: str, positionals: Sequence[Positional]) -> str:
    """Returns e.g. `usage: run_eval.sh DEVICE_ID DATASET [ANN_FILE] [--key=value]...`."""
    names = [f"[{item.name}]" if item.is_optional else item.name for item in positionals]
    return " ".join(["usage:", program, DEVICE_ID, *names, "[--key=value]..."])


def read_arguments(
    given: Sequence[str], positionals: Sequence[Positional], *, program: str, suite_dir: Path
) -> CommandArguments:
    """Checks what a user has typed and names the keys that it stands for.

    Args:
        given: the positional arguments, then any `--key=value`; from the first `--` on they are passed on.
        positionals: what the launcher takes after DEVICE_ID, optional ones last.
        program: file name of the launcher, for the usage line.
        suite_dir: folder of the suite, the second place where a configuration file is looked up.

    Raises:
        BadValueError: too few or too many arguments, or a device number that is none.
        MissingPathError: a path is not there or of another kind.
    """
    count = next((index for index, text in enumerate(given) if text.startswith("--")), len(given))
    values, extra = list(given[:count]), list(given[count:])
    num_needed = 1 + sum(not item.is_optional for item in positionals)
    if not num_needed <= len(values) <= 1 + len(positionals):
        wanted = f"{num_needed}" if num_needed == 1 + len(positionals) else f"{num_needed} to {1 + len(positionals)}"
        raise BadValueError(f"{len(values)} arguments, wanted {wanted}; {usage(program, positionals)}")
    settings = []
    for item, text in zip(positionals, values[1:], strict=False):
        if text == "" and not item.is_optional:
            raise BadValueError(f"{item.name} is empty; {usage(program, positionals)}")
        if text:
            settings.append(f"--{item.key}={KINDS[item.kind](item.name, text, suite_dir)}")
    chosen = [text.removeprefix(RUN_DIR) for text in extra if text.startswith(RUN_DIR)]
    return CommandArguments(
        device_id=_device_id(values[0]), run_dir=Path(os.path.abspath(chosen[-1])) if chosen and chosen[-1] else None,
        settings=(*settings, *(text for text in extra if not text.startswith(RUN_DIR))),
    )


def _device_id(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise BadValueError(f"{DEVICE_ID} is '{text}', wanted the number of a device, 0 or more")
    return int(text)


def _text(_name: str, text: str, _suite_dir: Path) -> str:
    """What the command itself checks: a number, a word, true or false."""
    return text


def _path(_name: str, text: str, _suite_dir: Path) -> str:
    """A path that the command may make."""
    return os.path.realpath(text)


def _file(name: str, text: str, _suite_dir: Path) -> str:
    return _existing(name, text, "file", Path.is_file)


def _folder(name: str, text: str, _suite_dir: Path) -> str:
    return _existing(name, text, "folder", Path.is_dir)


def _file_or_folder(name: str, text: str, _suite_dir: Path) -> str:
    return _existing(name, text, "file or folder", Path.exists)


def _config(name: str, text: str, suite_dir: Path) -> str:
    """A YAML file, looked up where the launcher was called, then in the suite's folder."""
    in_suite = suite_dir / text
    return str(in_suite) if not Path(text).exists() and in_suite.is_file() else _existing(
        name, text, "file", Path.is_file)


def _pattern(name: str, text: str, suite_dir: Path) -> str:
    """A file, or a name in which {} stands for the split: then its folder must be there."""
    if "{}" not in text:
        return _file(name, text, suite_dir)
    path = Path(os.path.abspath(text))
    if not path.parent.is_dir() and "{}" not in str(path.parent):
        raise MissingPathError(f"{name} '{text}': there is no folder '{path.parent}'; correct the path")
    return str(path)


def _existing(name: str, text: str, kind: str, is_kind: Callable[[Path], bool]) -> str:
    path = Path(text)
    if not is_kind(path):
        state = f"is no {kind}" if path.exists() else "does not exist"
        raise MissingPathError(f"{name} '{text}' {state}, wanted a {kind}; correct the path")
    return os.path.realpath(path)


KINDS: dict[str, Callable[[str, str, Path], str]] = {
    "text": _text, "path": _path, "file": _file, "folder": _folder, "file_or_folder": _file_or_folder,
    "config": _config, "pattern": _pattern,
}
