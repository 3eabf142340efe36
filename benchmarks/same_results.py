"""This checkout beside another commit, bit for bit: shows that a restructuring has changed no result.

    python benchmarks/same_results.py COMMIT [SUITE ...] [--keep FOLDER | --old FOLDER]

Both train, evaluate, infer and export tiny networks by the commands, on pictures that the old tree draws. Besides, the
new tree evaluates and exports the old tree's checkpoint, and goes on with a run that the old tree was stopped in, by
the config.yaml and the MindRecord files it left. Ends with code 1 where something differs. --keep leaves what the old
tree made in a folder, which has to stay where it is; --old takes it from there, in half the time.
"""

import argparse
import importlib.metadata
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # this folder has files with the names of suites

from benchmarks.same_results_commands import SUITES
from benchmarks.same_results_contents import Side, first_difference

MANIFEST, TEXT_FILE = "same_results.json", "val2017.txt"
DRAWING = ("--train=7", "--val=3", "--height=128", "--width=256")  # an odd number: a rest remains of an epoch
LIMIT_SECONDS = 900
VERSION = importlib.metadata.version("mindspore")


def call(arguments: list[str], cwd: Path, metrics: Path | None = None) -> str:
    """Runs a command with this Python; returns "" or what went wrong. With `metrics`, SIGTERM ends it as they come."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=cwd, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            while metrics and process.poll() is None and not metrics.exists():
                time.sleep(0.005)
            if metrics:
                process.terminate()
            code = process.wait(LIMIT_SECONDS)
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        text = output.read().strip()
    print(f"  {time.monotonic() - started:5.1f} s  {arguments[0]} in {cwd}", file=sys.stderr, flush=True)
    return "" if code == (143 if metrics else 0) else f"exit code {code}: {' | '.join(text.splitlines()[-3:])}"


def run_suite(tree: str, root: Path, suite: str, old: Path, out: Path, data: Path) -> dict[str, str]:
    """Runs the commands of a tree; returns what went wrong, by label."""
    names = ", ".join(row["name"] for row in coco(data, "val")["categories"])
    errors = {}
    for command in SUITES[suite]():
        if tree not in command.trees:
            continue
        if command.label == "resumed":
            shutil.copytree(old / "stopped", out / "resumed")
        arguments = [text.format(out=out, old=old, data=data, names=names) for text in command.arguments]
        metrics = out / command.label / "metrics.jsonl" if command.is_stopped else None
        error = call(arguments, root / suite, metrics)
        if error:
            errors[command.label] = error
    return errors


def coco(data: Path, split: str) -> dict:
    """Returns the annotations of a split."""
    return json.loads((data / "annotations" / f"instances_{split}2017.json").read_text())


def draw(root: Path, data: Path) -> None:
    """Draws the pictures with the old tree; makes the labels of segformer and the boxes as lines of text."""
    for script in (["utils/sample_data/toy_town.py", *DRAWING, data], ["segformer/tools/convert_dataset.py", data]):
        if error := call([str(part) for part in script], root):
            sys.exit(f"the old tree cannot draw: {error}")
    content = coco(data, "val")
    classes = {row["id"]: number for number, row in enumerate(content["categories"], 1)}
    lines = []
    for image in content["images"]:
        fields = [image["file_name"]]
        for row in content["annotations"]:
            x, y, width, height = row["bbox"]
            if row["image_id"] == image["id"]:
                values = (x, y, x + width, y + height, classes[row["category_id"]], row["iscrowd"])
                fields.append(",".join(map(str, values)))
        lines.append(" ".join(fields) + "\n")
    (data / TEXT_FILE).write_text("".join(lines))


def comparisons(suite: str, old: Side, new: Side) -> Iterator[tuple[str, object, object]]:
    """Yields what is compared, with what both trees came to."""

    def both(part: str, *patterns: str) -> tuple[dict, dict]:
        return old.files(part, *patterns), new.files(part, *patterns)

    yield f"losses, rates and gradient norms of {len(rows(old))} steps", rows(old), rows(new)
    yield "evaluation in training", rows(old, "evaluation"), rows(new, "evaluation")
    checkpoints = both("train", "*/*.ckpt")
    yield f"weights and state of {len(checkpoints[0])} checkpoints", *checkpoints
    yield "config.yaml", *both("train", "config.yaml")
    yield (
        "names of a run's files",
        *(sorted(path.name for path in (side.folder / "train").rglob("*")) for side in (old, new)),
    )
    if suite == "faster_rcnn":
        yield "loss_0.log", *both("train", "loss_0.log")
    yield "eval.py with the old checkpoint, metrics", *both("eval", "result.json")
    yield "eval.py, predictions and pictures", *both("eval", "**/*.png", "**/*.jpg", "predictions.json")
    yield "infer.py, pictures and detections", *both("infer", "**/*.png", "**/*.jpg", "detections.json")
    yield "export.py with the old checkpoint, description", *both("export", "*.json")
    yield "outputs of the MINDIR file", *both("export", "*.mindir")
    if suite == "nas_fpn":
        yield "outputs of the ONNX file", *both("export", "*.onnx")
    resumed = new.files("resumed", *checkpoints[0])
    for arrays in (*checkpoints[0].values(), *resumed.values()):
        arrays["state"].pop("config_text")  # has another folder, and --resume
    yield "weights and state of the old run that was stopped, resumed by the new tree", checkpoints[0], resumed
    yield "losses of that run", rows(old), rows(new, part="resumed")
    if suite != "segformer":
        yield (
            "its MindRecord files stay as they are",
            old.files("stopped", "records/*"),
            new.files("resumed", "records/*"),
        )


def rows(side: Side, kind: str = "step", part: str = "train") -> list[dict]:
    """Returns the rows of a kind of metrics.jsonl."""
    return [row for row in side.files(part, "metrics.jsonl").get("metrics.jsonl", []) if row["kind"] == kind]


def make_old(commit: str, suites: list[str], folder: Path, scratch: Path) -> None:
    """Runs the old tree for the suites that the folder lacks; the manifest names those that are finished."""
    tree, manifest = scratch / "tree", folder / MANIFEST
    content = read_manifest(folder) or {"commit": commit, "mindspore": VERSION, "suites": {}}
    if content["commit"] != commit or content["mindspore"] != VERSION:
        sys.exit(f"'{folder}' is of commit {content['commit']} with mindspore {content['mindspore']}: take another")
    folder.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps(content, indent=1))
    subprocess.run(["git", "worktree", "add", "--detach", "--quiet", str(tree), commit], cwd=ROOT, check=True)
    try:
        if not (folder / "data" / TEXT_FILE).exists():
            draw(tree, folder / "data")
        for suite in suites:
            shutil.rmtree(folder / suite, ignore_errors=True)
            if errors := run_suite("old", tree, suite, folder / suite, folder / suite, folder / "data"):
                sys.exit(f"{suite} of the old tree fails: {errors}")
            content["suites"][suite] = {"commands": commands_of(suite), "tree": str(tree)}
            manifest.write_text(json.dumps(content, indent=1))
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, check=False)


def read_manifest(folder: Path) -> dict:
    """Returns what a folder of old results says of itself, nothing where it has no manifest."""
    path = folder / MANIFEST
    return json.loads(path.read_text()) if path.exists() else {}


def commands_of(suite: str) -> list[list[str]]:
    """Returns the commands of a suite: results that others have made are of no use."""
    return [list(command.arguments) for command in SUITES[suite]()]


def compare(suite: str, old: Side, new: Side, errors: dict[str, str]) -> tuple[int, int]:
    """Prints a line a comparison; returns how many there are and how many differ."""
    failures = ((f"{label} of the new tree ends well", "exit code 0", error) for label, error in errors.items())
    count = differing = 0
    for label, one, other in itertools.chain(failures, comparisons(suite, old, new)):
        if not one:
            sys.exit(f"{suite} {label}: the old tree has left nothing to compare")
        found = first_difference(one, other)
        print(f"{suite} {label}: {f'DIFFER ({found.strip()[:300]})' if found else 'equal'}", flush=True)
        count, differing = count + 1, differing + bool(found)
    return count, differing


def main() -> None:
    """Reads the command line, runs both trees, compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", help="of the old tree")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES)}; all of them by default")
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument("--keep", type=Path, metavar="FOLDER", help="for the old tree's results: new, or kept earlier")
    kept.add_argument("--old", type=Path, metavar="FOLDER", help="take the old tree's results from here")
    arguments = parser.parse_args()
    suites = arguments.suites or list(SUITES)
    if unknown := set(suites) - set(SUITES):
        parser.error(f"'{sorted(unknown)[0]}' is no suite; the suites are {', '.join(SUITES)}")
    git = ["git", "rev-parse", "--verify", "--quiet", f"{arguments.commit}^{{commit}}"]
    commit = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    if not commit:
        parser.error(f"'{arguments.commit}' is no commit of this repository")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what has been made is removed
    counts = []
    with tempfile.TemporaryDirectory(prefix="same_results_") as name:
        scratch = Path(name).resolve()
        old = (arguments.old or arguments.keep or scratch / "old").resolve()
        manifest = read_manifest(old)
        if old.exists() and any(old.iterdir()) and not manifest:
            parser.error(f"'{old}' holds other files; take an empty or new folder")
        is_usable = (manifest.get("commit"), manifest.get("mindspore")) == (commit, VERSION)
        done = manifest["suites"] if is_usable else {}
        missing = [suite for suite in suites if done.get(suite, {}).get("commands") != commands_of(suite)]
        if missing and arguments.old:
            parser.error(f"'{old}' has no results of {', '.join(missing)} at {commit} by these commands; use --keep")
        if missing:
            make_old(commit, missing, old, scratch)
        for suite in suites:
            errors = run_suite("new", ROOT, suite, old / suite, scratch / suite, old / "data")
            tree = Path(read_manifest(old)["suites"][suite]["tree"])
            folders = old / suite, scratch / suite
            sides = (Side(folder, (*folders, place)) for folder, place in zip(folders, (tree, ROOT), strict=True))
            counts.append(compare(suite, *sides, errors))
    count, differing = (sum(each) for each in zip(*counts, strict=True))
    print(f"{count} comparisons, {differing} differ")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
