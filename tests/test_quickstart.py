"""quickstart.sh: what it answers before anything is installed, and what it says of suites that end well and badly."""

import json
import os
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from utils.api.suites import open_config
from utils.model_utils.errors import BadStateError, BadValueError
from utils.tests.processes import finish
from utils.tools import quickstart
from utils.tools.quickstart import SUITES, main, read_arguments

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A clone's quickstart.sh without .venv, and a Python that has no packages."""
    root = tmp_path_factory.mktemp("bare clone")
    shutil.copy(ROOT / "quickstart.sh", root)
    for room in ("tools", "model_utils"):
        shutil.copytree(ROOT / "utils" / room, root / "utils" / room, ignore=shutil.ignore_patterns("tests"))
    for file in ("__init__.py", "installation.py", "words.py"):
        shutil.copy(ROOT / "utils" / file, root / "utils")
    python = root / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    python.chmod(0o755)
    return root


def quickstart_of(bare, *arguments, **variables):
    environment = {**os.environ, "PYTHON": str(bare / "python"), **variables}
    return finish("bash", bare / "quickstart.sh", *arguments, env=environment)


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_needs_no_python(flag, bare):
    finished = quickstart_of(bare, "nas_fpn", flag, PYTHON="/no/python")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout == quickstart.__doc__
    assert all(word in finished.stdout for word in (*SUITES, "--fast", "--help", "PYTHON="))


def test_a_slip_of_the_pen_is_told_before_anything_is_installed(bare):
    finished = quickstart_of(bare, "nas_fpn", "segfromer")
    assert finished.returncode == 2
    assert finished.stderr == (
        "quickstart.sh: error: no suite 'segfromer' here: did you mean 'segformer'? There are nas_fpn, segformer, "
        "faster_rcnn\n"
    )
    assert not (bare / ".venv").exists()


@pytest.mark.parametrize(
    ("words", "names", "is_fast"),
    [
        ([], ("nas_fpn", "segformer", "faster_rcnn"), False),
        (["--fast"], ("nas_fpn",), True),
        (["segformer", "--fast"], ("segformer",), True),
        (["segformer", "nas_fpn", "segformer"], ("segformer", "nas_fpn"), False),
    ],
)
def test_the_suites_that_are_named_are_shown(words, names, is_fast):
    request = read_arguments(words)
    assert (request.names, request.is_fast) == (names, is_fast)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fats"], "no argument '--fats' here: did you mean '--fast'"),
        (["--fast", "nas_fpn", "segformer"], "--fast shows one suite, got nas_fpn, segformer"),
    ],
)
def test_what_it_cannot_do_is_a_sentence(words, said):
    with pytest.raises(BadValueError, match="^" + said.replace("?", r"\?")):
        read_arguments(words)


@pytest.fixture()
def ran(monkeypatch, tmp_path):
    """The commands of a quickstart that runs none of them; evaluations leave a result, and those in `bad` fail."""
    commands = []

    def run(what, command):
        commands.append([what, *command])
        if what in run.bad:
            raise BadStateError(f"{what} ended with exit code 3; its messages are above")
        if what.startswith("evaluating"):
            folder = Path(next(word for word in command if word.startswith("--run_dir=")).partition("=")[2])
            folder.mkdir(parents=True)
            (folder / "result.json").write_text(json.dumps({"AP50": 0.5, "mIoU": 0.25}))

    run.bad, run.commands = (), commands
    monkeypatch.setattr(quickstart, "_run", run)
    monkeypatch.setattr(quickstart, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(quickstart, "FAST_RUNS", tmp_path / "fast")
    monkeypatch.chdir(tmp_path)
    return run


def test_a_suite_that_fails_loses_no_line_of_the_others(ran, capsys, tmp_path):
    ran.bad = ("training segformer",)
    assert main([]) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith((*SUITES,))]
    assert [line.partition(" seconds=")[0] for line in lines] == [
        "nas_fpn AP50=0.500",
        "segformer failed: training segformer ended with exit code 3; its messages are above",
        "faster_rcnn AP50=0.500",
        *(("nas_fpn AP50=0.500", lines[1], "faster_rcnn AP50=0.500")),
    ]


def test_a_line_is_said_when_its_suite_ends_and_kept_after_ctrl_c(ran, monkeypatch, capsys):
    said = []

    def run(what, command):
        said.append((what, capsys.readouterr().out))
        if what == "training faster_rcnn":
            raise KeyboardInterrupt
        ran(what, command)

    monkeypatch.setattr(quickstart, "_run", run)
    with pytest.raises(KeyboardInterrupt):
        main([])
    before = dict(said)
    assert "nas_fpn AP50=0.500" in before["preparing the data of segformer"]
    assert "segformer mIoU=0.250" in before["training faster_rcnn"]
    last = capsys.readouterr().out.splitlines()
    assert [line.split(" seconds=")[0] for line in last] == ["nas_fpn AP50=0.500", "segformer mIoU=0.250"]


def test_where_the_sample_data_cannot_be_drawn_nothing_is_trained(ran):
    ran.bad = ("drawing the sample data",)
    with pytest.raises(BadStateError, match="drawing the sample data ended"):
        main(["nas_fpn"])
    assert len(ran.commands) == 1


@pytest.mark.parametrize("name", SUITES)
def test_the_next_commands_are_ones_that_the_suite_knows(name, ran, capsys, tmp_path):
    assert main(["--fast", name]) == 0
    printed = capsys.readouterr().out.partition("\nNext, in ")[2].partition(":\n")[2].splitlines()
    commands = [shlex.split(line) for line in printed if not line.startswith("  #")]
    assert [Path(words[1]).name for words in commands] == ["infer.py", "train.py", "export.py"]
    known = type(open_config(name).load([])).model_fields
    for _, script, *keys in commands:
        assert (tmp_path / script).resolve() == ROOT / name / Path(script).name
        assert {key.removeprefix("--").partition("=")[0] for key in keys} <= {*known, "config_path"}
    best = tmp_path / "fast" / name / SUITES[name].best_checkpoint
    for words in (commands[0], commands[2]):
        assert (tmp_path / words[2].partition("=")[2]).resolve() == best
    training = next(words for words in ran.commands if words[0] == f"training {name}")
    assert {*SUITES[name].fast, f"--run_dir={tmp_path / 'fast' / name}"} <= {*training}


@pytest.mark.parametrize("name", SUITES)
def test_a_shown_suite_keeps_two_checkpoints_beside_the_best(name):
    assert open_config(name).load(["--config_path=config/quickstart.yaml"]).keep_checkpoint_max == 2
