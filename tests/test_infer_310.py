"""From a trained toy to its metric by way of MindIR, C++ and postprocess.py: the metric is eval.py's."""

import json

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from tests.suites import NAS_FPN, SEGFORMER, for_suites
from utils.detection.tests.pictures_310 import copy_pictures, infer_in_python
from utils.exporting.description import read_description
from utils.exporting.tests.written_results import write_results
from utils.images import read_image
from utils.launch.tests.cpp_program import require_program, run_infer_310, run_postprocess
from utils.pixels import to_input

LAST_LINE = {
    "nas_fpn": "mAP: {mAP}",
    "faster_rcnn": " Average Recall     (AR) @[ IoU=0.50:0.95 | area= large",
    "segformer": "",
}
FILES = {"build.log", "infer.log", "acc.log", "result_Files", "result_Files.json", "time_Result", "result.json"}

pytestmark = pytest.mark.end_to_end


@pytest.fixture()
def expected(toy):
    """What eval.py has found: neither nothing nor everything, so that a difference would be seen."""
    result = json.loads((toy.evaluated / "result.json").read_text())
    assert 0.1 < result[toy.suite.metric] < 0.98
    return result


def annotations(toy):
    return "../my data/gtFine/val" if toy.suite is SEGFORMER else "../my data/annotations/instances_val2017.json"


def assert_equal_metrics(result, expected, tolerance):
    names = [name for name in ("mAP", "AP50", "AP75", "AR100", "mIoU") if name in expected]
    assert names
    for name in names:
        assert result[name] == pytest.approx(expected[name], abs=tolerance)


def segment_in_python(model, images, folder):
    """Leaves in a folder what the C++ program would, of the tensors that eval.py makes of these images."""
    fitted_size = SEGFORMER.part("base_dataset").fitted_size
    rule, results, network = read_description(model).preprocessing, [], nn.GraphCell(ms.load(str(model)))
    for file in SEGFORMER.part("dataset").find_images(images, "val"):
        image = read_image(file)
        size = fitted_size(image.shape[:2], (rule.height, rule.width))
        resized = SEGFORMER.part("results.planes").resize(image, size)
        planes = to_input(resized, (rule.height, rule.width), rule.mean, rule.std)
        scale = size[0] / image.shape[0]
        results.append((file.name, image.shape[:2], (scale, scale), [network(ms.Tensor(planes[None])).asnumpy()[0]]))
    write_results(folder, model, results)


@for_suites
def test_on_the_same_tensors_the_metric_is_that_of_eval_py(toy, expected):
    """Without MindSpore, from the folder of the results; labels are looked up by name in a folder of any form."""
    suite, folder = toy.suite, toy.here / "same tensors"
    if suite is SEGFORMER:
        segment_in_python(toy.exported, toy.data, folder)
    else:
        settings = suite.part("build").input_settings(suite.part("config").load(suite.tiny.TOY))
        pictures = copy_pictures(toy.data, toy.here / "some pictures")
        infer_in_python(toy.exported, pictures, settings, folder, takes_metas=suite.name == "faster_rcnn")
    finished = run_postprocess(suite.name, "--anno_path", annotations(toy), cwd=folder)
    assert finished.returncode == 0, finished.stderr
    result = json.loads((folder / "result.json").read_text())
    assert_equal_metrics(result, expected, 1e-4)
    assert result.get("num_detections") == expected.get("num_detections")
    if suite is SEGFORMER:
        found, wanted = np.asarray(result["confusion_matrix"]), np.asarray(expected["confusion_matrix"])
        assert np.abs(found - wanted).sum() <= 1e-4 * wanted.sum()
    assert finished.stdout.splitlines()[-1].startswith(LAST_LINE[suite.name].format(**result))


@for_suites
def test_run_infer_310_gives_the_metric_of_eval_py(toy, expected):
    """As the page calls it, from another folder; a picture that cannot be read is counted."""
    require_program(toy.suite.name)
    folder, model = toy.here / "in C++", f"../{toy.exported.relative_to(toy.here)}"
    folder.mkdir()
    if toy.suite is SEGFORMER:  # a data set in the layout of Cityscapes for images and labels
        pictures, truth = "../my data", "../my data"
    else:
        copy_pictures(toy.data, toy.here / "my pictures")
        pictures, truth = "../my pictures", annotations(toy)
    finished = run_infer_310(toy.suite.name, model, pictures, truth, "0", cwd=folder)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    result = json.loads((folder / "result.json").read_text())
    assert_equal_metrics(result, expected, 5e-3)
    assert (folder / "acc.log").read_text() == finished.stdout
    if toy.suite is SEGFORMER:
        assert (result["num_images"], result["num_skipped"]) == (4, 0)
        assert f"===> mIoU: {result['mIoU']}, ckpt: custom.mindir" in finished.stdout
        return
    assert sum(line.startswith(" Average ") for line in finished.stdout.splitlines()) == 12
    assert finished.stdout.splitlines()[-1].startswith(LAST_LINE[toy.suite.name].format(**result))
    assert "1 of 13 images could not be read: broken.jpg" in finished.stdout
    assert {path.name for path in folder.iterdir()} == {*FILES, "predictions.json"}
    if toy.suite is not NAS_FPN:
        return
    failed = run_infer_310(toy.suite.name, model, pictures, truth, "--on_bad_image=fail", cwd=folder)
    assert failed.returncode == 2
    assert "broken.jpg" in failed.stderr
    assert "inference ended with exit code 2; log: " in failed.stderr
    assert not (folder / "acc.log").exists()
