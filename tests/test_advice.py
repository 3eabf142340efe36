"""Every key, flag, file and command that a message names exists for whoever reads it."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from utils.model_utils.config.loading import ALIASES, right_name

sys.path.insert(0, str(Path(__file__).resolve().parent))

import advice

ROOT = Path(__file__).resolve().parent.parent
SCHEMA_FILES = re.compile(r"\w+/src/config\w*\.py|utils/detection/keys\.py|utils/model_utils/config/.*")


def read_files(*patterns):
    """Returns the text of each file of the repository but its tests and what only developers run."""
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    names = [name for name in listed.stdout.splitlines() if not re.search(r"(^|/)(tests|benchmarks|findings)/", name)]
    return {name: (ROOT / name).read_text(encoding="utf-8") for name in names if "conftest" not in name}


@pytest.fixture(scope="module")
def files():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(listed.stdout.splitlines())


@pytest.fixture(scope="module")
def sources():
    return advice.Sources(read_files("*.py"))


@pytest.fixture(scope="module")
def schemas():
    """The schema of each suite."""
    return {suite: type(importlib.import_module(f"{suite}.src.config").load([])) for suite in advice.SUITES}


@pytest.fixture(scope="module")
def reached(sources):
    return {entry: sources.reached_from(entry) for entry in sources.entries()}


@pytest.fixture(scope="module")
def commands(sources, schemas, reached):
    """Every command with what it takes."""
    return {entry: advice.Command(entry, names_of(entry, sources, schemas, reached[entry])) for entry in reached}


def names_of(entry, sources, schemas, reached):
    """Returns what can be typed after a command."""
    suite = entry.split("/")[0]
    names = sources.arguments(reached) | {"help"}
    if (f"{suite}/src/config.py", "load") in reached:
        names |= keys_of(schemas[suite])
    if entry.startswith("utils/launch/"):  # its own, as constants; all others go on to a suite's command
        names |= set.intersection(*map(keys_of, schemas.values()))
        names |= {name.removeprefix("--") for name in sources.constants(reached, "utils/launch/")}
    if entry.startswith("utils/tools/"):  # starts the commands of the suites, each with its own keys
        names |= set.union(*map(keys_of, schemas.values()))
    return frozenset(names)


def keys_of(schema):
    """Returns the keys of a suite that do something, under all their names."""
    aliases = {name for name in ALIASES if right_name(schema, name) in schema.model_fields}
    return {*schema.model_fields, *aliases, "config_path"}


def test_every_message_names_what_its_reader_has(sources, commands, reached, files):
    found = []
    for message in sources.messages():
        askers = [
            command
            for entry, command in commands.items()
            if (message.path, message.home) in reached[entry]
            # The text of a key is for those who type keys: elsewhere the program gives the values.
            and not (SCHEMA_FILES.fullmatch(message.path) and "config_path" not in command.names)
        ]
        for asking in askers:
            found += [(message, fault) for fault in advice.faults(message, asking, commands.values(), files)]
    shown = {f"{message.path}:{message.line}: {fault}: {message.text}" for message, fault in found}
    assert not shown, "\n".join(sorted(shown))
