"""Images are read and, where a Debian can be made from scratch, carried out; the launcher meets a stand-in."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dockerfile import FreshRoot, copied, read_dockerfile, texts

ROOT = Path(__file__).resolve().parent.parent
CPU, ASCEND, FASTER_RCNN = (
    ROOT / name for name in ("docker/cpu.Dockerfile", "docker/ascend.Dockerfile", "faster_rcnn/Dockerfile")
)
CONTEXTS = {CPU: ROOT, ASCEND: ROOT, FASTER_RCNN: ROOT / "faster_rcnn"}
START = ROOT / "faster_rcnn/scripts/docker_start.sh"


@pytest.mark.parametrize("path", CONTEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_image_copies_what_is_there_and_its_commands_are_sound(path, tmp_path):
    words = [each.word for each in read_dockerfile(path)]
    assert words.count("FROM") == 1
    assert words.count("CMD") == 1
    assert set(words[: words.index("FROM")]) <= {"ARG"}
    for sources, _ in map(copied, texts(path, "COPY")):
        assert all((CONTEXTS[path] / source).exists() for source in sources)
    for number, command in enumerate(texts(path, "RUN")):
        script = tmp_path / f"{number}.sh"
        script.write_text(f"#!/bin/sh\n{command}\n")
        shellcheck = Path(sys.executable).with_name("shellcheck")
        finished = subprocess.run([shellcheck, script], capture_output=True, text=True, check=False)
        assert finished.returncode == 0, finished.stdout


def test_the_base_image_is_an_argument_for_accelerators():
    for path in (ASCEND, FASTER_RCNN):
        assert texts(path, "ARG") == ["FROM_IMAGE_NAME"]
        assert texts(path, "FROM") == ["${FROM_IMAGE_NAME}"]


def test_every_image_has_the_tested_versions():
    wanted = set(re.findall(r"^[\w-]+==\S+", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    opencv = next(pin for pin in wanted if pin.startswith("opencv-python=="))
    headless = opencv.replace("opencv-python", "opencv-python-headless")
    pins = {path: set(re.findall(r"\b[\w-]+==\d\S*", " ".join(texts(path, "RUN")))) for path in CONTEXTS}
    assert pins[FASTER_RCNN] == wanted | {headless}
    assert pins[ASCEND] == {pin for pin in wanted if pin.startswith("mindspore==")} | {headless}


def test_the_cpu_image_has_what_the_cpp_checks_need():
    """Its user is not root, so run_tests.sh can install nothing there."""
    listed = re.findall(r"[\w+./]+:([a-z][\w+.-]+)", (ROOT / "utils/tools/cpp_tools.sh").read_text())
    assert {"g++", "ninja-build", "libgtest-dev", "nlohmann-json3-dev"} <= set(listed)
    assert set(listed) <= set(" ".join(texts(CPU, "RUN")).split())


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        ("(3, 11, 9)", ""),
        ("(3, 12, 3)", ""),
        ("(3, 10, 13)", "FROM_IMAGE_NAME has Python 3.10, wanted an image with Python 3.11 or 3.12\n"),
        ("(3, 13, 0)", "FROM_IMAGE_NAME has Python 3.13, wanted an image with Python 3.11 or 3.12\n"),
    ],
)
@pytest.mark.parametrize("path", [ASCEND, FASTER_RCNN], ids=lambda path: path.parent.name)
def test_a_base_image_of_another_python_is_refused(path, version, sentence):
    command = next(text for text in texts(path, "RUN") if "version_info" in text)
    code = re.fullmatch(r"python3 -c '(.*)'", command)[1]
    finished = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.version_info = {version}; {code}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (bool(sentence), sentence)


@pytest.fixture
def start(tmp_path):
    """Runs docker_start.sh with a stand-in for docker, on a machine with the given devices and files."""
    tools, dev = tmp_path / "tools", tmp_path / "dev"
    tools.mkdir()
    dev.mkdir()
    (tools / "docker").write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > '{tmp_path / 'seen'}'\n")
    (tools / "docker").chmod(0o755)
    (dev / "null").touch()
    (dev / "fd").symlink_to("/proc/self/fd")

    def run(*arguments, devices=(), driver=False, without_docker=False):
        for name in devices:
            (dev / name).touch()
        script = f"mount --bind '{dev}' /dev; " if devices else ""
        if driver:
            (tmp_path / "local/Ascend/driver").mkdir(parents=True)
            script += f"mount --bind '{tmp_path / 'local'}' /usr/local; "
        bash, path = shutil.which("bash"), f"{tools}:{os.environ['PATH']}"
        if without_docker:
            path = str(tmp_path / "few")
            Path(path).mkdir()
            for name in ("basename", "dirname", "realpath"):
                Path(path, name).symlink_to(shutil.which(name))
        command = [bash, "-c", f'{script}exec "$@"', "-", "env", f"PATH={path}", bash, START, *arguments]
        if script:
            command = ["unshare", "--mount", "--map-root-user", *command]
        finished = subprocess.run(
            list(map(str, command)),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        seen = tmp_path / "seen"
        return finished, seen.read_text().splitlines() if seen.exists() else None

    return run


def test_a_container_gets_the_devices_that_are_here_and_no_more(start, tmp_path):
    possible = subprocess.run(["unshare", "--mount", "--map-root-user", "true"], check=False, capture_output=True)
    if possible.returncode:
        pytest.skip("this machine allows no mounts of one's own")
    data, model = tmp_path / "my data", tmp_path / "model"
    data.mkdir()
    model.mkdir()
    finished, seen = start(
        "fasterrcnn:20.1.0",
        "my data",
        model,
        "python",
        "train.py",
        driver=True,
        devices=("davinci0", "davinci7", "davinci_manager", "hisi_hdc"),
    )
    assert finished.returncode == 0, finished.stderr
    assert seen[0] == "run"
    assert seen[-3:] == ["fasterrcnn:20.1.0", "python", "train.py"]
    assert [item for item in seen if item.startswith("--device=")] == [
        "--device=/dev/davinci0",
        "--device=/dev/davinci7",
        "--device=/dev/davinci_manager",
        "--device=/dev/hisi_hdc",
    ]
    volumes = [item for item in seen if item.startswith("--volume=")]
    assert "--volume=/usr/local/Ascend/driver:/usr/local/Ascend/driver:ro" in volumes
    assert {f"--volume={folder}:{folder}" for folder in (ROOT, data, model)} <= set(volumes)
    assert f"--workdir={model}" in seen
    assert "--ipc=host" in seen
    assert "--privileged" not in seen
    assert "--tty" not in seen  # standard input is no terminal


def test_a_machine_without_devices_says_so_and_starts(start, tmp_path):
    finished, seen = start("image", tmp_path, tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert "no Ascend device here: commands in the container take --device_target=CPU" in finished.stderr
    assert seen.count(f"--volume={tmp_path}:{tmp_path}") == 1
    assert not [item for item in seen if item.startswith("--device=")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "usage:"),
        (("image", "."), "usage:"),
        (("image", "absent", "."), "DATA_DIR 'absent' is no folder"),
        (("image", ".", "tools/docker"), "MODEL_DIR 'tools/docker' is no folder"),
        (("image", "a:b", "."), "holds a colon"),
        (("--dryrun", "image", ".", "."), "'--dryrun' is no option here; usage:"),
        (("image", ".", ".", "--device_target=CPU"), "'--device_target=CPU' stands where COMMAND begins"),
    ],
)
def test_bad_arguments_are_a_sentence_and_start_nothing(start, tmp_path, arguments, words):
    (tmp_path / "a:b").mkdir()
    finished, seen = start(*arguments)
    assert finished.returncode == 2
    assert words in finished.stderr
    assert seen is None


def test_a_machine_without_docker_is_a_sentence(start):
    finished, _ = start("image", ".", ".", without_docker=True)
    assert finished.returncode == 2
    assert "docker is not installed here" in finished.stderr


@pytest.mark.parametrize(("word", "place"), [("--dry_run", 0), ("--dry_run", 3), ("--dry-run", 3)])
def test_a_dry_run_shows_the_container_that_would_start(word, place, start, tmp_path):
    (tmp_path / "my data").mkdir()
    arguments = ["an image", "my data", tmp_path, "train.sh", "--dry_run"]
    finished, seen = start(*arguments[:place], word, *arguments[place:], without_docker=True)
    assert finished.returncode == 0, finished.stderr
    words = shlex.split(finished.stdout)
    assert words[:2] == ["docker", "run"]
    assert f"--volume={tmp_path}/my data:{tmp_path}/my data" in words
    assert words[-3:] == ["an image", "train.sh", "--dry_run"]
    assert seen is None


def test_help_is_the_usage(start):
    finished, seen = start("--help")
    usage = "usage: docker_start.sh [--dry_run] IMAGE DATA_DIR MODEL_DIR [COMMAND]...\n"
    assert (finished.returncode, finished.stdout, seen) == (0, usage, None)


def _reason_to_skip():
    missing = [name for name in ("debootstrap", "unshare", "git") if not shutil.which(name)]
    return f"{', '.join(missing)} not installed" if missing else "" if os.geteuid() == 0 else "needs root"


@pytest.mark.long_run  # ten minutes, and a network
@pytest.mark.skipif(bool(_reason_to_skip()), reason=_reason_to_skip())
@pytest.mark.timeout(3000)
def test_the_cpu_image_can_be_made_and_works(tmp_path):
    """TEST_FRESH_ROOT_SHARES=PATH[:PATH]... are seen in the fresh root too, for packages on local disks."""
    shares = os.environ.get("TEST_FRESH_ROOT_SHARES", "")
    root = FreshRoot(tmp_path / "root", [share for share in shares.split(":") if share])
    for instruction in read_dockerfile(CPU):
        root.carry_out(instruction, ROOT)
    assert root.user == "zoo"
    tests = "utils/model_utils/tests/test_config_schema.py nas_fpn/tests/test_loss.py"
    assert " passed" in root.run(f".venv/bin/python -m pytest -q {tests}")
    assert "no suite 'yolo' here" in root.run("bash quickstart.sh yolo 2>&1 || true")  # without installing again
