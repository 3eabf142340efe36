"""A run in the background, in a folder with an odd name: alone there, stopped on request, resumed."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nas_fpn.tests.tiny_detector import TINY_NETWORK
from utils.detection.tests.tiny_coco import write_coco
from utils.tests.processes import wait_for

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
LIMIT = 500  # seconds, far above what anything here takes
ARGUMENTS = (
    "run_single_train.sh",
    "2",
    "records",
    *TINY_NETWORK,
    "--coco_root=data",
    "--batch_size=2",
    "--warmup_steps=1",
    "--log_interval=1",
    "--ema_decay=0",
    "--keep_checkpoint_max=9",
    "--epoch_size=500",
    "--run_eval=False",
)

pytestmark = pytest.mark.end_to_end


def start(here, script, *arguments, **variables):
    return subprocess.Popen(
        ["bash", str(SCRIPTS / script), *arguments],
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHON": sys.executable, "FOREGROUND": "1", **variables},
    )


def launch(here, script, *arguments, **variables):
    """Runs a launcher to its end; returns exit code, standard output and standard error."""
    process = start(here, script, *arguments, **variables)
    output, errors = process.communicate(timeout=LIMIT)
    return process.returncode, output, errors


def newest(folder):
    """Epoch and step of the newest checkpoint, (0, 0) for none."""
    names = [path.name for path in (folder / "ckpt").glob("*-*.ckpt")]
    return max((tuple(map(int, re.findall(r"\d+", name))) for name in names), default=(0, 0))


def test_a_run_in_the_background_is_alone_in_its_folder_stops_on_request_and_goes_on(tmp_path):
    here = tmp_path / 'it\'s "here"'
    here.mkdir()
    write_coco(here / "data")
    folder, log = here / "LOG2", here / "LOG2" / "log.txt"
    code, started, errors = launch(here, *ARGUMENTS, FOREGROUND="0", STARTUP_SECONDS="0")
    assert code == 0, errors
    wait_for(lambda: newest(folder) >= (1, 2), LIMIT)

    pid = re.search(r"running as process (\d+)", started)[1]
    code, _, errors = launch(here, *ARGUMENTS, "--resume=auto")
    assert code == 2
    assert f"error: process {pid} of an earlier run still uses '{folder}': wait for its end, stop it with" in errors

    os.kill(int(pid), signal.SIGTERM)
    wait_for(lambda: "train.py: terminated" in log.read_text(), LIMIT)
    assert "the same command goes on with --resume=auto" in log.read_text()
    stopped = newest(folder)

    process = start(here, *ARGUMENTS, "--resume=auto")
    wait_for(lambda: newest(folder) > stopped, LIMIT)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=LIMIT)
    assert process.returncode in (130, 143), output + errors  # MindSpore may turn Ctrl-C into SIGTERM
    assert "resuming at epoch" in output
    assert "Traceback" not in log.read_text()
    assert not list((folder / "ckpt").glob(".*"))
