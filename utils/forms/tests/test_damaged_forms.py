"""Whatever is in a file of a data set, its reader takes it, counts it as left out, or says one sentence."""

import sys

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from utils.forms.options import Options
from utils.forms.outlines.painting import label_of_objects
from utils.forms.outlines.shapes import area_of, encode, mask_of
from utils.forms.repairs import with_usable_boxes
from utils.forms.sniffing import FORMS
from utils.forms.source_files import SourceFiles
from utils.forms.tally import Tally
from utils.forms.tests.samples import grey, picture, text
from utils.forms.tests.test_boxes_forms import coco, write_voc, write_yolo
from utils.forms.tests.test_outline_forms import write_labelme, write_supervisely
from utils.installation import ROOT
from utils.model_utils.errors import UserError

sys.path.insert(0, str(ROOT / "tests"))

from mutations import mutations

BUDGET = 40
MOST_LETTERS = 800


def write_coco(root):
    picture(root / "a.png")
    half = np.asfortranarray(np.arange(60) < 30 * np.ones((40, 1)), np.uint8)
    runs = {
        "segmentation": {"size": [40, 60], "counts": coco_mask.encode(half)["counts"].decode()},
        "iscrowd": 1,
        "area": 1200,
    }
    polygon = {"segmentation": [[1, 1, 9, 1, 9, 9]], "area": 32.0}
    boxes = [(0, 1, [0.0, 0.0, 30.0, 40.0], runs), (0, 1, [1, 1, 8, 8], polygon)]
    return text(root / "a.json", coco(["a.png"], boxes, [{"id": 1, "name": "person"}])).parent


def write_labels(root):
    picture(root / "images" / "a.jpg")
    grey(root / "masks" / "a.png", np.arange(2400).reshape(40, 60) % 7)
    text(root / "labelmap.txt", "".join(f"c{number} {number}\n" for number in range(7)))
    return root


CASES = {
    "voc": (write_voc, "Annotations/a.xml"),
    "yolo": (lambda root: write_yolo(root, "roboflow"), "train/labels/0.txt"),
    "yolo names": (lambda root: yolo_with_names(root), "data.yaml"),
    "labelme": (write_labelme, "a.json"),
    "labelme with a picture": (write_labelme, "c.json"),
    "coco": (write_coco, "a.json"),
    "supervisely": (write_supervisely, "ds/ann/a.jpg.json"),
    "supervisely classes": (write_supervisely, "meta.json"),
    "labels": (write_labels, "masks/a.png"),
    "labels table": (write_labels, "labelmap.txt"),
}


def yolo_with_names(root):
    write_yolo(root, "roboflow")
    text(root / "data.yaml", "train: ../train/images\nval: ../valid/images\nnc: 2\nnames:\n  0: cat\n  1: dog\n")
    return root


def read(root, form):
    data = FORMS[form].read(SourceFiles(root), Options(), Tally())
    for each in with_usable_boxes(data.pictures, data.tally):
        if each.objects is None:
            each.read_label()
            continue
        for shape in each.objects.shapes:
            if shape is not None:
                area_of(shape)
                encode(mask_of(shape, each.size))
        numbers = np.zeros(max(1, len(data.class_names)), np.uint8)
        label_of_objects(each.objects, each.size, numbers, 0)
    assert max(map(len, [*data.tally.dropped(), *data.tally.changed()]), default=0) < MOST_LETTERS


@pytest.mark.parametrize("name", CASES)
def test_a_damaged_file_is_read_left_out_or_refused_in_a_sentence(tmp_path, name):
    write, damaged = CASES[name]
    root = write(tmp_path / "set")
    read(root, name.split()[0])
    good = (root / damaged).read_bytes()
    for number, content in enumerate(mutations(good, BUDGET)):
        (root / damaged).write_bytes(content)
        try:
            read(root, name.split()[0])
        except UserError as error:
            assert len(str(error)) < MOST_LETTERS, f"case {number}"
        except Exception as error:
            raise AssertionError(f"case {number}: {type(error).__name__}: {error}") from error
