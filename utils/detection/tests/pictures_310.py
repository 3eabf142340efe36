"""What the tests of the detectors' run_infer_310.sh have in common: pictures, and results of a model run in Python."""

import shutil
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn

from utils.detection.inputs import InputSettings, fit_image
from utils.exporting.tests.written_results import write_results
from utils.images import read_image


def copy_pictures(data: Path, folder: Path) -> Path:
    """Copies the evaluation split of the tiny data set and adds a file that is no picture."""
    shutil.copytree(data / "val2017", folder)
    (folder / "broken.jpg").write_bytes((folder / "001.jpg").read_bytes()[:300])
    return folder


def infer_in_python(model: Path, pictures: Path, inputs: InputSettings, folder: Path, takes_metas: bool) -> None:
    """Leaves in a folder what the C++ program would, of the tensors that eval.py makes of these pictures."""
    images, network = [], nn.GraphCell(ms.load(str(model)))
    for file in sorted(pictures.glob("0*.jpg")):
        image = read_image(file)
        planes, scales = fit_image(image, inputs)
        metas = [np.float32([[*image.shape[:2], *scales]])] if takes_metas else []
        outputs = network(*map(ms.Tensor, [planes[None], *metas]))
        images.append((file.name, image.shape[:2], scales, [output.asnumpy()[0] for output in outputs]))
    write_results(folder, model, images)
