"""export.py: the file gives the network's outputs, the JSON says how to feed it, bad input gets a sentence."""

import functools
import json
import logging
import re

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from tests.suites import FASTER_RCNN, NAS_FPN, SEGFORMER, SUITES, files_of, for_suites, taken_device
from utils.detection.results.pictures.operating_point import stored_min_score
from utils.exporting.check import compare_outputs, run_model
from utils.exporting.description import read_description
from utils.model_utils.config.loading import dump_config
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.training.checkpoints.checkpoint import load_checkpoint

pytestmark = pytest.mark.end_to_end
NUM_ANCHORS = (16 * 16 + 8 * 8 + 4 * 4 + 2 * 2 + 1) * 6  # of a 128 x 128 input: two scales, three ratios
INPUTS = {
    "nas_fpn": [("images", [1, 3, 128, 128])],
    "faster_rcnn": [("images", [1, 3, 128, 128]), ("image_metas", [1, 4])],
    "segformer": [("images", [1, 3, 64, 128])],
}
OUTPUTS = {
    "nas_fpn": [("boxes", "float32", [1, NUM_ANCHORS, 4]), ("scores", "float32", [1, NUM_ANCHORS, 2])],
    "faster_rcnn": [
        ("boxes", "float32", [1, 100, 4]),
        ("scores", "float32", [1, 100]),
        ("labels", "int32", [1, 100]),
    ],
    "segformer": [("logits", "float32", [1, 4, 64, 128])],
}
NAMES = {NAS_FPN: "retinanet_nasfpn", FASTER_RCNN: "faster_rcnn"}
POSTPROCESSING = {
    "nas_fpn": {
        "min_score": 0.05,
        "nms_threshold": 0.5,
        "nms_method": "soft_gaussian",
        "nms_pre": 1000,
        "max_boxes": 100,
        "anchors_per_level": [1536, 384, 96, 24, 6],
    },
    "faster_rcnn": {"test_score_thr": 0.05, "test_iou_thr": 0.5, "test_max_per_img": 100},
    "segformer": {"ignore_label": 255},
}


def file_name(suite, name="net"):
    return "custom" if suite is SEGFORMER else name


def run_export(suite, checkpoint, folder, *arguments):
    named = () if suite is SEGFORMER else ("--file_name=net",)
    changed = [text.replace("--file_format", "--export_format") if suite is SEGFORMER else text for text in arguments]
    given = f"--{suite.checkpoints['export.py']}={checkpoint}"
    suite.call("export.py", "--config_path=config/custom.yaml", f"--run_dir={folder}", given, *named, *changed)


@pytest.fixture(scope="module")
def _outputs():
    @functools.cache
    def call(suite, checkpoint, arguments):
        build, config = suite.part("build"), suite.part("config").load([*arguments, *suite.tiny.TOY_EVALUATION])
        shape = (64, 128) if suite is SEGFORMER else (128, 128)
        fed = [np.random.default_rng(3).normal(size=(2, 3, *shape)).astype(np.float32)]
        if suite is FASTER_RCNN:  # one picture larger than the input, one smaller
            fed = list(suite.part("export").probe(64, 96, 2))
            fed[1][1] = (40, 60, 1.6, 1.6)
        with taken_device():
            network = suite.load_network(checkpoint, *arguments, *suite.tiny.TOY_EVALUATION)
            found = build.build_inference(config, network).set_train(False)(*map(ms.Tensor, fed))
        return fed, [each.asnumpy() for each in (found if isinstance(found, tuple) else (found,))]

    return call


@pytest.fixture()
def outputs(suite, toy, checkpoint, _outputs):
    """A network and its arguments, what it is fed, and what it answers: with CPU kernels where there are any.

    Faster R-CNN's has random weights: of its trained toy export.py refuses the ONNX file, whose detections differ.
    """
    path, arguments = (
        (checkpoint, suite.tiny.TINY_NETWORK) if suite is FASTER_RCNN else (toy.checkpoint(), suite.tiny.TOY)
    )
    return path, arguments, *_outputs(suite, path, arguments)


@for_suites
def test_the_documented_command(toy):
    """From another folder; the file's name is the given one, or begins with the configuration's."""
    name = file_name(toy.suite, "toy")
    assert sorted(path.name for path in toy.exported.parent.iterdir()) == [f"{name}.json", f"{name}.mindir"]
    shown = toy.exporting
    assert re.search(
        rf"exported .*{name}\.mindir \(MINDIR, [01]\.\d MB\), largest difference to the network's outputs \S+ of",
        shown.stdout,
    )
    if toy.suite is FASTER_RCNN:
        assert re.search(r"\d detections on the drawn picture to compare with|finds nothing on the", shown.stderr)
        assert "roi_sampling_ratio" not in shown.stderr  # it was trained with that of exported models


@for_suites
def test_the_json_says_how_to_feed_the_model_and_what_comes_out(toy):
    suite, name = toy.suite, file_name(toy.suite, "toy")
    is_segformer = suite is SEGFORMER
    stored = stored_min_score(load_checkpoint(toy.checkpoint(), suite=suite.name).best)
    drawn = {} if stored is None else {"picture_min_score": stored}
    assert drawn or suite is not NAS_FPN  # whose toy finds what it has learned
    assert json.loads(toy.exported.with_suffix(".json").read_text()) == {
        "suite": suite.name,
        "file": f"{name}.mindir",
        "file_format": "MINDIR",
        "inputs": [{"name": key, "dtype": "float32", "shape": shape} for key, shape in INPUTS[suite.name]],
        "outputs": [{"name": key, "dtype": kind, "shape": shape} for key, kind, shape in OUTPUTS[suite.name]],
        "preprocessing": {
            "channel_order": "RGB",
            "resize": "keep_ratio",
            "height": 64 if is_segformer else 128,
            "width": 128,
            "mean": [123.675, 116.28, 103.53],
            "std": [58.395, 57.12, 57.375],
            "padding": "bottom_right",
            "padding_value": 0.0,
            "rounding": "half_up" if is_segformer else "half_even",
        },
        "class_names": [f"class_{number}" for number in range(4)] if is_segformer else ["blue", "red"],
        "category_ids": [0, 1, 2, 3] if is_segformer else [3, 7],
        "postprocessing": POSTPROCESSING[suite.name] | drawn,
        "format_version": 1,
    }


@pytest.mark.parametrize(
    ("suite", "file_format", "batch"),
    [
        *((suite, "ONNX", 2) for suite in SUITES),
        (NAS_FPN, "MINDIR", 0),  # for any number of images
        (SEGFORMER, "MINDIR", 0),
        (FASTER_RCNN, "MINDIR", 2),
    ],
    ids=str,
)
def test_the_file_gives_what_the_network_gives(suite, file_format, batch, outputs, tmp_path, capsys):
    """Operators that MindSpore cannot write as ONNX are put together from others."""
    if file_format == "ONNX":
        pytest.importorskip("onnxruntime")
    path, arguments, fed, expected = outputs
    exact = ("--roi_sampling_ratio=2",) if file_format == "ONNX" else ()  # an ONNX has what it is asked for
    changes = {NAS_FPN: ("--min_score=0.25", "--nms_threshold=0.7"), FASTER_RCNN: exact}
    wanted = (f"--file_format={file_format}", f"--export_batch_size={batch}")
    run_export(suite, path, tmp_path, *arguments, *changes.get(suite, ()), *wanted)
    if suite is FASTER_RCNN and file_format == "MINDIR":
        assert "eval.py --roi_sampling_ratio=2 evaluates this network" in capsys.readouterr().err
    file = tmp_path / f"{file_name(suite)}.{file_format.lower()}"
    found = run_model(file, file_format, fed)
    assert compare_outputs(found, expected) < (1e-4 if file_format == "ONNX" or suite is FASTER_RCNN else 1e-5)
    description = read_description(file)
    assert description.file_format == file_format
    assert description.inputs[0].shape[0] == (batch or None)
    assert {each.shape[0] for each in description.outputs} == {batch or None}
    if suite is NAS_FPN:
        rule = description.postprocessing
        assert (rule["min_score"], rule["nms_threshold"]) == (0.25, 0.7)
    if suite is FASTER_RCNN:
        assert (found[1][:, :5] > 0.05).all()
        assert found[0][0].max() > 60  # pixels of the first picture, which is larger than the second
        assert found[0][1].max() <= 60


@pytest.mark.parametrize("suite", [SEGFORMER], ids=str)
def test_cityscapes_classes_have_their_own_ids(suite, tmp_path):
    name = "segformer.b1.1024x1024.city"
    arguments = (f"--config_path=config/{name}.yaml", "--class_num=19")
    path = suite.tiny.write_checkpoint(tmp_path / "tiny.ckpt", *arguments)
    run_export(suite, path, tmp_path / "out", *arguments)
    description = read_description(tmp_path / "out" / f"{name}.mindir")
    assert description.class_names == SEGFORMER.part("labels.classes").CITYSCAPES_CLASS_NAMES
    assert description.category_ids[:3] == (7, 8, 11)  # road, sidewalk, building


@for_suites
def test_the_configuration_of_a_run_names_no_file(suite, checkpoint, tmp_path):
    """RUN/config.yaml is called so in every run, the default file for all: the suite or the checkpoint names it."""
    stored = tmp_path / "config.yaml"
    stored.write_text(dump_config(suite.load()))
    given = f"--{suite.checkpoints['export.py']}={checkpoint}"
    if suite is not SEGFORMER:
        assert suite.load(f"--config_path={stored}", given).file_name == NAMES[suite]
        return
    suite.call("export.py", f"--config_path={stored}", f"--run_dir={tmp_path / 'out'}", given)
    assert files_of(tmp_path / "out") == {f"{checkpoint.stem}.json", f"{checkpoint.stem}.mindir"}
    config = suite.load(f"--config_path={stored}", given, "--file_name=town")
    assert suite.part("export").model_name(config, checkpoint) == "town"
    assert suite.part("export").model_name(suite.load(given), checkpoint) == checkpoint.stem
    (tmp_path / "eval_config.yaml").write_text(stored.read_text())
    config = suite.load(f"--config_path={tmp_path / 'eval_config.yaml'}")
    assert suite.part("export").model_name(config, checkpoint) == checkpoint.stem


DETECTOR_FAULTS = [
    ("--file_format=TFLITE", BadValueError, "auto, MINDIR, AIR, ONNX"),
    ("--file_name=a file/net", MissingPathError, "'.*a file' is a file"),
    ("--num_classes=5", BadValueError, "5 and .* has 2 classes"),
    ("--device_target=GPU", BadStateError, "GPU"),
]
FAULTS = {
    NAS_FPN: [
        *DETECTOR_FAULTS,
        ("--export_batch_size=-1", BadValueError, "export_batch_size is -1"),
    ],
    FASTER_RCNN: [
        *DETECTOR_FAULTS,
        ("--export_batch_size=0", BadValueError, "export_batch_size is 0"),
        ("--backbone=res2net_49", BadValueError, "res2net_50, res2net_101"),
        ("--res2net_layers=null", BadValueError, "1, 1, 1, 1"),
    ],
    SEGFORMER: [
        ("--file_format=PTH", BadValueError, "auto, AIR, MINDIR, ONNX"),
        ("--class_num=5", BadValueError, "class_num is 5, but the weights of .* are of a network with 4"),
        ("--backbone_depths=[1,2,1,1]", BadValueError, "does not fit the network"),
        ("--run_dir={tmp}/a file", MissingPathError, "'.*a file' is a file"),
    ],
}


@pytest.mark.parametrize(
    ("suite", "changed", "error", "sentence"),
    [
        *((suite, *fault) for suite, faults in FAULTS.items() for fault in faults),
        *((suite, "--file_format=AIR", BadValueError, "on Ascend only") for suite in SUITES),
        *((suite, "--{key}=", MissingPathError, suite.checkpoints["export.py"]) for suite in SUITES),
        *((suite, "--{key}={tmp}/absent.ckpt", MissingPathError, r"absent\.ckpt") for suite in SUITES),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_a_sentence(suite, changed, error, sentence, checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a file").touch()
    words = changed.format(tmp="{tmp}", key=suite.checkpoints["export.py"]).split(" --")
    arguments = [f"--{word.removeprefix('--')}".format(tmp=tmp_path) for word in words]
    with pytest.raises(error, match=sentence):
        run_export(suite, checkpoint, tmp_path, *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["a file"]


@pytest.mark.parametrize("suite", [NAS_FPN], ids=str)
def test_without_what_rewrites_it_an_onnx_takes_a_fixed_number_of_images(suite, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr("utils.exporting.export.can_rewrite", lambda: False)
    with pytest.raises(BadValueError, match=r"fixed number of images only: .*`pip install onnx==.* onnxscript=="):
        run_export(suite, checkpoint, tmp_path, "--file_format=ONNX", "--export_batch_size=null")
    assert not list(tmp_path.iterdir())


# What Faster R-CNN compares its file on


@pytest.mark.parametrize(
    ("scores", "sentence"),
    [
        ([[0.9, 0.2, 0.0]], "2 detections on the drawn picture"),
        ([[0.0, 0.0, 0.0]], "finds nothing on the drawn picture"),
    ],
)
def test_how_much_there_is_to_compare_is_said(scores, sentence, caplog):
    class Network(nn.Cell):
        def construct(self, images, image_metas):
            return images, ms.Tensor(scores, ms.float32), image_metas

    export = FASTER_RCNN.part("export")
    caplog.set_level(logging.INFO)
    export.log_probe(Network(), export.probe(64, 96, 1))
    assert sentence in caplog.text


def test_the_drawn_picture_has_padding_and_scales_of_its_own():
    images, metas = FASTER_RCNN.part("export").probe(64, 96, 2)
    assert (images.shape, images.dtype, metas.shape, metas.dtype) == ((2, 3, 64, 96), np.float32, (2, 4), np.float32)
    assert not images[:, :, 32:].any()
    assert images[:, :, :32].any(axis=(1, 3)).all()
    np.testing.assert_allclose(metas[0], [64, 120, 0.5, 0.8])  # 32 / 0.5 and 96 / 0.8 pixels
