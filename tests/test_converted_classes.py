"""Class names travel: from a file of MMDetection through the converter to the average precision of eval.py."""

import json
import re
import shlex

import cv2
import numpy as np
import pytest

from tests.suites import DETECTORS, FASTER_RCNN, NAS_FPN, for_each

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.end_to_end

NAMES = ("zebra", "apple", "car")  # in the order of the class outputs; the data set lists apple, car, zebra
CATEGORIES = [{"id": 1, "name": "apple"}, {"id": 2, "name": "car"}, {"id": 5, "name": "zebra"}]
ZEBRA, NUM_BOXES = 5, 6


def detector_of_zebras(suite):
    """A random detector of MMDetection that takes everything for its class 0, and the keys of its network."""
    if suite is NAS_FPN:
        from nas_fpn.tests import conversion, torch_mmdet

        network = torch_mmdet.randomise(torch_mmdet.Detector(**conversion.TINY_NETWORK), seed=5)
        biases = network.bbox_head.retina_cls.bias.detach().view(-1, len(NAMES))
        deltas = (network.bbox_head.retina_reg,)
        biases[:, 1:] -= 20
    else:
        from faster_rcnn.tests import conversion

        network = conversion.reference_detector(seed=1)
        head = network.roi_head.bbox_head
        head.fc_cls.bias.detach()[1:-1] -= 20
        head.fc_cls.bias.detach()[0] += 3
        deltas = (network.rpn_head.rpn_reg, head.fc_reg)
    with torch.no_grad():
        for layer in deltas:  # as small as a trained head's
            layer.weight.mul_(0.2), layer.bias.mul_(0.2)
    return network, [argument for argument in conversion.TINY if "num_classes" not in argument]


def write_data(root, boxes=None):
    """Two pictures; their annotations are zebras at `boxes`, xywh by image id, or one of each class."""
    (root / "val2017").mkdir(parents=True, exist_ok=True)
    (root / "annotations").mkdir(exist_ok=True)
    draw = np.random.default_rng(0)
    images, annotations = [], []
    for number in (1, 2):
        picture = np.kron(draw.integers(0, 256, (8, 12, 3)), np.ones((16, 16, 1))).astype(np.uint8)
        cv2.imwrite(str(root / "val2017" / f"{number}.png"), picture)
        images.append({"id": number, "file_name": f"{number}.png", "width": 192, "height": 128})
        each_class = [(category["id"], [8, 8, 40, 40]) for category in CATEGORIES]
        marked = [(ZEBRA, box) for box in boxes[number]] if boxes else each_class
        for category, box in marked:
            row = {"id": len(annotations) + 1, "image_id": number, "category_id": category, "bbox": box}
            annotations.append({**row, "area": box[2] * box[3], "iscrowd": 0})
    content = {"images": images, "annotations": annotations, "categories": CATEGORIES}
    (root / "annotations" / "instances_val2017.json").write_text(json.dumps(content))


@for_each(DETECTORS, long_run=(FASTER_RCNN,))
def test_a_file_with_another_order_of_classes_is_evaluated_by_their_names(suite, tmp_path):
    """The detector's own best boxes of its class 0, annotated as zebras, are all found: an AP of 1.

    The commands are those that the converter prints, with the place of the data.
    """
    network, keys = detector_of_zebras(suite)
    meta = {"dataset_meta": {"classes": NAMES, "palette": [(220, 20, 60)]}, "mmengine_version": "0.10.7"}
    file = tmp_path / "my epoch_12.pth"  # a shell would take the name for two words
    torch.save({"meta": meta, "state_dict": network.state_dict()}, file)
    done = suite.succeed("convert_checkpoint.py", f"--ckpt_file={file}", *keys, cwd=tmp_path)
    assert "classes: 3, 'zebra', 'apple', 'car'" in done.stdout
    (words,) = re.findall(r": (eval\.py .*)\)$", done.stdout, re.MULTILINE)
    script, *arguments = shlex.split(words.replace("COCO", str(tmp_path / "data")))

    write_data(tmp_path / "data")
    suite.succeed(script, *arguments, "--device_target=CPU", "--run_dir=first", cwd=tmp_path)
    predictions = json.loads(next((tmp_path / "first").glob("predictions*.json")).read_text())
    assert len(predictions) > NUM_BOXES
    assert {row["category_id"] for row in predictions} == {ZEBRA}

    best = sorted(predictions, key=lambda row: -row["score"])[:NUM_BOXES]
    best = {number: [row["bbox"] for row in best if row["image_id"] == number] for number in (1, 2)}
    write_data(tmp_path / "data", best)
    suite.succeed(script, *arguments, "--device_target=CPU", "--run_dir=second", cwd=tmp_path)
    result = json.loads((tmp_path / "second" / "result.json").read_text())
    assert result["AP"] == result["per_class"]["zebra"] == pytest.approx(1, abs=1e-6)
    assert (result["per_class"]["apple"], result["per_class"]["car"]) == (-1, -1)
