"""Compares the documented commands with the programs that publish the weights, on real photographs.

python benchmarks/parity.py --data SHARED_DATA [--cache FOLDER] [--only detections|precision|pixels] [--fixed]
    [--output FILE.md] [--faster_rcnn_run RUN] [--nas_fpn_run RUN]

The networks are the real classes of MMDetection, MMSegmentation and transformers. Their weights are random, so that no
file has to be fetched, or were trained here on SHARED_DATA/bccd by the two runs (made with config/custom.yaml where
none are given, in half an hour). The weights are saved as published, converted by the commands, and given to infer.py
and eval.py as they stand; the other programs take their own test pipelines. What is in the cache is not made again.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # this folder has files with the names of suites

import cv2
import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmarks.published import product
from benchmarks.published.comparison import Agreement, Found, compare_detections, explain_by_rounding
from benchmarks.published.environment import prepare_environment
from benchmarks.published.report import TITLES, Report
from benchmarks.published.written_back import write_back

PROGRAMS = ROOT / "benchmarks" / "published"
FITTED = (0, 2, 5, 21)  # photographs to which random weights are fitted
CHANGES = 3  # how often weights are changed by a millionth to explain what is missing
TRAINED_SIDES = (384, 256)  # near the size at which config/custom.yaml trains
SLOW = "mmsegmentation_cityscapes"  # two windows of 1024 x 1024 for each picture: measured where it is named only
BEST = {"faster_rcnn": "ckpt_0/faster_rcnn_best.ckpt", "nas_fpn": "ckpt/retinanet_nasfpn_best.ckpt"}
SEGMENTERS = {
    "mmsegmentation_ade20k": "SegFormer-B0, MMSegmentation, ADE20K's test pipeline",
    "mmsegmentation_cityscapes": "SegFormer-B1, MMSegmentation, Cityscapes' windows",
    "transformers_ade20k": "SegFormer-B0, transformers, 512 x 512",
}


class Comparison:
    """Everything that the comparisons share: the places, the environment of the other programs, the report."""

    def __init__(self, data: Path, cache: Path, with_fixed: bool) -> None:
        self.with_fixed = with_fixed
        self.data, self.cache = data.resolve(), cache.resolve()
        self.photos = self.data / "coco_subset" / "val2017"
        self.names = sorted(path.name for path in self.photos.iterdir())
        annotations = self.data / "coco_subset" / "annotations" / "instances_val2017.json"
        self.annotations = json.loads(annotations.read_text())
        self.python = prepare_environment(self.cache / "environment")
        self.report = Report()

    def run_program(self, program: str, *arguments: object) -> None:
        """Runs a program of `published/` in the other environment."""
        subprocess.run([self.python, PROGRAMS / "openmmlab.py", program, *map(str, arguments)], check=True)

    def paths(self, names: list[str]) -> list[Path]:
        """Returns the files of some photographs."""
        return [self.photos / name for name in names]

    def groups(self) -> dict[str, list[str]]:
        """Returns lying and upright photographs."""
        upright = {image["file_name"] for image in self.annotations["images"] if image["height"] > image["width"]}
        return {
            "lying": [name for name in self.names if name not in upright],
            "upright": [name for name in self.names if name in upright],
        }


def compare_published_detectors(comparison: Comparison, suite: str) -> None:
    """Compares a detector of the published size on photographs."""
    folder = comparison.cache / suite
    folder.mkdir(exist_ok=True)
    weights = folder / "published.pth"
    if not weights.exists():
        fitted = comparison.paths([comparison.names[index] for index in FITTED])
        comparison.run_program("detectors", "make", suite, weights, "--photos", *fitted)
    names, reference, seconds = find_reference(comparison, suite, comparison.names, folder / "reference.json")
    product.convert_detector(suite, weights, folder / "published.ckpt")
    class_of = {category["id"]: names.index(category["name"]) for category in comparison.annotations["categories"]}
    taken = {}
    for canvas in ("fixed", "picture") if comparison.with_fixed else ("picture",):
        # Converted weights say themselves that the canvas follows the picture.
        arguments = ("--canvas=fixed",) if canvas == "fixed" else ()
        inference = product.infer_detector(
            suite, folder / "published.ckpt", comparison.photos, folder / canvas, *arguments
        )
        agreement = compare_detections(reference, inference.by_picture(class_of, comparison.names))
        comparison.report.add_detections(suite, canvas, agreement, comparison.groups())
        taken[canvas] = f"{inference.seconds:.2f}"
    explain(comparison, suite, agreement, reference)
    comparison.report.seconds.append((TITLES[suite], taken["picture"], taken.get("fixed", "-"), f"{seconds:.2f}"))
    comparison.report.notes.append(describe(suite, agreement))


def describe(suite: str, agreement: Agreement) -> str:
    """Returns what is missing and why, and how far the others differ."""
    reasons = ", ".join(f"{count} {reason}" for reason, count in agreement.reasons.items() if count) or "nothing"
    return (
        f"{TITLES[suite]}: missing: {reasons}; the others differ by at most {agreement.box_difference:.4f} pixels and "
        f"{agreement.score_difference:.1e} of score."
    )


def find_reference(
    comparison: Comparison, suite: str, names: list[str], output: Path, *arguments: object
) -> tuple[list[str], dict[str, Found], float]:
    """Returns the names of the classes, what MMDetection finds in photographs, and its seconds for a picture."""
    if not output.exists():
        given = ("--photos", *comparison.paths(names), "--output", output, *arguments)
        comparison.run_program("detectors", "detect", suite, output.with_name("published.pth"), *given)
    content = json.loads(output.read_text())
    found = {
        name: Found.of_lists(part["boxes"], part["scores"], part["classes"])
        for name, part in content["pictures"].items()
    }
    return content["class_names"], found, content["seconds"]


def explain(comparison: Comparison, suite: str, agreement: Agreement, reference: dict[str, Found]) -> None:
    """Asks MMDetection itself about detections that are missing without a reason, with weights changed a little."""
    names = list(agreement.missing)
    if not names:
        return
    changed = []
    for seed in range(1, CHANGES + 1):
        output = comparison.cache / suite / f"changed_{seed}.json"
        output.unlink(missing_ok=True)
        changed.append(find_reference(comparison, suite, names, output, "--changed", seed)[1])
    explain_by_rounding(agreement, reference, changed)


def compare_precision(comparison: Comparison, suite: str, run: Path | None) -> None:
    """Compares the AP of a detector that was trained here, in MMDetection's names and converted back."""
    folder = comparison.cache / f"{suite}_trained"
    folder.mkdir(exist_ok=True)
    coco, run = comparison.data / "bccd", run or folder / "train"
    if not (run / BEST[suite]).exists():
        rate = ("--lr=0.001",) if suite == "faster_rcnn" else ()
        places = (f"--coco_root={coco}", f"--run_dir={run}", f"--mindrecord_dir={folder / 'records'}")
        product.run_command(suite, "train.py", "--config_path=config/custom.yaml", *places, *rate)
    keys = write_back(suite, run / BEST[suite], folder / "trained.pth")
    (folder / "keys.json").write_text(json.dumps(keys))
    photos = sorted((coco / "val2017").iterdir())
    given = ("--keys", folder / "keys.json", "--sides", *TRAINED_SIDES, "--output", folder / "reference.json")
    comparison.run_program("detectors", "detect", suite, folder / "trained.pth", "--photos", *photos, *given)
    theirs = average_precision(coco, json.loads((folder / "reference.json").read_text()))
    config = f"--config_path={run / 'config.yaml'}"
    checkpoint = folder / "converted.ckpt"
    checkpoint.unlink(missing_ok=True)
    product.convert_detector(suite, folder / "trained.pth", checkpoint, config, f"--run_dir={folder}")
    canvas = ("--canvas=picture", f"--canvas_sides=[{TRAINED_SIDES[0]},{TRAINED_SIDES[1]}]")
    divisor = {"faster_rcnn": 32, "nas_fpn": 128}[suite]
    ours = product.evaluate_detector(
        suite, checkpoint, coco, folder / "eval", config, *canvas, f"--canvas_divisor={divisor}"
    )
    comparison.report.precisions.append(
        (f"{TITLES[suite].split(',')[0]}", f"{theirs:.6f}", f"{ours:.6f}", f"{abs(theirs - ours):.1e}")
    )


def average_precision(coco: Path, found: dict) -> float:
    """Returns COCO's AP of what MMDetection found in the split val2017 of a data set."""
    truth = COCO(coco / "annotations" / "instances_val2017.json")
    image_ids = {image["file_name"]: image["id"] for image in truth.dataset["images"]}
    category_ids = {category["name"]: category["id"] for category in truth.dataset["categories"]}
    rows = [
        {
            "image_id": image_ids[name],
            "category_id": category_ids[found["class_names"][index]],
            "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
            "score": score,
        }
        for name, part in found["pictures"].items()
        for box, score, index in zip(part["boxes"], part["scores"], part["classes"], strict=True)
    ]
    evaluation = COCOeval(truth, truth.loadRes(rows), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return float(evaluation.stats[0])


def compare_pixels(comparison: Comparison, name: str) -> None:
    """Compares the class of each pixel of the photographs."""
    folder = comparison.cache / name
    folder.mkdir(exist_ok=True)
    weights = folder / ("published" if name.startswith("transformers") else "published.pth")
    photos = ("--photos", *comparison.paths(comparison.names))
    if not weights.exists():
        fitted = comparison.paths([comparison.names[index] for index in FITTED])
        comparison.run_program("segmenters", "make", name, weights, "--photos", *fitted)
    if not (folder / "reference" / "seconds.json").exists():
        comparison.run_program("segmenters", "predict", name, weights, *photos, "--output", folder / "reference")
    product.predict_classes(weights, folder / "published.ckpt", comparison.photos, folder / "ours")
    shares, classes = [], set()
    for stem in (Path(photo).stem for photo in comparison.names):
        theirs = cv2.imread(str(folder / "reference" / f"{stem}.png"), cv2.IMREAD_GRAYSCALE)
        ours = cv2.imread(str(folder / "ours" / f"{stem}_gray.png"), cv2.IMREAD_GRAYSCALE)
        shares.append((np.count_nonzero(theirs == ours), theirs.size))
        classes |= set(np.unique(theirs).tolist())
    equal = 100 * sum(same for same, _ in shares) / sum(size for _, size in shares)
    lowest = 100 * min(same / size for same, size in shares)
    title, program, rule = SEGMENTERS[name].split(", ")
    comparison.report.pixels.append((title, f"{program}, {rule}", f"{equal:.4f}", f"{lowest:.4f}", len(classes)))


def main() -> None:
    """Reads the command line, compares, prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--cache", type=Path, help="keeps environment, weights and results; else a temporary folder")
    parser.add_argument("--only", choices=("detections", "precision", "pixels"))
    parser.add_argument(
        "--names", nargs="+", help=f"suites, or kinds of weights of SegFormer; all but {SLOW} by default"
    )
    parser.add_argument("--fixed", action="store_true", help="detect with the fixed canvas too")
    parser.add_argument("--faster_rcnn_run", type=Path, help="finished training on bccd")
    parser.add_argument("--nas_fpn_run", type=Path, help="the same")
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    arguments = parser.parse_args()
    cache = arguments.cache or Path(tempfile.mkdtemp(prefix="parity_"))
    cache.mkdir(parents=True, exist_ok=True)
    comparison = Comparison(arguments.data, cache, arguments.fixed)
    for suite in TITLES:
        if arguments.only in (None, "detections") and suite in (arguments.names or TITLES):
            compare_published_detectors(comparison, suite)
        if arguments.only in (None, "precision") and suite in (arguments.names or TITLES):
            compare_precision(comparison, suite, getattr(arguments, f"{suite}_run"))
    for name in SEGMENTERS:
        if arguments.only in (None, "pixels") and name in (arguments.names or set(SEGMENTERS) - {SLOW}):
            compare_pixels(comparison, name)
    print(comparison.report.text())
    if arguments.output:
        arguments.output.write_text(comparison.report.text())


if __name__ == "__main__":
    main()
