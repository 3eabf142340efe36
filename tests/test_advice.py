"""Every key, flag, file and command that a message names exists for whoever reads it."""

import importlib
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from utils.model_utils.config.key_names import ALIASES, right_name

sys.path.insert(0, str(Path(__file__).resolve().parent))

import advice

ROOT = Path(__file__).resolve().parent.parent
SCHEMA_FILES = re.compile(
    r"\w+/src/(?:config\w*|labels/(?:keys|forms))\.py|utils/(?:data_sets|detection)/keys\.py"
    r"|utils/model_utils/config/.*"
)

# What a command comes to by its names and still never says, with the reason.
NEVER_SAID = {
    ("SKIP_ADVICE", "postprocess.py"): "skip_bad_images is None there, which leaves the advice out",
    ("choose_device", "smoke_step.py"): "the doctor takes the device that is there",
    ("_warn_of_unused_cards", "smoke_step.py"): "the doctor shows no warnings, and says it itself",
    ("set_up_device", "smoke_step.py"): "its number is that of the environment, if any",
    ("_check_device_id", "smoke_step.py"): "likewise",
}

# Of the scripts in the root; --all is an option of conftest.py.
OWN_ARGUMENTS = {"run_tests.sh": {"all"}, "quickstart.sh": {"fast", "help"}}


def list_files(*patterns):
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return listed.stdout.splitlines()
    found = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file()]
    return [name for name in found if ".venv/" not in name and any(map(PurePosixPath(name).match, patterns))]


def read_files(*patterns):
    """Returns the text of each file of the repository but its tests and what only developers run."""
    left_out = re.compile(r"(^|/)(tests|benchmarks|findings|package)/")
    names = [name for name in list_files(*patterns) if not left_out.search(name)]
    return {name: (ROOT / name).read_text(encoding="utf-8") for name in names if "conftest" not in name}


@pytest.fixture(scope="module")
def files():
    return set(list_files("*"))


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


def faults_of(message, asking, commands, files):
    return [f"{message.path}:{message.line}: {fault}" for fault in advice.faults(message, asking, commands, files)]


def test_every_message_names_what_its_reader_has(sources, commands, reached, files):
    found = set()
    for message in sources.messages():
        readers = [command for entry, command in commands.items() if (message.path, message.home) in reached[entry]]
        if SCHEMA_FILES.fullmatch(message.path):  # for those who type keys: elsewhere the program gives the values
            readers = [reader for reader in readers if advice.CONFIG in reader.names]
        for reader in readers:
            if (message.home, reader.path.split("/")[-1]) in NEVER_SAID:
                continue
            found.update(faults_of(message, reader, commands.values(), files))
    assert not found, "\n".join(sorted(found))


def test_messages_are_found_where_they_are(sources, reached):
    """Else the test above would see nothing."""
    messages = list(sources.messages())
    assert len(messages) > 1000
    lost = {
        message.path
        for message in messages
        if not any((message.path, message.home) in each for each in reached.values())
    }
    lost = {path for path in lost if not path.startswith("utils/api/")}  # called by users' programs
    lost = {path for path in lost if not path.endswith("/small_graphs.py")}  # which ascend_check calls by name
    # Called by the C++ program; an image of Pillow comes by the Python API alone; utils/__init__ refuses other Pythons.
    called_otherwise = (
        "utils/cpp_infer/python_engine.py",
        "utils/images.py",
        "utils/model_utils/guards/python_version.py",
    )
    assert lost <= {*called_otherwise}


def test_every_launcher_names_what_there_is(commands, schemas, files):
    found = []
    for path, text in read_files("*.sh").items():
        suite = path.split("/")[0]
        names = keys_of(schemas[suite]) if suite in schemas else OWN_ARGUMENTS.get(path, set())
        started = {name for each in commands.values() if each.path.startswith("utils/launch/") for name in each.names}
        reader = advice.Command(path, frozenset(names | (started if suite in schemas else set())))
        code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
        own_logs = set(advice.files_in(code.replace("--log=", "")))
        for message in advice.shell_messages(path, text):
            found += faults_of(message, reader, [*commands.values(), reader], files | own_logs)
    assert not found, "\n".join(found)


def test_the_cpp_program_names_what_there_is(schemas, files):
    sources = read_files("utils/cpp_infer/src/*.cc")
    flags = re.findall(r'\{"(\w+)", "\w*",\s+"', sources["utils/cpp_infer/src/options.cc"])
    assert {"engine", "num_threads", "python"} < set(flags)
    program = advice.Command("utils/cpp_infer/src/options.cc", frozenset({*flags, "help"}))
    export = [advice.Command(f"{suite}/export.py", frozenset(keys_of(schema))) for suite, schema in schemas.items()]
    engine = read_files("utils/cpp_infer/python_engine.py")
    messages = [message for path, text in sources.items() for message in advice.cpp_messages(path, text)]
    messages += advice.Sources(engine).messages()
    found = [fault for each in messages for fault in faults_of(each, program, [program, *export], files)]
    options = "".join(read_files("utils/cpp_infer/CMakeLists.txt").values())
    switches = {name for each in messages for name in re.findall(r"-D(\w+)=", each.text)}
    found += [name for name in switches if not re.search(rf"(?:option|set)\({name} ", options)]
    assert switches
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("name", "source"), advice.WRITTEN.items())
def test_files_that_a_command_writes_are_named_where_it_does(name, source):
    text = (ROOT / source).read_text(encoding="utf-8").replace("{workers.rank}", "0")
    assert f'"{name}"' in text


SAMPLE = {
    "nas_fpn/train.py": """
import argparse
from src.run import run
from utils.shared import check
if __name__ == '__main__':
    run(); check()
""",
    "nas_fpn/src/run.py": """
from utils.shared import Reader
def run(flag="--no_default"):
    Reader(); tell("--handed_on"); subprocess.run(["eval.py", "--of_a_command_line"])
def never(): raise E("set unreached_key")
""",
    "segformer/convert.py": """
from utils.shared import check
if __name__ == '__main__':
    parser.add_argument("--source"); check()
""",
    "utils/shared.py": """
def check(): raise E(f"'{path}' is bad: set num_classes, or run " "create_data.py")
class Reader:
    \"\"\"A docstring may say: set docstring_key.\"\"\"
    def read(self): raise E(f"{self} fails; lower wrong_key")
""",
}


def test_planted_advice_is_found_for_those_who_read_it():
    sources = advice.Sources(SAMPLE)
    commands = {
        "nas_fpn/train.py": advice.Command("nas_fpn/train.py", frozenset({"num_classes", advice.CONFIG})),
        "segformer/convert.py": advice.Command("segformer/convert.py", frozenset({"source"})),
    }
    assert sources.entries() == list(commands)
    files = {"nas_fpn/create_data.py", *SAMPLE}
    found = set()
    for entry, reader in commands.items():
        reached = sources.reached_from(entry)
        read = [message for message in sources.messages() if (message.path, message.home) in reached]
        found |= {fault for message in read for fault in advice.faults(message, reader, commands.values(), files)}
        assert sources.arguments(reached) == ({"source"} if entry.startswith("segformer") else set())
    assert found == {
        "wrong_key is no key of nas_fpn/train.py",
        "--no_default is no argument of nas_fpn/train.py",
        "--handed_on is no argument of nas_fpn/train.py",
        "num_classes is no key of segformer/convert.py",
        "create_data.py is not there for segformer/convert.py",
    }


TRAIN = advice.Command("nas_fpn/train.py", frozenset({advice.CONFIG, "lr", "batch_size", "num_classes", "resume"}))
EVAL = advice.Command("nas_fpn/eval.py", frozenset({advice.CONFIG, "lr", "min_score"}))
OTHER = advice.Command("segformer/train.py", frozenset({advice.CONFIG, "class_num"}))
RUN = advice.Command("utils/launch/distribute.py", frozenset({"master_port", "dry_run"}))
FILES = {
    "nas_fpn/train.py",
    "nas_fpn/eval.py",
    "nas_fpn/scripts/run.sh",
    "utils/launch/distribute.py",
    "requirements.txt",
}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("go on with --resume=auto", []),
        ("go on with --resum=auto", ["--resum"]),
        ("go on with --re-sume", ["--re-sume"]),
        ("set skip_bad_images", ["skip_bad_images"]),
        ("set momentun to 0.9", ["momentun"]),
        ("set lr to 0.1, or batch_size to 2", []),
        ("lower lr_rate", ["lr_rate"]),
        ("raise batch_sise or num_classes", ["batch_sise"]),
        ("leave class_names out", ["class_names"]),
        ("choose another run_folder", ["run_folder"]),
        ("the key img_shape counts", ["img_shape"]),
        ("write base_lr=0.1", ["base_lr"]),
        ("num_classes is {} and the file has {} classes", []),
        ("the file has {} classes, class_num says {}", ["class_num"]),
        ("image_id is not in the file", []),
        ("run `python eval.py --min_score=0.1`, then train.py --lr=0.1", []),
        ("run eval.py --batch_size=2", ["--batch_size"]),
        ("see a launcher's --master_port, --master_port", ["--master_port"]),
        ("make them with create_data.py", ["create_data.py"]),
        ("bash scripts/run.sh, or bash scripts/walk.sh", ["scripts/walk.sh"]),
        ("pip install -r requirements.txt", []),
        ("config/custom.yaml has these values", ["config/custom.yaml"]),
        ("as config.yaml of the run says", []),
        ("pack it again (tar --dereference {})", []),
        ("name each {}.json like {name}_2.py", []),
    ],
)
def test_a_text_is_taken_at_its_word(text, wrong):
    found = advice.faults(advice.Message("utils/a.py", 1, text), TRAIN, [TRAIN, EVAL, OTHER, RUN], FILES)
    assert [fault.split(" is ")[0] for fault in found] == wrong


def test_shell_and_cpp_texts():
    script = 'set -e  # --no\n# run.sh [--dry] FOLDER\n  die "give --a=${B} to $0"\ncall --c="x"\n'
    texts = [message.text for message in advice.shell_messages("run.sh", script)]
    assert texts == ["run.sh [--dry] FOLDER", "give --a={} to {}"]
    source = 'Say("no " + name + " here: give " +\n    "--flag");\nOther("x y", "z");'
    assert [each.text for each in advice.cpp_messages("a.cc", source)] == ["no {} here: give --flag", "x y"]
