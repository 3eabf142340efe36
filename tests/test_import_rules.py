"""The repository keeps its import rules, and the checker finds each kind of breach."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import import_rules as rules

ROOT = Path(__file__).resolve().parent.parent


def _python_files():
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    return [path for path in ROOT.rglob("*.py") if ".venv" not in path.parts]


def test_every_file_keeps_the_rules():
    files = _python_files()
    assert len(files) > 20
    violations = [str(violation) for path in files for violation in rules.check_file(ROOT, path)]
    assert not violations, "\n".join(violations)


def test_no_folder_is_crowded():
    files = [path.relative_to(ROOT).as_posix() for path in _python_files()]
    assert rules.crowded_folders(files) == []
    many = [f"utils/launch/{number}.py" for number in range(rules.MOST_FILES)]
    assert rules.crowded_folders([*many, "utils/launch/tests/test_job.py"]) == []
    (sentence,) = rules.crowded_folders([*many, "utils/launch/one_more.py"])
    assert sentence.startswith("utils/launch has 14 Python files, at most 13 ")


@pytest.mark.parametrize(
    ("path", "source", "rule"),
    [
        ("nas_fpn/src/dataset.py", "from segformer.src import loss", rules.OTHER_SUITE),
        ("utils/training/loop.py", "import nas_fpn.src.loss", rules.UTILS_SUITE),
        ("utils/model_utils/config/loading.py", "from utils.training import loop", rules.UTILS_BACK),
        ("utils/model_utils/files.py", "from utils.model_utils.config.base import Config", rules.UTILS_BACK),
        ("utils/model_utils/files.py", "from utils.model_utils import moxing_adapter", rules.UTILS_BACK),
        ("utils/images.py", "import utils.detection.boxes", rules.UTILS_BACK),
        ("utils/hccl_tools/check.py", "from utils.launch.job import run_job", rules.UTILS_BACK),
        ("utils/exporting/export.py", "from utils.training.step import graphs", rules.UTILS_BACK),
        ("utils/training/checkpoints/checkpoint.py", "from utils.training.step import graphs", rules.UTILS_BACK),
        ("utils/training/step/graphs.py", "from utils.training.record.records import StepRecord", rules.UTILS_BACK),
        ("utils/training/step/graphs.py", "from utils.training.loop import Trainer", rules.UTILS_BACK),
        ("utils/training/loop.py", "from utils.detection.data import splits", rules.UTILS_BACK),
        ("utils/detection/data/splits.py", "from utils.detection.results import evaluation", rules.UTILS_BACK),
        ("utils/detection/boxes.py", "from utils.detection.data.splits import Split", rules.UTILS_BACK),
        ("utils/another/room.py", "", rules.NO_PLACE),
        ("utils/tools/bundle.py", "import importlib\nimportlib.import_module('segformer.src')", rules.UTILS_SUITE),
        ("segformer/src/dataset.py", "from utils.detection.augment import normalize", rules.SEGMENTATION),
        ("utils/launch/job.py", "from benchmarks.scaling import Case", rules.BENCHMARKS),
        ("nas_fpn/src/loss.py", "from src.nasfpn import NasFpn", rules.RELATIVE),
        ("nas_fpn/src/loss.py", "from nas_fpn.src.nasfpn import NasFpn", rules.RELATIVE),
        ("nas_fpn/train.py", "from nas_fpn.src.build import build", rules.ENTRY),
        ("nas_fpn/tests/test_loss.py", "from src.loss import focal_loss", rules.TESTS),
        ("utils/launch/job.py", "import importlib\nimportlib.import_module('segformer.src.build')", rules.UTILS_SUITE),
        ("utils/api/loading.py", "from segformer.src import build", rules.UTILS_SUITE),
        ("utils/api/loading.py", "__import__('segformer.src.build')", rules.UTILS_SUITE),
        ("utils/detection/builders/weights.py", "from utils.api.suites import open_build", rules.DOOR),
        ("utils/detection/builders/weights.py", "from utils.api import suites", rules.DOOR),
        ("segformer/src/build.py", "import utils.api.suites", rules.DOOR),
        ("utils/training/loop.py", "from utils.api.loading import load", rules.UTILS_BACK),
        ("nas_fpn/src/loss.py", "print('hello')", rules.AT_IMPORT),
        ("nas_fpn/train.py", "for i in range(3):\n    pass", rules.AT_IMPORT),
        ("utils/training/loop.py", "import moxing as mox", rules.CLOUD),
        ("utils/training/loop.py", "def f():\n    from obs import ObsClient", rules.CLOUD),
        ("utils/model_utils/moxing_adapter.py", "import moxing", rules.CLOUD),
    ],
)
def test_the_checker_names_the_breach(path, source, rule):
    violations = rules.check_source(source, path)
    assert rule in [violation.rule for violation in violations]
    assert str(violations[0]).startswith(f"{path}:")


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("nas_fpn/src/loss.py", "from .nasfpn import NasFpn\nfrom utils.training import loop"),
        ("nas_fpn/train.py", "from src.build import build\nif __name__ == '__main__':\n    build()"),
        ("nas_fpn/tests/test_loss.py", "from nas_fpn.src.loss import focal_loss"),
        ("utils/detection/data/splits.py", "from utils.detection.boxes import area\nfrom utils.images import sniff"),
        ("utils/detection/results/evaluation.py", "from utils.detection.data.splits import Split"),
        ("utils/training/loop.py", "from utils.training.record import events\nimport utils"),
        ("utils/api/suites.py", "import importlib\n\n\ndef open_suite(name):\n    importlib.import_module(name)"),
        ("utils/api/loading.py", "from utils.api.suites import open_build"),
        ("utils/tools/doctor.py", "from utils.api.suites import open_config"),
        ("utils/cli/main.py", "from utils.api.suites import SUITES\nfrom utils.api import load"),
        ("utils/model_utils/moxing_adapter.py", "def client():\n    import moxing\n    return moxing"),
    ],
)
def test_the_checker_lets_good_files_pass(path, source):
    assert rules.check_source(source, path) == []
