#!/bin/bash
# rasterio 1.4.3 (GDAL inside its wheel) writes a map of classes with fewer bits where it is asked to: nbits=2 or 4, an option of
# GDAL's PNG and GeoTIFF drivers that land-cover maps are saved with. What reads them differs by library:
#   rasterio gives the class numbers, 0 to 3;
#   Pillow 12.0.0 gives 0, 85, 170, 255 for two bits and 0, 17, 34, 51 for four, of the PNG and of the TIFF: it stretches grey
#   to eight bits, says mode L, and keeps no trace of the factor in the array;
#   OpenCV 4.12.0.88 stretches the PNG likewise, also with IMREAD_UNCHANGED, and gives None for the TIFF;
#   tifffile 2025.10.16 refuses the TIFF unless imagecodecs is installed.
# So a data set that trains well with one reader has classes 85 and 170 with another.
# Mended here: utils/data_sets/label_files.py divides by the factor, for PNG and TIFF (utils/data_sets/tests).
# Exit code 0: still so. 1: it has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/env"
python="$work/env/bin/python"
"$python" -m pip --quiet install rasterio==1.4.3 pillow==12.0.0 opencv-python-headless==4.12.0.88 tifffile==2025.10.16
cd -- "$work"
cat > read.py <<'P'
import sys
import warnings

import cv2
import numpy as np
import rasterio
import tifffile
from PIL import Image

warnings.simplefilter("ignore")  # these maps have no place on earth
classes = np.tile(np.arange(4, dtype=np.uint8), (4, 4))


def values(read):
    try:
        return np.unique(read()).tolist()
    except NotImplementedError:
        return "refused"


found = {}
for bits, factor in ((2, 85), (4, 17)):
    for driver in ("PNG", "GTiff"):
        name = f"{bits}.{driver}"
        with rasterio.open(name, "w", driver=driver, width=16, height=4, count=1, dtype="uint8", nbits=bits) as file:
            file.write(classes, 1)
        with rasterio.open(name) as file:
            own = values(lambda: file.read(1))
        picture = cv2.imread(name, cv2.IMREAD_UNCHANGED)
        found = {
            "rasterio": own,
            "Pillow": values(lambda: np.array(Image.open(name))),
            "OpenCV": None if picture is None else values(lambda: picture),
            "tifffile": values(lambda: tifffile.imread(name)) if driver == "GTiff" else "no TIFF",
        }
        print(f"{bits} bits, {driver}: {found}", flush=True)
        stretched = [number * factor for number in range(4)]
        is_tiff = driver == "GTiff"
        wanted = ([0, 1, 2, 3], stretched, None if is_tiff else stretched, "refused" if is_tiff else "no TIFF")
        if tuple(found.values()) != wanted:
            sys.exit(1)
P
"$python" read.py 2>/dev/null
