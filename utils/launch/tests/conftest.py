"""A repository of its own with launchers for several devices, and stand-ins for msrun and MindSpore."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from utils.tests.processes import finish, wait_for

ROOT = Path(__file__).resolve().parents[3]
LAUNCHER = """#!/bin/bash
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/../../utils/launch/launcher.sh"
distribute OPTIONS --needs=DATA:folder:data -- "$@"
"""
LAUNCHERS = {
    "both.sh": "--devices=DEVICE_NUM,RANK_TABLE_FILE --command=suite/train.py --folder='LOG{}' --log=log.txt",
    "gpu.sh": (
        "--devices=DEVICE_NUM --device_target=GPU --command=suite/train.py --folder=run_distribute_train --log='log{}'"
    ),
    "ascend.sh": (
        "--devices=RANK_TABLE_FILE --device_target=Ascend --command=suite/train.py "
        "--folder='train_parallel{}' --log=log"
    ),
}
# Tells how it was called, works for a while, and takes a second to save when it is asked to stop.
RECORDER = """
import json, os, pathlib, signal, sys, time
folder = pathlib.Path(next(a for a in sys.argv if a.startswith("--run_dir=")).partition("=")[2])
rank = os.environ["RANK_ID"]
def stop(number, _frame):
    time.sleep(1 + int(rank))
    (folder / f"saved{rank}").touch()
    sys.exit(128 + number)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, stop)
if os.environ.get("IS_DEAF"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("rank", rank, "at work")
print("an error of rank", rank, file=sys.stderr)
call = {"argv": sys.argv[1:], "cwd": os.getcwd(), "environment": dict(os.environ), "pid": os.getpid(),
        "cores": sorted(os.sched_getaffinity(0))}
(folder / f"call{rank}.tmp").write_text(json.dumps(call))
(folder / f"call{rank}.tmp").rename(folder / f"call{rank}.json")
time.sleep(float(os.environ.get("RECORDER_SECONDS", 0)))
sys.exit(int(os.environ.get("CODE_OF_RANK_" + rank, 0)))
"""
# Does what msrun 2.10 does: sets the same variables, lets workers lead sessions, looks once a second, kills the others
# where one has failed, and then waits for a scheduler that takes its time.
MSRUN = """
import argparse, json, os, pathlib, signal, subprocess, sys, time
parser = argparse.ArgumentParser()
for name in ("worker_num", "local_worker_num", "node_rank", "cluster_time_out"):
    parser.add_argument(f"--{name}", type=int)
for name in ("master_addr", "master_port", "log_dir", "join", "tail_worker_log"):
    parser.add_argument(f"--{name}")
parser.add_argument("task_script")
parser.add_argument("task_script_args", nargs=argparse.REMAINDER)
args = parser.parse_args()
log_dir = pathlib.Path(args.log_dir)
(log_dir / "called.json").write_text(json.dumps({"argv": sys.argv[1:], "environment": dict(os.environ)}))
command = [args.task_script, *args.task_script_args]
def start(name, **variables):
    log = open(log_dir / f"{name}.log", "w")
    return subprocess.Popen(command, env={**os.environ, **variables}, stdout=log, stderr=subprocess.STDOUT,
                            start_new_session="RANK_ID" in variables and name != "scheduler")
shared = {"MS_WORKER_NUM": str(args.worker_num), "MS_SCHED_HOST": args.master_addr, "MS_SCHED_PORT": args.master_port,
          "MS_TOPO_TIMEOUT": str(args.cluster_time_out), "RANK_SIZE": str(args.worker_num)}
scheduler = start("scheduler", MS_ROLE="MS_SCHED", RANK_ID="0", **shared)
workers = []
for index in range(args.local_worker_num):
    rank = str(args.node_rank * args.local_worker_num + index)
    workers.append(start(f"worker_{rank}", MS_ROLE="MS_WORKER", MS_NODE_ID=rank, RANK_ID=rank, DEVICE_ID=str(index),
                         **shared))
while any(worker.poll() is None for worker in workers) and not any(worker.poll() for worker in workers):
    time.sleep(1)
bad = next((worker for worker in workers if worker.poll()), None)
if bad is None:
    time.sleep(float(os.environ.get("SCHEDULER_SECONDS", 0)))
    scheduler.kill()
    sys.exit(0)
if not os.environ.get("IS_QUIET"):
    print(f"[ERROR] Worker process {bad.pid} exit with exception. Error code: {bad.returncode}.", flush=True)
for worker in workers:
    if worker.poll() is None:
        os.killpg(worker.pid, signal.SIGKILL)
time.sleep(float(os.environ.get("SCHEDULER_SECONDS", 40)))
scheduler.kill()
sys.exit(1)
"""
COMMUNICATION = """
import os, pathlib, time
def init():
    print("the scheduler joins", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """A repository whose path has a space, with one suite of one recorder."""
    root = tmp_path_factory.mktemp("a repository") / "of its own"
    for room in ("launch", "model_utils", "hccl_tools"):
        shutil.copytree(ROOT / "utils" / room, root / "utils" / room, ignore=shutil.ignore_patterns("tests"))
    for file in ("__init__.py", "installation.py", "words.py"):
        shutil.copy(ROOT / "utils" / file, root / "utils")
    (root / "suite" / "scripts").mkdir(parents=True)
    (root / "suite" / "train.py").write_text(RECORDER)
    for name, options in LAUNCHERS.items():
        (root / "suite" / "scripts" / name).write_text(LAUNCHER.replace("OPTIONS", options))
    (root / "bin").mkdir()
    (root / "bin" / "python").symlink_to(sys.executable)
    (root / "bin" / "msrun").write_text(f"#!{sys.executable}\n{MSRUN}")
    (root / "bin" / "msrun").chmod(0o755)
    (root / "stand_in" / "mindspore").mkdir(parents=True)
    (root / "stand_in" / "mindspore" / "__init__.py").touch()
    (root / "stand_in" / "mindspore" / "communication.py").write_text(COMMUNICATION)
    return root


class Place:
    """The caller's folder, and what is called there."""

    def __init__(self, tree, here):
        self.tree, self.here = tree, here
        (here / "data").mkdir(parents=True)

    def command(self, script, *arguments):
        return ["bash", str(self.tree / "suite" / "scripts" / script), *arguments]

    def environment(self, **variables):
        inherited = {name: text for name, text in os.environ.items() if not name.startswith(("MS_", "RANK_"))}
        return {
            **inherited,
            "PYTHON": str(self.tree / "bin" / "python"),
            "PYTHONPATH": str(self.tree / "stand_in"),
            "FOREGROUND": "1",
            **variables,
        }

    def run(self, script, *arguments, **variables):
        return finish(*self.command(script, *arguments), cwd=self.here, env=self.environment(**variables))

    def start(self, script, *arguments, **variables):
        return subprocess.Popen(
            self.command(script, *arguments),
            cwd=self.here,
            env=self.environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, rank, folder="LOG{}"):
        path = self.here / folder.format(rank) / f"call{rank}.json"
        wait_for(path.is_file)
        return json.loads(path.read_text())

    def left(self, name=""):
        """Numbers of the processes that have this folder in their environment, and a name among their arguments."""
        found = [int(number) for number in filter(str.isdigit, os.listdir("/proc")) if name in read(number, "cmdline")]
        return [
            pid
            for pid in found
            if f"LAUNCH_JOB={self.here}" in read(pid, "environ") and ") Z " not in read(pid, "stat")
        ]


def read(pid, file):
    try:
        return Path("/proc", str(pid), file).read_text()
    except OSError:
        return ""


@pytest.fixture()
def place(tree, tmp_path):
    return Place(tree, tmp_path / 'it\'s "here"')
