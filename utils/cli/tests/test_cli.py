"""The command that runs all others: its table, its help, and what it says to words that it does not know."""

import importlib
import sys
from pathlib import Path

import pytest

from utils.cli.__main__ import help_text, main
from utils.cli.table import COMMANDS
from utils.installation import (
    COMMANDS_OF_SUITES,
    ROOT,
    console_command,
    module_command,
    module_name,
    shown_file,
    shown_script,
    work_folder,
    yaml_paths_folder,
)
from utils.model_utils.errors import BadValueError
from utils.tests.processes import finish
from utils.tools.bundle import SUITES

HEAVY = ("mindspore", "mmcv", "matplotlib", "numpy", "pydantic")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_what_runs_it(name):
    command = COMMANDS[name]
    assert bool(command.script) != bool(command.module)
    if command.script:
        assert all((ROOT / suite / command.script_of(suite)).is_file() for suite in SUITES)
    else:
        assert command.module.startswith("utils.")  # never a suite
        assert callable(importlib.import_module(command.module).main)


def test_the_converter_is_the_suites_own():
    scripts = [COMMANDS["convert"].script_of(suite) for suite in ("nas_fpn", "faster_rcnn", "segformer")]
    assert scripts == ["convert_checkpoint.py", "convert_checkpoint.py", "tools/convert_model.py"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trian", "segformer"], "no command 'trian' here: did you mean 'train'? There are train, eval,"),
        (["zzz"], "no command 'zzz' here: there are train, eval,"),
        (["train", "nas-fpn"], "no suite 'nas-fpn' here: did you mean 'nas_fpn'? There are faster_rcnn, nas_fpn,"),
        (["train", "SegFormer"], "no suite 'SegFormer' here: did you mean 'segformer'?"),
        (["train"], "'train' needs a suite, wanted one of: faster_rcnn, nas_fpn, segformer"),
        (["train", "--lr=1"], "no suite '--lr=1' here"),
    ],
)
def test_a_word_that_is_not_known_is_answered_with_the_near_one(arguments, said):
    with pytest.raises(BadValueError, match="^" + said.replace("?", r"\?")):
        main(arguments)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_every_command_and_suite(arguments, capsys):
    assert main(arguments) is None
    said = capsys.readouterr().out
    assert said == help_text() + "\n"
    assert all(word in said for word in (*COMMANDS, *SUITES))


def test_help_of_a_command_names_the_suites(capsys):
    main(["infer", "--help"])
    assert "python -m utils.cli infer SUITE" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["doctor"], ["models"], ["models", "get"]])
def test_the_usage_of_a_command_can_be_typed(command, capsys):
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    assert capsys.readouterr().out.startswith(f"usage: {console_command(*command)} [-h]")


def test_help_imports_nothing_heavy():
    code = f"import sys; from utils.cli.__main__ import main; main([]); print([m for m in {HEAVY} if m in sys.modules])"
    finished = finish(sys.executable, "-c", code, cwd=ROOT)
    assert finished.stdout.splitlines()[-1] == "[]", finished.stderr


def test_a_suites_command_is_its_script_with_its_code_and_folder(tmp_path):
    command = (*module_command("utils.cli"), "infer", "segformer", "--infer_ckpt_path=none.ckpt", "--data_path=none")
    through = finish(*command, cwd=ROOT)
    itself = finish(sys.executable, ROOT / "segformer/infer.py", *command[5:], cwd=ROOT)
    assert (through.returncode, through.stdout, through.stderr) == (2, itself.stdout, itself.stderr)


def test_the_words_of_scripts_are_those_of_the_table():
    assert tuple(name for name, command in COMMANDS.items() if command.script) == COMMANDS_OF_SUITES


def test_a_clone_is_its_own_place():
    assert Path(__file__).resolve().parents[3] == ROOT == work_folder()
    assert module_name("utils.images") == "utils.images"
    assert module_command("utils.cli", "--help") == [sys.executable, "-m", "utils.cli", "--help"]
    assert shown_file("utils/hccl_tools/check.py") == "utils/hccl_tools/check.py"
    assert console_command("models", "list") == "python -m utils.cli models list"
    assert shown_script(ROOT / "nas_fpn/infer.py").endswith("nas_fpn/infer.py")
    assert yaml_paths_folder(ROOT / "nas_fpn") == ROOT / "nas_fpn"
