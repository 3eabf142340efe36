#!/bin/bash
# OpenCV 4.11.0.86 (imdecode, imread alike): a grey picture in netpbm's form says which value is white. OpenCV scales by it
# where the numbers are text (P2) and not where they are bytes (P5): one picture, written in the two forms of one format,
# comes out with two contents. With 12 bits in a P5 file, a range of cameras and of label tools, white is 15 of 255.
# Seen: P2 with white 15 is [0, 17, 34, 255] and P5 is [0, 1, 2, 15]; 4095 of 4095 is 15; Pillow 13.0.0 gives 255 for each.
# Mended here: utils/images.py leaves such files to Pillow, and refuses more than 8 bits of them in one sentence.
# Exit code 0: still so. 1: it has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/env"
"$work/env/bin/pip" --quiet install opencv-python-headless==4.11.0.86 numpy==1.26.4 pillow==13.0.0
cd -- "$work"
"$work/env/bin/python" - <<'PYTHON'
import io
import sys

import cv2
import numpy as np
import PIL
from PIL import Image

levels = [0, 1, 2, 15]
text = b"P2\n4 1\n15\n0 1 2 15\n"
binary = b"P5\n4 1\n15\n" + bytes(levels)
deep = b"P5\n2 1\n4095\n" + np.array([0, 4095], ">u2").tobytes()


def opened(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)[0].tolist()


def pillow(data):
    return np.asarray(Image.open(io.BytesIO(data)))[0].tolist()


print(f"OpenCV {cv2.__version__}: P2 {opened(text)}, P5 {opened(binary)}, 4095 of 4095 in P5 {opened(deep)[1]}")
print(f"Pillow {PIL.__version__}: P2 {pillow(text)}, P5 {pillow(binary)}, 4095 of 4095 in P5 {pillow(deep)[1]} of 65535")
scaled = [level * 255 // 15 for level in levels]
same = opened(text) == pillow(text) == pillow(binary) == scaled and opened(binary) == levels and opened(deep) == [0, 15]
sys.exit(0 if same else 1)
PYTHON
