#!/bin/bash
# globox 2.9.0 with pycocotools 2.0.11: AnnotationSet.save_coco numbers annotations from 0, also where it is told the ids of
# labels and images, and to COCOeval a detection that is matched with annotation 0 is matched with nothing: a false alarm.
# Seen: three boxes in three images, detections equal to them: AP 0.442; with the ids counted from 1: 1.000.
# Mended here: utils/detection/results/coco_metrics.py numbers the annotations anew before they are evaluated.
# Exit code 0: still so. 1: it has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/env"
"$work/env/bin/pip" --quiet install globox==2.9.0 pycocotools==2.0.11
cd -- "$work"
"$work/env/bin/python" - <<'PYTHON'
import contextlib
import io
import json
import sys
from importlib.metadata import version

from globox import Annotation, AnnotationSet, BoundingBox
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

boxes = AnnotationSet()
for index in range(3):
    box = BoundingBox(label="ant", xmin=10, ymin=10, xmax=60, ymax=60)
    boxes.add(Annotation(f"{index}.jpg", (200, 200), [box]))
boxes.save_coco("boxes.json", label_to_id={"ant": 1}, imageid_to_id={f"{index}.jpg": index + 1 for index in range(3)})
with open("boxes.json") as file:
    content = json.load(file)


def average_precision(shift):
    rows = [{**row, "id": row["id"] + shift} for row in content["annotations"]]
    with open("truth.json", "w") as file:
        json.dump({**content, "annotations": rows}, file)
    found = [{**{key: row[key] for key in ("image_id", "category_id", "bbox")}, "score": 0.9} for row in rows]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO("truth.json")
        evaluator = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return round(float(evaluator.stats[0]), 3)


ids = [row["id"] for row in content["annotations"]]
names = f"globox {version('globox')}, pycocotools {version('pycocotools')}"
print(f"{names}: annotation ids {ids}, AP of equal boxes {average_precision(0)}, with the ids from 1 {average_precision(1)}")
sys.exit(0 if ids == [0, 1, 2] and (average_precision(0), average_precision(1)) == (0.442, 1.0) else 1)
PYTHON
