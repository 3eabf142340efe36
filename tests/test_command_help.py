"""--help of the commands of all suites: which keys it shows, in what order, how quickly."""

import ast
import re
import resource
import sys

import pytest

from tests.suites import COMMANDS, FASTER_RCNN, NAS_FPN, ROOT, SEGFORMER, for_suites, run
from utils.engines.keys import ENGINE
from utils.model_utils.config.base import Config
from utils.model_utils.config.command_keys import CommandKeys
from utils.model_utils.config.schema import JOB
from utils.model_utils.errors import BadValueError

HEAVY = ("mindspore", "mmcv", "matplotlib", "cv2", "numpy")
# Of the processor, as the machine may be busy, and measured beside it, as processors differ: help takes about twice as
# long as Python with pydantic alone.
PYDANTIC, MOST_TIMES = [sys.executable, "-c", "import pydantic; pydantic.BaseModel"], 4
# What no command acts on: a key of postprocess.py, which has arguments of its own, and two that have one value only.
OF_NO_COMMAND = {"result_path", "nasfpn_start_level", "nasfpn_end_level"}
DOCUMENTED = [  # what the pages give each command
    (NAS_FPN, "create_data.py", "create_dataset prefix is_training"),
    (NAS_FPN, "export.py", "file_name file_format checkpoint_path"),
    (FASTER_RCNN, "convert_checkpoint.py", "checkpoint_path"),
    (FASTER_RCNN, "eval.py", "instance_set checkpoint_path backbone coco_root mindrecord_dir"),
    (FASTER_RCNN, "export.py", "checkpoint_path device_target file_format backbone file_name"),
    (SEGFORMER, "train.py", "pre_trained data_path run_eval"),
    (SEGFORMER, "eval.py", "eval_ckpt_path data_path"),
    (SEGFORMER, "export.py", "export_ckpt_path export_format"),
    (SEGFORMER, "infer.py", "infer_ckpt_path data_path infer_output_path"),
]
# Read on the way by commands in which they change nothing: training draws no pictures, export.py says that it does not
# take the canvas over, and the classes of a data set are met by eval.py alone.
WITHOUT_EFFECT = {"picture_min_score", "canvas", "ignore_unknown_classes"}
# An exported Faster R-CNN suppresses itself; its export.py says that these do nothing.
OF_SUPPRESSION = {"flip_test", "flip_merge", "nms_method", "nms_across_classes", "soft_nms_sigma", "soft_nms_min_score"}
# What the toy does not reach: other schedules, float16, several processes, canvases that follow the pictures, earlier
# weights, images and labels in other layouts, tools at test time, a metric that is expected, thresholds stored again,
# ONNX files in place of checkpoints.
OF_OTHER_RUNS = {
    *(
        "lr_init",
        "lr_steps",
        "lr_decay",
        "lr_end_rate",
        "poly_power",
        "loss_scale",
        *(f"warmup_epochs{n}" for n in range(1, 6)),
    ),
    *("canvas_sides", "canvas_divisor", "size_divisor", "canvas_keep_ratio", "device_num"),
    *("train_split", "label_pattern", "split_list", "val_share", "val_seed", "val_group_by_stem"),
    *("pre_trained", "allow_missing", "allow_mismatch", "backbone", "res2net_layers"),
    *("train_data_type", "flip_merge", "soft_nms_min_score", "expected_tolerance", "overwrite"),
    *ENGINE,
}
# Paths that are read by `require` and `results_folder`, and a limit that is set for the process.
READ_ELSEWHERE = {"run_dir", "image_path", "infer_output_path", "data_path", "max_image_megapixels"}


def commands_of(suite) -> dict[str, CommandKeys]:
    return suite.part("config").COMMANDS


def schema_of(suite) -> type[Config]:
    return type(suite.part("config").load([]))


def help_of(suite, capsys, *arguments, program="infer.py") -> str:
    with pytest.raises(SystemExit) as caught:
        suite.part("config").load(list(arguments), program)
    assert caught.value.code == 0
    return capsys.readouterr().out


def keys_in(text: str) -> list[str]:
    return re.findall(r"^  --(\w+)=", text, re.MULTILINE)


@for_suites
def test_each_entry_script_has_its_keys(suite):
    """An entry script that reads the configuration calls `load` with its own name."""
    named = set()
    for script in suite.path.glob("*.py"):
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "program":
                assert ast.literal_eval(node.value) == script.name
                named.add(script.name)
    assert named == set(commands_of(suite)) >= set(COMMANDS)


@for_suites
def test_the_keys_of_a_command_are_keys_and_all_have_a_command(suite):
    schema, shown = schema_of(suite), set()
    for name, command in commands_of(suite).items():
        keys = command.keys(schema)
        assert 5 <= len(command.first) <= 10, name
        assert len(set(keys)) == len(keys), name
        given = {*command.first, *(command.others or ()), *command.left_out}
        assert given <= set(schema.model_fields), (name, given - set(schema.model_fields))
        assert command.checkpoint_key in ("", command.first[0]), name
        shown |= set(keys)
    assert set(schema.model_fields) - shown == OF_NO_COMMAND & set(schema.model_fields)


@for_suites
def test_what_the_weights_fix_is_no_key_of_a_command_that_reads_them(suite):
    """But for the wanted classes of a detector, and the backbone that a page gives eval.py and export.py."""
    schema = schema_of(suite)
    for command in commands_of(suite).values():
        if command.checkpoint_key:
            assert schema.keys_in("FIXED_BY_WEIGHTS") & {*command.keys(schema)} <= {"coco_classes", "backbone"}


@pytest.mark.parametrize(("suite", "program", "keys"), DOCUMENTED, ids=str)
def test_the_keys_that_a_page_gives_a_command_are_in_its_help(suite, program, keys):
    assert {*keys.split()} <= {*commands_of(suite)[program].keys(schema_of(suite))}


@for_suites
def test_help_shows_the_keys_of_the_command_the_most_used_first(suite, capsys, monkeypatch):
    monkeypatch.chdir(suite.path)
    schema = schema_of(suite)
    for name, command in commands_of(suite).items():
        text = help_of(suite, capsys, "--help", "--lr=nonsense", program=name)
        assert text.startswith(f"usage: python {name} ")
        assert command.description in text
        shown = keys_in(text)
        assert shown[: len(command.first)] == [*command.first]
        assert sorted(shown) == sorted(command.keys(schema))
        assert f"the {len(schema.model_fields) - len(shown)} others of the suite" in " ".join(text.split())
    lines = {topic: len(help_of(suite, capsys, topic).splitlines()) for topic in ("--help", "--help=all")}
    assert lines["--help"] < 0.4 * lines["--help=all"]


@for_suites
def test_help_of_all_shows_every_key(suite, capsys):
    text = help_of(suite, capsys, "--help=all")
    assert sorted(keys_in(text)) == sorted(schema_of(suite).model_fields)
    assert "Keys without effect, accepted" in text


@for_suites
def test_help_of_one_key_says_all_of_it(suite, capsys):
    assert help_of(suite, capsys, "--help=run-dir").splitlines()[0] == "  --run_dir='.'"
    text = help_of(suite, capsys, "--help=base_lr")  # another name
    assert "highest learning rate (a number above 0)" in text
    assert "other names: --base_lr" in text
    assert "acted on by: train.py\n" in text
    assert "      default of the schema: ''\n" in help_of(suite, capsys, "--help=resume")
    assert help_of(suite, capsys, "--help", "base_lr") == help_of(suite, capsys, "--lr", "-h", "base_lr") == text
    assert help_of(suite, capsys, "-h", "all") == help_of(suite, capsys, "--help=all")
    assert help_of(suite, capsys, "--help", "--lr=0.1") == help_of(suite, capsys, "--help")
    inactive = next(iter(schema_of(suite).inactive_keys()))
    assert f"--{inactive} is accepted and has no effect: " in help_of(suite, capsys, f"--help={inactive}")
    fixed = min(schema_of(suite).keys_in("FIXED_BY_WEIGHTS"))
    assert "where a checkpoint is read, its value counts" in help_of(suite, capsys, f"--help={fixed}")
    with pytest.raises(BadValueError, match="unknown key 'run_dri': the nearest known one is 'run_dir'"):
        suite.part("config").load(["--help=run_dri"], "eval.py")


@for_suites
def test_help_of_a_process_is_quick_and_imports_nothing_heavy(suite):
    command = [sys.executable, "-m", "utils.cli", "infer", suite.name, "--help"]
    listed = run(command, ROOT, PYTHONPROFILEIMPORTTIME="1")
    assert listed.returncode == 0, listed.stderr
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in listed.stderr.splitlines()}
    assert "pydantic" in imported
    assert not imported & {*HEAVY}
    assert is_quick(command)


def test_help_of_the_commands_is_quick():
    assert is_quick([sys.executable, "-m", "utils.cli", "--help"])


def is_quick(command) -> bool:
    """Tells whether a command takes little longer than an import, in one of four tries."""
    return any(seconds_of(command) < MOST_TIMES * seconds_of(PYDANTIC) for _ in range(4))


def seconds_of(command) -> float:
    """Returns the seconds of the processor that a command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert run(command, ROOT).returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.long_run
@pytest.mark.parametrize("program", COMMANDS)
@for_suites
def test_a_command_shows_each_key_that_it_reads(suite, program, checkpoint, tmp_path, monkeypatch):
    """Run on the toy's data with the tiny network; what a training alone goes by may be read on the way."""
    read, known = set(), schema_of(suite)
    getattribute = Config.__getattribute__

    def note(self, name):
        if name in known.model_fields and is_of_the_command(sys._getframe(1).f_code.co_filename):
            read.add(name)
        return getattribute(self, name)

    data = suite.tiny.write_toy_data(tmp_path / "data")
    places = [f"--run_dir={tmp_path / 'out'}", f"--{suite.data}={data}"]
    places += ["--infer_output_path=" + str(tmp_path / "found")] if program == "infer.py" else []
    if suite is not SEGFORMER and program == "infer.py":
        places.append(f"--image_path={data / 'val2017'}")
    if program == "train.py":
        places += [*suite.tiny.TOY_TRAINING, "--epoch_size=1", "--eval_start_epoch=0", "--enable_profiling=False"]
        places += ["--load_ckpt=False", "--warmup_steps=0"] * (suite is SEGFORMER)
    else:
        places.append(f"--{suite.checkpoints[program]}={checkpoint}")
    monkeypatch.setattr(Config, "__getattribute__", note)
    suite.call(program, *places)
    monkeypatch.undo()
    shown = {*commands_of(suite)[program].keys(known)}
    passing = known.keys_in("FIXED_BY_WEIGHTS") | known.keys_in("COURSE_OF_TRAINING")
    idle = OF_SUPPRESSION if (suite, program) == (FASTER_RCNN, "export.py") else set()
    assert read - shown <= passing | WITHOUT_EFFECT | idle
    paths = READ_ELSEWHERE | {commands_of(suite)[program].checkpoint_key}
    assert shown - read <= OF_OTHER_RUNS | paths | {*JOB}


def is_of_the_command(file: str) -> bool:
    """Whether code reads a key for what it does, and not to check, dump or describe the configuration."""
    return not file.endswith(("keys.py", "config.py", "config_network.py")) and "/model_utils/config/" not in file
