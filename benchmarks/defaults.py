"""This checkout's defaults beside those of another commit: accuracy and processor seconds, the same pictures and seeds.

    python benchmarks/defaults.py COMMIT SUITE --data=FOLDER [--config=custom] [--seeds 1 2 3] [-- --key=value...]

Both trees run their own train.py with their own config/CONFIG.yaml, one after the other for each seed, so that a busy
machine slows both. The last evaluation of a run counts; of segformer also the mean IoU of the classes of --thin. What
follows `--` goes on to both. Prints a table in Markdown: means over the seeds, lowest to highest, and their ratio.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # this folder has files with the names of suites

from benchmarks.scaling import DATA_FLAGS
from utils.model_utils.command import run_command
from utils.model_utils.errors import BadStateError, BadValueError

METRICS = {"nas_fpn": ("mAP", "AP50"), "faster_rcnn": ("mAP", "AP50"), "segformer": ("mIoU",)}
THIN = ("pole", "traffic sign", "person", "bicycle")  # of toy_town: some pixels wide at 360 x 480
SECONDS = "processor seconds"

Row = dict[str, float]


def main() -> None:
    """Reads the command line, trains in turns and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", help="of the other tree")
    parser.add_argument("suite", choices=sorted(DATA_FLAGS))
    parser.add_argument("--thin", nargs="*", default=list(THIN), help="classes whose mean IoU is shown, of segformer")
    arguments, keys = parse_trainings(parser)
    before: list[Row] = []
    after: list[Row] = []
    with other_tree(arguments.commit) as tree:
        for seed in arguments.seeds:
            for root, rows in ((tree, before), (ROOT, after)):
                rows.append(train(root, arguments.suite, arguments.config, [f"--seed={seed}", *keys], arguments.thin))
                print(
                    f"seed {seed}, {'before' if rows is before else 'after'}: {rows[-1]}", file=sys.stderr, flush=True
                )
    print(format_table(before, after))


def parse_trainings(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, list[str]]:
    """Reads the command line of a program that trains `suite` with several seeds; adds --data, --config and --seeds.

    Returns:
        Its own arguments, and the keys of every training: the data, and what follows `--`.
    """
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the data set, as the suite's train.py takes it"
    )
    parser.add_argument("--config", default="custom", help="name of the YAML file in SUITE/config, without ending")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    arguments = parser.parse_args(sys.argv[1:cut])
    return arguments, [f"{DATA_FLAGS[arguments.suite]}={arguments.data.resolve()}", *sys.argv[cut + 1 :]]


@contextmanager
def other_tree(commit: str) -> Iterator[Path]:
    """Checks a commit out into a folder that is removed in the end.

    Raises:
        BadValueError: there is no such commit.
    """
    git = ["git", "-C", str(ROOT)]
    found = subprocess.run(
        [*git, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"], check=False, capture_output=True
    )
    if found.returncode:
        raise BadValueError(f"'{commit}' is no commit of this repository")
    with tempfile.TemporaryDirectory(prefix="defaults_") as name:
        tree = Path(name) / "tree"
        subprocess.run([*git, "worktree", "add", "--detach", "--quiet", str(tree), commit], check=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "worktree", "remove", "--force", str(tree)], check=False)


def train(root: Path, suite: str, config: str, keys: Sequence[str], thin: Sequence[str] = ()) -> Row:
    """Trains with a tree and returns what came out, by name.

    Raises:
        BadStateError: the training failed.
    """
    with tempfile.TemporaryDirectory() as name:
        run = Path(name) / "run"
        script, file = (root / suite / place for place in ("train.py", f"config/{config}.yaml"))
        command = [sys.executable, str(script), f"--config_path={file}", f"--run_dir={run}", *keys]
        with (Path(name) / "output").open("w+", encoding="utf-8") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
            try:
                _, status, used = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            finally:
                process.kill()
            output.seek(0)
            text = output.read()
        if process.returncode:
            raise BadStateError(f"the training ended with code {process.returncode}; its last words:\n{text[-2000:]}")
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    metrics = [row["metrics"] for row in rows if row["kind"] == "evaluation"][-1]
    found = {metric: metrics[metric] for metric in METRICS[suite]}
    if suite == "segformer" and thin:
        found[f"mean IoU of {', '.join(thin)}"] = mean_iou(text, thin)
    return found | {SECONDS: used.ru_utime + used.ru_stime}


def mean_iou(log: str, classes: Sequence[str]) -> float:
    """Returns the mean of the IoU that the last evaluation in a log gave some classes; 0 for absent ones."""
    values = dict(re.findall(r"===> class: (.+), IoU: (\S+)", log))  # of a class the last line counts
    return statistics.fmean(0.0 if values[name] == "absent" else float(values[name]) for name in classes)


def format_table(before: Sequence[Mapping[str, float]], after: Sequence[Mapping[str, float]]) -> str:
    """Returns the table, in Markdown: a line for each name that the rows of both trees have."""
    lines = ["| | commit before | this checkout | ratio |", "|---|---|---|---|"]
    for name in before[0]:
        old, new = ([row[name] for row in rows] for rows in (before, after))
        ratio = statistics.fmean(new) / statistics.fmean(old) if any(old) else float("nan")
        lines.append(f"| {name} | {_spread(old, name)} | {_spread(new, name)} | {ratio:.3f} |")
    return "\n".join(lines)


def _spread(values: Sequence[float], name: str) -> str:
    form = ".0f" if name == SECONDS else ".4f"
    return f"{statistics.fmean(values):{form}} ({min(values):{form}} to {max(values):{form}})"


if __name__ == "__main__":
    run_command(main, "defaults.py")  # SIGTERM too ends what it has started
