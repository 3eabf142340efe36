"""The tool that tries to lose trainings says what is lost; the trainings are played by a script of a few lines."""

import argparse
import json
import os
import random
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from utils.detection.data.mindrecord_writer import BUILD_DIR_NAME
from utils.installation import ROOT
from utils.launch.processes.process_search import is_running
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.model_utils.files import write_file
from utils.tests.processes import finish, wait_for
from utils.tools.torture import __main__ as command
from utils.tools.torture import compare, full_disk, kills, moments, report, soak
from utils.tools.torture.bench import MARK, Bench, Try, taken_folder
from utils.tools.torture.small_suites import DATA_NAME, SUITES, SmallSuite, chosen_suites
from utils.tools.torture.watched import Watched
from utils.training.checkpoints.checkpoint_file import write_checkpoint_file

# A training of eight steps, each a row that follows from its number alone, and a file. "keeps" is a good behaviour,
# "forgets" goes on as if it had begun there, "leaves" keeps what it could not finish, "raises" has no sentence.
SCRIPT = """
import json, os, sys, time
folder, behaviour = sys.argv[1:]
run = os.path.join(folder, "run")
os.makedirs(run, exist_ok=True)
metrics = os.path.join(run, "metrics.jsonl")
done = sum(1 for _ in open(metrics)) if os.path.exists(metrics) else 0
for number in range(done, 8):
    unfinished = os.path.join(run, ".values.tmp")
    try:
        with open(unfinished, "wb") as file:
            file.write(bytes(5000))
        os.replace(unfinished, os.path.join(run, f"{number}.bin"))
    except OSError as error:
        if behaviour == "raises":
            raise
        if behaviour != "leaves":
            os.remove(unfinished)
        print(f"train.py: error: {error}", file=sys.stderr)
        sys.exit(2)
    step = number - done * (behaviour == "forgets")
    with open(metrics, "a") as file:
        file.write(json.dumps({"kind": "step", "global_step": step, "seconds": time.time()}) + chr(10))
    time.sleep(0.05)
"""


@dataclass(frozen=True)
class PlayedSuite(SmallSuite):
    script: str = ""
    behaviour: str = "keeps"

    def command(self, here, *arguments):
        return [sys.executable, "-c", self.script, str(here), self.behaviour]


def bench_of(tmp_path, behaviour, script=SCRIPT):
    (tmp_path / DATA_NAME).mkdir()
    suite = PlayedSuite("played", "data", "ckpt", (), script=script, behaviour=behaviour)
    return Bench(suite, tmp_path, random.Random(3), most_hurts=2)


@pytest.fixture
def only_steps(monkeypatch):
    monkeypatch.setattr(kills, "draw_names", lambda suite, draws, count: [moments.STEP])
    monkeypatch.setattr(kills, "delay_after", lambda name, seconds, draws: 0.12)


def test_a_training_that_goes_on_where_it_was_survives_its_kill(tmp_path, only_steps):
    tried = kills.try_kills(bench_of(tmp_path, "keeps"))
    assert (tried.lost, [moment["at"] for moment in tried.moments]) == ([], ["step"])
    assert len((tmp_path / "try1/run/metrics.jsonl").read_text().splitlines()) == 8


def test_a_long_training_is_killed_until_it_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(kills, "LONG_SECONDS", (0.2, 0.2))
    tried = kills.try_long_training(bench_of(tmp_path, "keeps"))
    assert tried.lost == []
    assert 1 <= len(tried.moments) <= 8
    assert {moment["at"] for moment in tried.moments} == {"0 s"}


def test_a_training_that_is_stuck_is_lost_and_gone(tmp_path, played, capsys):
    script = "import time; time.sleep(60)"
    suite = PlayedSuite("played", "data", "ckpt", (), script=script)
    processes = []

    def action(tried):
        with Watched(suite.command(tmp_path), tmp_path, tmp_path / "log") as training:
            processes.append(training.process)
            training.finish(0.1)

    played(action)
    arguments = ([suite], ["kills"], tmp_path, tmp_path / "out.json", {}, options(tmp_path, tries=1))
    assert command._torture(*arguments) == command.EXIT_LOST
    assert "LOST: a training has not ended after 0.1 s" in capsys.readouterr().out
    assert processes[0].poll() is not None


def test_a_training_that_goes_on_elsewhere_is_lost(tmp_path, only_steps):
    tried = kills.try_kills(bench_of(tmp_path, "forgets"))
    assert len(tried.moments) == 1
    assert tried.lost[0].startswith("metrics.jsonl, row ")
    assert tried.lost[0].endswith(" is another")


@pytest.mark.parametrize(("share", "words"), [(1.0, "No space left on device"), (0.0, "File too large")])
def test_a_full_disk_is_seen_with_its_sentence(tmp_path, monkeypatch, share, words):
    """As root on a disk of its own; elsewhere, and in some tries, with a limit on each file."""
    monkeypatch.setattr(full_disk, "DISK_SHARE", share)
    monkeypatch.setattr(full_disk, "_sizes", lambda *_: [4096])
    tried = full_disk.try_full_disk(bench_of(tmp_path, "keeps"))
    if tried.moments[0]["mode"] == "limit":
        words = "File too large"
    assert tried.moments[0]["said"].startswith("train.py: error: ")
    assert words in tried.moments[0]["said"]
    assert tried.lost == []
    assert not (tmp_path / "try1").is_mount()


@pytest.mark.parametrize(
    ("behaviour", "lost"),
    [
        ("raises", {"a traceback", "'run/.values.tmp' is left"}),
        ("leaves", {"'run/.values.tmp' is left"}),
    ],
)
def test_a_traceback_and_a_left_over_on_a_full_disk_are_lost(tmp_path, monkeypatch, behaviour, lost):
    monkeypatch.setattr(full_disk, "DISK_SHARE", 0.0)
    monkeypatch.setattr(full_disk, "_sizes", lambda *_: [4096])
    tried = full_disk.try_full_disk(bench_of(tmp_path, behaviour))
    assert set(tried.lost) >= lost
    assert any(text.startswith("exit code 1, 0 sentences") for text in tried.lost) == (behaviour == "raises")


def test_unfinished_files_have_the_names_that_the_writers_give_them(tmp_path, monkeypatch):
    names = [BUILD_DIR_NAME.format(prefix="train.mindrecord")]
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: (names.append(os.path.basename(old)), replace(old, new)))
    write_file(tmp_path / "result.json", b"{}")
    write_checkpoint_file(tmp_path / "net-1_3.ckpt", {"w": np.zeros(2, np.float32)})
    assert len(names) == 3
    for name in names:
        (tmp_path / name).write_bytes(b"")
    assert compare.unfinished_files(tmp_path) == sorted(names)
    suite, folder = SUITES["nas_fpn"], tmp_path / "run" / "ckpt"
    folder.mkdir(parents=True)
    is_there = moments.condition_of(moments.CHECKPOINT, suite, tmp_path)
    assert not is_there()
    (folder / names[2]).write_bytes(b"")
    assert is_there()


def test_what_differs_is_named():
    expected = {"a": 1, "b": (2,), "c": "x"}
    assert compare.differences({"a": 1, "b": (3,), "d": 0}, expected) == [
        "b is another",
        "c is missing",
        "d is too much",
    ]


def samples_of(rss_of, **counts):
    usual = {"files": 11, "threads": 9, "children": 1}
    values = {name: counts.get(name, lambda step, value=value: value) for name, value in usual.items()}
    return [
        soak.Sample(step, rss_of(step), **{name: value(step) for name, value in values.items()})
        for step in range(0, 5001, 10)
    ]


@pytest.mark.parametrize(
    ("samples", "lost"),
    [
        (samples_of(lambda step: 9e5 + 3.9 * step), []),
        (samples_of(lambda step: 9e5 + 4.1 * step), ["memory grows by 4.1 kB a step"]),
        (samples_of(lambda step: 9e5 + 100 * max(0, 1990 - step)), []),  # before the last 3,000
        (samples_of(lambda step: 9e5 + 20400 * (step == 3000)), []),
        (samples_of(lambda step: 9e5 + 20600 * (step == 3000)), ["memory was 20 MB above its median"]),
        (samples_of(lambda _: 9e5, files=lambda step: 11 + step // 1000), ["files grow from 13 to 15"]),
        (samples_of(lambda _: 9e5, threads=lambda step: 9 + 5 * (step == 4990)), []),
        (samples_of(lambda _: 9e5, children=lambda step: 1 + (step > 3900)), ["children grow from 1 to 2"]),
    ],
)
def test_growth_over_the_last_three_thousand_steps_is_found(samples, lost):
    figures = soak.judge(samples, 5000)
    assert figures["lost"] == lost
    assert figures["samples"] == 301
    assert soak.line_of(figures).endswith(lost[0] if lost else "no growth")


def test_too_few_looks_judge_nothing():
    with pytest.raises(BadStateError, match="only 3 looks"):
        soak.judge(samples_of(lambda _: 9e5)[-3:], 5000)


def test_the_table_counts_tries_moments_and_losses():
    tries = [
        Try("a", "kills", 1, [{"at": "step"}, {"at": "start"}]),
        Try("a", "kills", 2, [{"at": "step"}], ["x is another"]),
        Try("b", "kills", 1, [{"at": "step"}]),
    ]
    assert report.table_rows(tries) == [
        ("a", "kills", 2, 3, 1, 1),
        ("b", "kills", 1, 1, 1, 0),
        ("all", "kills", 3, 4, 2, 1),
    ]
    assert report.line_of(tries[1]) == "a, kills, try 2 (0 s): step: LOST: x is another"


def options(tmp_path, **values):
    given = {"minutes": 1.0, "tries": None, "seed": 1, "hurts": 2, "epochs": 4, **values}
    return argparse.Namespace(**given)


@pytest.fixture
def played(monkeypatch):
    """Kinds that do nothing but what a test gives them."""
    monkeypatch.setattr(command, "draw_data", lambda *_: None)

    def play(action):
        def once(bench):
            tried, _ = bench.new_try("kills")
            action(tried)
            return tried

        monkeypatch.setattr(command, "KINDS", {"kills": once})

    return play


def test_a_loss_is_exit_code_one_and_all_tries_are_in_the_file(tmp_path, played, capsys):
    played(lambda tried: tried.lost.extend(["x is another"] * (tried.number == 2)))
    output, suites = tmp_path / "out.json", [SUITES["segformer"]]
    arguments = (suites, ["kills"], tmp_path, output, {"seed": 1})
    assert command._torture(*arguments, options(tmp_path, tries=1)) == 0
    assert command._torture(*arguments, options(tmp_path, tries=3)) == command.EXIT_LOST
    content = json.loads(output.read_text())
    assert [tried["lost"] for tried in content["tries"]] == [[], ["x is another"], []]
    assert content["table"][-1] == {"suite": "all", "kind": "kills", "tries": 3, "moments": 0, "survived": 2, "lost": 1}
    assert "| segformer | kills | 3 | 0 | 2 | 1 |" in capsys.readouterr().out


def test_ctrl_c_shows_the_table_so_far(tmp_path, played, capsys):
    def action(tried):
        if tried.number == 2:
            raise KeyboardInterrupt

    played(action)
    with pytest.raises(KeyboardInterrupt):
        command._torture([SUITES["nas_fpn"]], ["kills"], tmp_path, tmp_path / "out.json", {}, options(tmp_path))
    assert "| nas_fpn | kills | 1 | 0 | 1 | 0 |" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "out.json").read_text())["tries"]) == 1


def test_unknown_suites_and_kinds_are_refused():
    with pytest.raises(BadValueError, match="no suite 'yolo' here, wanted one of: nas_fpn, segformer, "):
        chosen_suites("yolo")
    with pytest.raises(BadValueError, match="--kinds names 'floods'"):
        command._chosen_kinds("kills, floods", chosen_suites("all"))
    assert "long training" not in command._chosen_kinds(None, chosen_suites("segformer"))


def test_what_would_try_nothing_is_refused(tmp_path, played, capsys):
    """Zero tries of which none is lost look like a success."""
    for argument, said in (
        ("--hurts=0", "'0' is not a whole number from 1 to 999999999"),
        ("--tries=-1", "'-1' is not a whole number"),
        ("--steps=x", "'x' is not a whole number"),
        ("--epochs=", "'' is not a whole number"),
        ("--minutes=0", "'0' is not a number of minutes above 0"),
        ("--minutes=-5", "'-5' is not a number of minutes above 0"),
        ("--minutes=nan", "'nan' is not a number of minutes above 0"),
    ):
        with pytest.raises(SystemExit) as ended:
            command._parser().parse_args(["nas_fpn", argument])
        assert (ended.value.code, said in capsys.readouterr().err) == (2, True), argument
    with pytest.raises(BadValueError, match="'two runs at once' needs MindRecord files, of which segformer has none"):
        command._chosen_kinds("two runs at once", chosen_suites("segformer"))
    assert command._chosen_kinds("two runs at once", chosen_suites("all")) == ["two runs at once"]
    played(lambda tried: None)
    command._torture([SUITES["nas_fpn"]], ["kills"], tmp_path, tmp_path / "out.json", {}, options(tmp_path, minutes=0))
    assert "| nas_fpn | kills | 1 | 0 | 1 | 0 |" in capsys.readouterr().out


def test_a_file_that_cannot_be_written_is_refused_before_the_first_try(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    output = tmp_path / "file" / "out.json"
    monkeypatch.setattr(sys, "argv", ["torture", "segformer", f"--output={output}", f"--work={tmp_path / 'work'}"])
    with pytest.raises(MissingPathError, match="file' is a file; choose another --output"):
        command.main()


def test_help_needs_no_mindspore():
    code = "import runpy, sys; sys.modules['mindspore'] = None; sys.argv[1:] = ['--help']; "
    code += "runpy.run_module('utils.tools.torture', run_name='__main__')"
    answer = finish(sys.executable, "-c", code, cwd=ROOT)
    assert "--minutes" in answer.stdout, answer.stderr


def test_what_has_left_the_group_of_a_job_is_found_by_its_mark_and_ended(tmp_path):
    code = """
import os, subprocess, sys
mark = {**os.environ, "LAUNCH_JOB": os.path.join(sys.argv[1], "run") + "#"}
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True, env=mark)
"""
    with Watched([sys.executable, "-c", code, str(tmp_path)], tmp_path, tmp_path / "log") as job:
        job.process.wait(60)
        (pid,) = job._processes()
    wait_for(lambda: not is_running(pid))


def test_a_folder_of_somebody_else_is_not_emptied_and_a_taken_one_is_refused(tmp_path):
    own, other = tmp_path / "own", tmp_path / "other"
    other.mkdir()
    (other / "kept").write_text("kept")
    with pytest.raises(BadStateError, match="is not of this tool"), taken_folder(other):
        pass
    assert (other / "kept").read_text() == "kept"
    with taken_folder(own):
        (own / "try1").mkdir()
        with pytest.raises(BadStateError, match="another call is at work"), taken_folder(own):
            pass
        assert (own / "try1").is_dir()
    with taken_folder(own):
        assert [path.name for path in own.iterdir()] == [MARK]
