"""What msrun runs in each process of a job: becomes the command of its rank, with log and cores of its own.

    worker.py '{"0": {"command": [...], "log": "FILE", "cores": [0, 1]}, ...}'

msrun runs one and the same script in every process, the scheduler too. That one joins the processes and does nothing
else: here it never comes to the command, so that it touches neither data nor folders.
"""

import json
import os
import sys
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])  # in place of this folder

from utils.launch.processes.scheduler import serve  # noqa: E402
from utils.model_utils.local_adapter import get_rank_id, is_scheduler  # noqa: E402


def main(tasks: dict[str, dict]) -> None:
    """Becomes the command of RANK_ID, or the scheduler."""
    if is_scheduler():
        serve()
        return
    print(f"process {os.getpid()}", flush=True)  # for the launcher, which watches it
    task = tasks[str(get_rank_id())]
    if task["cores"]:
        os.sched_setaffinity(0, task["cores"])
    try:
        log = os.open(task["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    except OSError as error:
        sys.exit(f"error: log '{task['log']}' cannot be written ({error.strerror}): free some space, then start again")
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(log, stream.fileno())
    os.execvp(task["command"][0], task["command"])


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
