#!/bin/bash
# supervision 0.31.2, which reads YOLO's text files and writes COCO: an outline is drawn into a mask of whole pixels whose
# border counts as inside, and the mask's own outline and number of pixels are written. An object of 20 x 10 pixels gets an
# "area" of 231 (21 x 11), one of 4 x 4 gets 25, and corners between pixels move to the next pixel; "bbox" stays that of the
# file. One outline is enough: every plain box of the same picture gets such an outline and area too.
# Seen: areas 231, 25 and, of a plain box of 30 x 8, 279, where the files say 200, 16 and 240.
# Beside it: COCO's metric sorts objects into small, medium and large by this number, so that AP by size is of other objects;
# `data convert` of this project takes the corners as they are and the area of the polygon.
# Exit code 0: still so. 1: it has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/env"
"$work/env/bin/pip" --quiet install supervision==0.31.2 opencv-python-headless==5.0.0.93
mkdir "$work/images" "$work/labels"
cd -- "$work"
"$work/env/bin/python" - <<'PYTHON'
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import supervision

WIDTH, HEIGHT = 200, 100
cv2.imwrite("images/a.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
corners = {"outline": [(90, 45), (110, 45), (110, 55), (90, 55)], "small": [(20, 20), (24, 20), (24, 24), (20, 24)]}
lines = ["0 " + " ".join(f"{x / WIDTH} {y / HEIGHT}" for x, y in points) for points in corners.values()]
Path("labels/a.txt").write_text("\n".join([*lines, f"1 {155 / WIDTH} {14 / HEIGHT} {30 / WIDTH} {8 / HEIGHT}"]) + "\n")
Path("data.yaml").write_text("names: [ant, bee]\n")
data = supervision.DetectionDataset.from_yolo("images", "labels", "data.yaml")
data.as_coco(annotations_path="coco.json")
rows = json.loads(Path("coco.json").read_text())["annotations"]
for name, row, wanted in zip(("outline of 20 x 10", "outline of 4 x 4", "box of 30 x 8"), rows, (200, 16, 240), strict=True):
    print(f"supervision {supervision.__version__}: {name}: area {row['area']:g}, in the file {wanted}; {row['segmentation']}")
sys.exit(0 if [row["area"] for row in rows] == [231, 25, 279] else 1)
PYTHON
