"""The wheel, installed beside a user's own files of the names that the repository uses."""

import json
import re
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from package.rewriting import SUITES
from tests.other_pythons import VERSIONS, find_interpreter
from tests.suites import FASTER_RCNN, NAS_FPN, ROOT, SEGFORMER, for_each, run, sentence_of

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(
        find_spec("hatchling") is None, reason="hatchling is not installed (requirements-dev.txt has it)"
    ),
]
OWN = ("utils.py", "src.py", *(f"{suite}.py" for suite in SUITES))
LEFT_OUT = re.compile(r"(^|/)(tests|Dockerfile|\.dockerignore)(/|$)")
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


class Installed:
    """The package in a folder of its own, and a working folder with files that must not be imported."""

    def __init__(self, folder: Path) -> None:
        self.site, self.here = folder / "site", folder / "here"
        wheels = folder / "wheels"
        built = run([*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, ROOT], folder)
        assert built.returncode == 0, built.stderr
        (self.wheel,) = wheels.iterdir()
        installed = run([*PIP, "install", "--no-deps", "--target", self.site, self.wheel], folder)
        assert installed.returncode == 0, installed.stderr
        self.here.mkdir()
        for name in OWN:
            (self.here / name).write_text("raise SystemExit('a file of the user was imported')\n")

    def run(self, *command) -> subprocess.CompletedProcess:
        return run([sys.executable, *command], self.here, PYTHONPATH=str(self.site))

    def console(self, *arguments) -> subprocess.CompletedProcess:
        return self.run(self.site / "bin" / "mszoo", *arguments)

    def succeed(self, *arguments) -> str:
        finished = self.console(*arguments)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Installed:
    return Installed(tmp_path_factory.mktemp("a package"))


def test_the_wheel_has_one_name_and_every_file(installed):
    found = {path.relative_to(installed.site).as_posix() for path in installed.site.rglob("*") if path.is_file()}
    tops = {name.split("/")[0] for name in found}
    assert tops == {"bin", "mszoo", f"{'-'.join(installed.wheel.name.split('-')[:2])}.dist-info"}
    listed = subprocess.run(
        ["git", "ls-files", "utils", *SUITES], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    wanted = {f"mszoo/{name}" for name in listed if not LEFT_OUT.search(name)}
    assert len(wanted) > 400 or not listed  # no git, no list
    assert wanted <= found
    assert {name for name in found if name.startswith("mszoo/") and "__pycache__" not in name} <= wanted | {
        "mszoo/__init__.py",
        "mszoo/__main__.py",
    } or not listed


def test_the_source_distribution_makes_the_same_wheel(installed, tmp_path):
    """What `pip install mszoo-VERSION.tar.gz` does; a hook for the wheel must not change the sources."""
    made = run([sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", tmp_path], ROOT)
    assert made.returncode == 0, made.stderr
    (sources,) = tmp_path.glob("*.tar.gz")
    made = run([*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, sources], tmp_path)
    assert made.returncode == 0, made.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert _contents(wheel) == _contents(installed.wheel)


@pytest.mark.parametrize("version", VERSIONS)
def test_pip_refuses_another_python(version, installed, tmp_path):
    pip = (find_interpreter(version), "-m", "pip", "--quiet", "--disable-pip-version-check")
    finished = run(
        [*pip, "install", "--no-deps", "--no-index", "--target", tmp_path / "site", installed.wheel], tmp_path
    )
    assert finished.returncode == 1
    (sentence,) = finished.stderr.splitlines()
    assert re.fullmatch(rf"ERROR: .*'mszoo' requires a different Python: {version}\.\d+ not in .*3\.1.*", sentence)
    assert not (tmp_path / "site").exists()


def _contents(wheel: Path) -> dict[str, int]:
    with zipfile.ZipFile(wheel) as archive:
        return {member.filename: member.CRC for member in archive.infolist()}


def test_importing_it_is_light_and_prepares_the_process(installed):
    code = (
        "import json, os, sys, mszoo; print(json.dumps([mszoo.__version__, dir(mszoo), "
        "[name for name in ('mindspore', 'utils', 'numpy') if name in sys.modules], mszoo.utils.__name__]))"
    )
    version, names, imported, name = json.loads(installed.run("-c", code).stdout)
    assert version == installed.wheel.name.split("-")[1]
    assert {"load", "train", "evaluate"} <= set(names)
    assert imported == []
    assert name == "mszoo.utils"


def test_the_commands_are_those_of_a_clone(installed):
    own = run([sys.executable, "-m", "utils.cli", "infer", "segformer", "--help"], ROOT).stdout
    installed_help = installed.succeed("infer", "segformer", "--help")
    assert installed_help.startswith("usage: mszoo infer segformer [--config_path=FILE]")
    place = "in a YAML file in the working directory too"
    assert place in " ".join(installed_help.split())
    assert own.splitlines()[-5:] == installed_help.splitlines()[-5:]
    assert "get it: mszoo models get res2net50d_timm" in installed.succeed("models", "show", "res2net50d_timm")
    assert "mszoo infer" in installed.succeed("--help")


def test_commands_that_are_shown_are_those_of_the_package(installed):
    code = (
        "from pathlib import Path; from mszoo.utils.installation import ROOT, shown_file, shown_script; "
        "print(shown_script(ROOT / 'segformer/tools/convert_model.py'), shown_script(ROOT / 'nas_fpn/infer.py')); "
        "print(Path(shown_file('utils/hccl_tools/check.py')).is_file())"
    )
    assert installed.run("-c", code).stdout.splitlines() == ["mszoo convert segformer mszoo infer nas_fpn", "True"]


def test_a_misspelt_word_is_answered(installed):
    assert "did you mean 'infer'?" in sentence_of(installed.console("infr", "nas_fpn"))
    assert "did you mean 'nas_fpn'?" in sentence_of(installed.console("infer", "nas-fpn"))


@for_each((FASTER_RCNN, NAS_FPN, SEGFORMER), long_run=(NAS_FPN, SEGFORMER))
def test_a_prediction_is_that_of_a_clone(installed, suite, checkpoint, tmp_path):
    pictures = suite.tiny.write_toy_data(tmp_path / "data")
    picture = next(path for path in sorted(pictures.rglob("*")) if path.suffix in (".jpg", ".png", ".bmp"))
    key = {"segformer": "data_path"}.get(suite.name, "image_path")
    arguments = [*suite.tiny.TINY_NETWORK, f"--{suite.checkpoints['infer.py']}={checkpoint}", f"--{key}={picture}"]
    own, packaged = tmp_path / "own", tmp_path / "packaged"
    suite.succeed("infer.py", *arguments, f"--infer_output_path={own}", cwd=tmp_path)
    installed.succeed("infer", suite.name, *arguments, f"--infer_output_path={packaged}")
    files = sorted(path.relative_to(own) for path in own.rglob("*") if path.is_file())
    assert files
    assert all((own / name).read_bytes() == (packaged / name).read_bytes() for name in files)


@pytest.mark.skipif(not (ROOT / "utils/api").is_dir(), reason="utils/api is not here")
@pytest.mark.parametrize("suite", [NAS_FPN], ids=str)
def test_three_lines_of_python(installed, suite, checkpoint, tmp_path):
    pictures = suite.tiny.write_toy_data(tmp_path / "data")
    picture = next(path for path in sorted(pictures.rglob("*")) if path.suffix in (".jpg", ".png", ".bmp"))
    keys = dict(text.removeprefix("--").split("=") for text in suite.tiny.TINY_NETWORK)  # the file has none
    keys = {name: yaml.safe_load(value) for name, value in keys.items() if name != "config_path"}
    (installed.here / "three.py").write_text(
        f"import mszoo\nmodel = mszoo.load({str(checkpoint)!r}, **{keys})\n"
        f"print(type(model({str(picture)!r})).__module__)\n"
    )
    finished = installed.run("three.py")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[-1] == "mszoo.utils.api.results", finished.stderr


def test_a_launcher_finds_the_package_and_nothing_else_there(installed):
    """cityscapesscripts brings a typing.py of old, which must not come before Python's own."""
    intruder = installed.site / "typing.py"
    intruder.write_text("raise SystemExit('it was imported')\n")
    launcher = installed.site / "mszoo" / "segformer" / "scripts" / "run_eval.sh"
    try:
        finished = run(["bash", launcher, "--help"], installed.here, PYTHON=sys.executable)
    finally:
        intruder.unlink()
    assert finished.returncode == 0, finished.stderr
    assert "run_eval.sh" in finished.stdout


def test_the_code_directory_of_a_job_is_made_of_a_clone(installed):
    said = sentence_of(installed.run("-m", "mszoo.utils.tools.bundle", "nas_fpn"))
    assert "clone the repository" in said


@pytest.mark.long_run
def test_a_training_with_two_workers_and_the_cpp_program(installed, tmp_path):
    data, folder = tmp_path / "data", tmp_path / "run"
    suite = NAS_FPN
    suite.tiny.write_toy_data(data)
    workers = ("--run_distribute=True", "--device_num=2", "--batch_size=2", "--epoch_size=1", "--eval_start_epoch=1")
    installed.succeed(
        "train",
        suite.name,
        *suite.tiny.TOY,
        *suite.tiny.TOY_TRAINING,
        *workers,
        f"--coco_root={data}",
        f"--run_dir={folder}",
    )
    (best,) = folder.glob("ckpt/*_best.ckpt") or folder.glob("ckpt/*.ckpt")
    exported = tmp_path / "toy"
    installed.succeed("export", suite.name, f"--ckpt_file={best}", f"--file_name={exported}", "--file_format=MINDIR")
    launcher = installed.site / "mszoo" / suite.name / "scripts" / "run_infer_310.sh"
    annotations = data / "annotations" / "instances_val2017.json"
    finished = run(
        ["bash", launcher, f"{exported}.mindir", data / "val2017", annotations, "0"],
        installed.here,
        PYTHON=sys.executable,
        PYTHONPATH=str(installed.site),
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "Average Precision" in finished.stdout


@pytest.mark.long_run
def test_the_quickstart_of_a_suite(installed):
    finished = installed.run("-m", "mszoo.utils.tools.quickstart", "nas_fpn")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert re.search(r"^nas_fpn AP50=0\.\d+ seconds=\d+ pictures=", finished.stdout, re.MULTILINE)
    assert (installed.here / "runs" / "quickstart" / "nas_fpn").is_dir()
