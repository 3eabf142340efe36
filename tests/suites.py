"""A small sample of each suite, for the tests of what the suites have in common."""

import contextlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

import pytest

from utils.training.tests.counted_reads import reads_once

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 570  # seconds of a command: below pytest's own limit of a test, so that its output is shown; far above its need
COMMANDS = {"train.py": "train", "eval.py": "evaluate", "infer.py": "infer", "export.py": "export"}


@dataclass(frozen=True, eq=False)
class Suite:
    """A suite, and how it is called in small.

    Attributes:
        name: of its folder.
        sample: the module of its tests with TINY_NETWORK, the arguments of a network of a few thousand weights, TOY and
            TOY_TRAINING, those of one that learns its toy data, and `write_toy_data` and `write_checkpoint`.
        data: key of the data set.
        checkpoints: the key of the checkpoint for each command.
        train: launcher of a training and its arguments, its folder and its log there.
        evaluate: the same of an evaluation; CHECKPOINT in it stands for the file.
        checkpoint: form of its checkpoints in a run folder.
        metric: that the best checkpoint has most of.
    """

    name: str
    sample: str
    data: str
    checkpoints: dict[str, str]
    train: tuple[tuple[str, ...], str, str]
    evaluate: tuple[tuple[str, ...], str, str]
    checkpoint: str
    metric: str

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> Path:
        return ROOT / self.name

    def part(self, name: str) -> ModuleType:
        """Returns a module of its src."""
        return importlib.import_module(f"{self.name}.src.{name}")

    @cached_property
    def tiny(self) -> ModuleType:
        return importlib.import_module(f"{self.name}.tests.{self.sample}")

    @cached_property
    def documented(self) -> ModuleType:
        return importlib.import_module(f"{self.name}.tests.documented")

    def load(self, *arguments: object, program: str = "train.py"):
        """Returns the configuration of the tiny network."""
        return self.part("config").load([*self.tiny.TINY_NETWORK, *map(str, arguments)], program)

    def run(self, script: str, *arguments: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess:
        """Runs a command as a process to its end."""
        return run([sys.executable, self.path / script, *arguments], cwd, **variables)

    def launch(self, script: str, *arguments: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess:
        """Runs a launcher, called by its relative path, to its end, which has to be a good one."""
        launcher = os.path.relpath(self.path / "scripts" / script, cwd)
        finished = run(["bash", launcher, *arguments], cwd, PYTHON=sys.executable, FOREGROUND="1", **variables)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished

    def succeed(self, script: str, *arguments: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess:
        """Runs a command, which has to end well."""
        finished = self.run(script, *arguments, cwd=cwd, **variables)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished

    def refusal(self, script: str, *arguments: object, cwd: Path) -> str:
        """Runs a command, which has to refuse; returns the sentence."""
        return sentence_of(self.run(script, *arguments, cwd=cwd))

    def call(self, script: str, *arguments: object) -> None:
        """Runs a command on the tiny network in this process, which may have taken its device."""
        command, config = getattr(self.part(COMMANDS[script]), COMMANDS[script]), self.load(*arguments, program=script)
        self.part("build")  # which a command imports once it needs it
        reads = contextlib.nullcontext() if script == "train.py" else reads_once()
        with taken_device(), reads:  # of all modules that are imported by now
            command(config)

    def load_network(self, checkpoint: Path, *arguments: object):
        """Builds the network of a checkpoint as the commands do."""
        from mindspore import nn

        build = self.part("build")
        config, stored = build.open_checkpoint(self.load(*arguments), checkpoint)
        loaded = (getattr(build, "load_detector", None) or build.load_network)(config, stored)
        return loaded if isinstance(loaded, nn.Cell) else loaded[0]


@contextlib.contextmanager
def taken_device() -> Iterator[None]:
    """MindSpore takes a device once in a process, before the first operator; other tests have run some."""
    import mindspore as ms

    from utils.model_utils.device_adapter import DeviceInfo, choose_device

    ms.set_context(mode=ms.GRAPH_MODE)
    own = "utils.model_utils.device_adapter"
    takers = [module for name, module in list(sys.modules.items()) if name != own and has(module, "set_up_device")]
    with pytest.MonkeyPatch.context() as patch:
        for module in takers:
            patch.setattr(module, "set_up_device", lambda target, *_, **__: DeviceInfo(choose_device(target), 0, 0, 1))
        yield


def has(module: ModuleType, name: str) -> bool:
    return name in getattr(module, "__dict__", {})


def run(command: list, cwd: Path, **variables: str) -> subprocess.CompletedProcess:
    """Runs a command to its end; returns what it showed."""
    return subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
        env={**os.environ, **variables},
    )


def sentence_of(finished: subprocess.CompletedProcess) -> str:
    """Returns the one sentence of a command that has refused."""
    assert finished.returncode == 2, finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr
    lines = [line for line in finished.stderr.splitlines() if "error:" in line]
    assert len(lines) == 1, finished.stderr
    return lines[0]


def rows_of(run_folder: Path, kind: str, epoch: int | None = None) -> list[dict]:
    """Returns what a run has noted of its steps or evaluations, of one epoch or of all."""
    rows = map(json.loads, (run_folder / "metrics.jsonl").read_text().splitlines())
    return [row for row in rows if row["kind"] == kind and epoch in (None, row["epoch"])]


def files_of(folder: Path) -> set[str]:
    """Returns the files beneath a folder, relative to it."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


_DETECTOR = dict.fromkeys(COMMANDS, "checkpoint_path")
NAS_FPN = Suite(
    name="nas_fpn",
    sample="tiny_detector",
    data="coco_root",
    checkpoints=_DETECTOR,
    train=(("run_single_train.sh", "0", "records", "--coco_root=my data"), "LOG0", "log.txt"),
    evaluate=(
        ("run_eval.sh", "0", "coco", "records", "CHECKPOINT", "my data/annotations/instances_{}.json"),
        "eval0",
        "eval.log",
    ),
    checkpoint="ckpt/retinanet_nasfpn-{epoch}_{step}.ckpt",
    metric="mAP",
)
FASTER_RCNN = Suite(
    name="faster_rcnn",
    sample="tiny_detector",
    data="coco_root",
    checkpoints=_DETECTOR,
    train=(("run_standalone_train_cpu.sh", "", "res2net_50", "my data"), "train", "log"),
    evaluate=(
        (
            "run_eval_cpu.sh",
            "my data/annotations/instances_{}.json",
            "CHECKPOINT",
            "res2net_50",
            "my data",
            "records",
        ),
        "eval",
        "log",
    ),
    checkpoint="ckpt_0/faster_rcnn-{epoch}_{step}.ckpt",
    metric="mAP",
)
SEGFORMER = Suite(
    name="segformer",
    sample="tiny_checkpoint",
    data="data_path",
    checkpoints={
        "train.py": "pre_trained",
        "eval.py": "eval_ckpt_path",
        "infer.py": "infer_ckpt_path",
        "export.py": "export_ckpt_path",
    },
    train=(
        ("run_standalone_train.sh", "1", "config/custom.yaml", "my data", "", "True"),
        "run_standalone_train_device1",
        "train.log",
    ),
    evaluate=(
        ("run_eval.sh", "2", "config/custom.yaml", "CHECKPOINT", "my data"),
        "run_eval_device2",
        "eval.log",
    ),
    checkpoint="checkpoint/segformer_mit_b0_{epoch}.ckpt",
    metric="mIoU",
)
SUITES = (NAS_FPN, SEGFORMER, FASTER_RCNN)
DETECTORS = (NAS_FPN, FASTER_RCNN)


def for_each(suites: tuple[Suite, ...], long_run: tuple[Suite, ...] = ()) -> pytest.MarkDecorator:
    """Returns the mark of a test of each of the suites; for those of `long_run`, only --all runs it."""
    marks = {suite: pytest.mark.long_run if suite in long_run else () for suite in suites}
    return pytest.mark.parametrize("suite", [pytest.param(suite, marks=mark) for suite, mark in marks.items()], ids=str)


for_suites = for_each(SUITES)
for_detectors = for_each(DETECTORS)
