#!/bin/bash
# sahi 0.12.8, which cuts COCO data sets into tiles: Coco.from_coco_dict_or_path and slice_coco read no "iscrowd". A region
# that stands for a group, neither to be found nor background, comes out as one object more, "iscrowd": 0, in every tile
# that it reaches; where the region is run-length encoded a warning says that it "is skipped", and its box is kept all the
# same. The file's "area" is replaced by that of the box, cut to a whole number.
# Seen: one crowd and one object in, two objects out, of area 1200 and 1 (file: 1200 and 1.5), whatever its segmentation.
# Beside it: a data set that went through it trains and is scored on crowds as on objects; nothing in it tells any more.
# Exit code 0: still so. 1: it has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/env"
"$work/env/bin/pip" --quiet install sahi==0.12.8
cd -- "$work"
"$work/env/bin/python" - <<'PYTHON'
import sys

import sahi
from sahi.utils.coco import Coco

segments = {
    "none": [],
    "polygon": [[50, 20, 80, 20, 80, 60, 50, 60]],
    "run-length": {"counts": [0, 128 * 96], "size": [96, 128]},
}
found = {}
for name, segmentation in segments.items():
    crowd = {"id": 1, "image_id": 7, "category_id": 5, "bbox": [50, 20, 30, 40], "area": 1200, "iscrowd": 1}
    one = {"id": 2, "image_id": 7, "category_id": 5, "bbox": [1, 2, 0.5, 3], "area": 1.5, "iscrowd": 0, "segmentation": []}
    content = {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 128, "height": 96}],
        "annotations": [{**crowd, "segmentation": segmentation}, one],
        "categories": [{"id": 5, "name": "ant"}],
    }
    rows = Coco.from_coco_dict_or_path(content).json["annotations"]
    found[name] = [(row["iscrowd"], row["area"]) for row in rows]
    print(f"sahi {sahi.__version__}, segmentation {name}: (iscrowd, area) {found[name]}, in the file [(1, 1200), (0, 1.5)]")
sys.exit(0 if all(rows == [(0, 1200), (0, 1)] for rows in found.values()) else 1)
PYTHON
