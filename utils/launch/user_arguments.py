"""The arguments of a launcher: positional ones as the suite's page orders them, turned into the keys of its command."""

import glob
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from utils.model_utils.errors import BadValueError, MissingPathError, short
from utils.model_utils.guards.numbers import is_whole_number
from utils.model_utils.local_adapter import get_device_id
from utils.model_utils.near_paths import near_path

DEVICE_ID = "DEVICE_ID"
RUN_DIR = "--run_dir="


@dataclass(frozen=True)
class Positional:
    """One positional argument after DEVICE_ID.

    Attributes:
        name: as the usage line shows it, e.g. "CHECKPOINT_PATH".
        kind: what it must be, a key of `KINDS`; "word" where `configs` lists the words.
        keys: keys of the command's configuration that take it.
        is_optional: may be left out, or be '' to give one behind it.
        may_be_empty: has to be given, but '' stands for none.
        configs: configuration file of the suite that each word picks, "" where it picks none.
    """

    name: str
    kind: str
    keys: tuple[str, ...]
    is_optional: bool
    may_be_empty: bool = False
    configs: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, is_optional: bool) -> "Positional":
        """Reads `NAME:KIND:KEY`.

        `KIND?` allows ''; `WORD=CONFIG,...` in place of KIND lists words and the file that each picks, if any;
        `KEY+KEY` are two keys.
        """
        name, wanted, keys = text.split(":")
        kind = wanted.removesuffix("?")
        configs = dict(pair.split("=") for pair in kind.split(",")) if "=" in kind else {}
        return cls(
            name,
            "word" if configs else kind,
            tuple(keys.split("+")),
            is_optional,
            may_be_empty=is_optional or wanted.endswith("?"),
            configs=configs,
        )

    def settings(self, text: str, suite_dir: Path) -> list[str]:
        """Returns the arguments of the command that a text stands for; none for ''.

        Raises:
            UserError: the text is not of its kind.
        """
        if not text:
            return []
        if not self.configs:
            value = KINDS[self.kind](self.name, text, suite_dir)
            return [f"--{key}={value}" for key in self.keys]
        if text not in self.configs:
            raise BadValueError(f"{self.name} is '{text}', wanted one of {', '.join(self.configs)}")
        config = self.configs[text]
        return [*([f"--config_path={suite_dir / config}"] if config else []), *(f"--{key}={text}" for key in self.keys)]


@dataclass(frozen=True)
class Launcher:
    """What a launcher of a suite starts.

    Attributes:
        program: file name of the launcher.
        command: entry script, relative to the repository's root.
        folder: name of the run folder; {} stands for the device.
        log: name of the log file in it.
        positionals: what it takes after DEVICE_ID, required ones first.
        device_target: device that its name stands for; "" for one that takes a DEVICE_ID instead.
        leading: names of the arguments that stand for several devices, in DEVICE_ID's place.
        is_quiet: shows no output of the command.
    """

    program: str
    command: Path
    folder: str
    log: str
    positionals: tuple[Positional, ...]
    device_target: str = ""
    leading: tuple[str, ...] = ()
    is_quiet: bool = False

    @property
    def takes_device(self) -> bool:
        """Whether the first argument is DEVICE_ID."""
        return not self.device_target and not self.leading

    @property
    def usage(self) -> str:
        """How it is called, e.g. `usage: run_eval.sh DEVICE_ID DATASET [ANN_FILE] [--key=value]...`."""
        names = [f"[{item.name}]" if item.is_optional else item.name for item in self.positionals]
        first = [DEVICE_ID] if self.takes_device else self.leading
        return " ".join(["usage:", self.program, *first, *names, "[--key=value]..."])


@dataclass(frozen=True)
class CommandArguments:
    """What a user has asked for.

    Attributes:
        device_id: number of the device; 0 where the launcher's own arguments stand for several.
        settings: arguments of the command, `--key=value`, paths absolute.
        run_dir: folder given with `--run_dir`, None for the documented one.
        leading: texts of the arguments that the launcher reads by itself.
    """

    device_id: int
    settings: tuple[str, ...]
    run_dir: Path | None
    leading: tuple[str, ...] = ()


def read_arguments(given: Sequence[str], launcher: Launcher, suite_dir: Path) -> CommandArguments:
    """Checks what a user has typed and names the keys that it stands for.

    Args:
        given: the positional arguments, then any `--key=value`; from the first `--` on they are passed on.
        launcher: what it takes. Without a first argument DEVICE_ID the environment's counts, 0 where it is not set.
        suite_dir: folder of the suite: of configuration files that a word picks, and the second place where others are
            looked up.

    Raises:
        BadValueError: too few or too many arguments, a word that picks nothing, or a device number that is none.
        MissingPathError: a path is not there or of another kind.
    """
    count = next((index for index, text in enumerate(given) if text.startswith("--")), len(given))
    values, extra = list(given[:count]), list(given[count:])
    num_leading = int(launcher.takes_device) or len(launcher.leading)
    needed = num_leading + sum(not item.is_optional for item in launcher.positionals)
    most = num_leading + len(launcher.positionals)
    if not needed <= len(values) <= most:
        wanted = f"{needed}" if needed == most else f"{needed} to {most}"
        raise BadValueError(f"{len(values)} arguments, wanted {wanted}; {launcher.usage}")
    device_id = device_number(values[0]) if launcher.takes_device else 0 if launcher.leading else get_device_id()
    settings = []
    for item, text in zip(launcher.positionals, values[num_leading:], strict=False):
        if text == "" and not item.may_be_empty:
            raise BadValueError(f"{item.name} is empty; {launcher.usage}")
        settings += item.settings(text, suite_dir)
    chosen = [text.removeprefix(RUN_DIR) for text in extra if text.startswith(RUN_DIR)]
    return CommandArguments(
        device_id=device_id,
        run_dir=Path(os.path.abspath(chosen[-1])) if chosen and chosen[-1] else None,
        settings=(*settings, *(text for text in extra if not text.startswith(RUN_DIR))),
        leading=() if launcher.takes_device else tuple(values[:num_leading]),
    )


def device_number(text: str) -> int:
    """Returns the number that DEVICE_ID is.

    Raises:
        BadValueError: it is none.
    """
    if not is_whole_number(text):
        raise BadValueError(f"{DEVICE_ID} is {short(text)}, wanted the number of a device, 0 or more")
    return int(text)


def _text(_name: str, text: str, _suite_dir: Path) -> str:
    """What the command itself checks: a number, a word, true or false."""
    return text


def _path(_name: str, text: str, _suite_dir: Path) -> str:
    """A path that the command may make."""
    return os.path.realpath(text)


def _existing(kind: str, name: str, text: str, _suite_dir: Path) -> str:
    return os.path.realpath(existing_path(name, text, kind))


def _pictures(name: str, text: str, suite_dir: Path) -> str:
    """What infer.py takes: a picture, a video, a folder, or a pattern of files."""
    is_pattern = not os.path.exists(text) and glob.has_magic(text)
    return os.path.abspath(text) if is_pattern else _existing("file or folder", name, text, suite_dir)


def _config(name: str, text: str, suite_dir: Path) -> str:
    """A YAML file, looked up where the launcher was called, then in the suite's folder."""
    in_suite = suite_dir / text
    is_of_suite = not os.path.exists(text) and os.path.isfile(in_suite)
    return str(in_suite) if is_of_suite else _existing("file", name, text, suite_dir)


def _pattern(name: str, text: str, suite_dir: Path) -> str:
    """A file, or a name in which {} stands for the split: then its folder must be there."""
    if "{}" not in text:
        return _existing("file", name, text, suite_dir)
    path = Path(os.path.abspath(text))
    if not path.parent.is_dir() and "{}" not in str(path.parent):
        raise MissingPathError(f"{name} '{text}': there is no folder '{path.parent}'; correct the path")
    return str(path)


def existing_path(name: str, text: str, kind: str) -> Path:
    """Returns the path that an argument names, absolute, which is a "file", a "folder" or a "file or folder".

    Raises:
        MissingPathError: there is nothing, or something else.
    """
    is_kind = {"file": os.path.isfile, "folder": os.path.isdir}.get(kind, os.path.exists)
    if not is_kind(text):
        state = f"is no {kind}" if os.path.exists(text) else f"does not exist{near_path(Path(text))}"
        raise MissingPathError(f"{name} '{text}' {state}, wanted a {kind}: correct the path")
    return Path(text).absolute()


KINDS: dict[str, Callable[[str, str, Path], str]] = {
    "text": _text,
    "path": _path,
    "file": partial(_existing, "file"),
    "folder": partial(_existing, "folder"),
    "pictures": _pictures,
    "config": _config,
    "pattern": _pattern,
}
