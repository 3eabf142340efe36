"""Both detectors on canvases that follow lying, upright and square pictures, by every way to the detections."""

import functools
import json
import logging
from dataclasses import replace
from types import SimpleNamespace

import cv2
import mindspore as ms
import numpy as np
import pytest

from tests.suites import DETECTORS, FASTER_RCNN, NAS_FPN, for_detectors, for_each, taken_device
from utils.detection.builders import detectors, exports
from utils.detection.suppression import select_detections
from utils.detection.tests.edited_coco import change
from utils.detection.tests.tiny_coco import write_coco
from utils.images import read_image, write_image
from utils.model_utils.errors import BadValueError
from utils.tests.replayed_workers import run_workers

pytestmark = pytest.mark.end_to_end
SIZES = [(96, 128), (128, 96), (97, 130), (96, 128), (130, 97), (99, 128), (96, 130)]  # five lie: a batch and a rest
LOW = {"nas_fpn": "--min_score=0.0001", "faster_rcnn": "--test_score_thr=0.01"}
SIDES = {"nas_fpn": (160, 120), "faster_rcnn": (140, 100)}  # long, short
DIVISOR = {"nas_fpn": 128, "faster_rcnn": 32}
CANVASES = {  # worked by hand: NAS-FPN scales 96x128 by 120/96 to 120x160, Faster R-CNN by 100/96 to 100x133
    "nas_fpn": "7 pictures on 2 canvases, height x width (pictures): 128x256 (5), 256x128 (2);",
    "faster_rcnn": "7 pictures on 2 canvases, height x width (pictures): 128x160 (5), 160x128 (2);",
}


def arguments_of(suite):
    """Of commands whose detections are made by hand too, which has plain suppression."""
    sides, divisor = list(SIDES[suite.name]), DIVISOR[suite.name]
    return (
        LOW[suite.name],
        "--nms_method=hard",
        "--canvas=picture",
        f"--canvas_sides={sides}",
        f"--canvas_divisor={divisor}",
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A split of noise in several shapes."""
    root = write_coco(tmp_path_factory.mktemp("shapes") / "coco data", {"val2017": len(SIZES)})
    for number, size in enumerate(SIZES):
        noise = np.random.default_rng(number).integers(0, 255, (-(-size[0] // 16), -(-size[1] // 16), 3), np.uint8)
        image = np.kron(noise, np.ones((16, 16, 1), np.uint8))[: size[0], : size[1]]
        write_image(root / "val2017" / f"{number:03d}.jpg", image)

    def resize(content):
        for row, (height, width) in zip(content["images"], SIZES, strict=True):
            row.update(height=height, width=width)

    change(root, resize, "val2017")
    return root


def evaluated(suite, data, checkpoint, folder, *arguments):
    places = (f"--checkpoint_path={checkpoint}", f"--mindrecord_dir={data / suite.name}", f"--run_dir={folder}")
    suite.call("eval.py", f"--coco_root={data}", *places, *arguments_of(suite), *arguments)
    return json.loads((folder / "predictions.json").read_text())


def objects_of(suite, data, checkpoint):
    """The objects that eval.py and a training ask."""
    build = suite.part("build")
    given = (f"--coco_root={data}", f"--mindrecord_dir={data / suite.name}", *arguments_of(suite))
    config, stored = build.open_checkpoint(suite.load(*given), checkpoint)
    network, classes = build.load_detector(config, stored)
    split = build.open_evaluation_split(config, classes, "a test")
    new = functools.partial(build.build_evaluator, config, network, split, is_repeated=True)
    return SimpleNamespace(config=config, network=network, evaluator=new(), new_evaluator=new, build=build, compiled={})


def by_hand(suite, parts, path):
    """Boxes, scores and labels of a picture: resized, padded and normalised here, on anchors of its own canvas."""
    image, (long, short) = read_image(path), SIDES[suite.name]
    height, width = image.shape[:2]
    factor = min(long / max(height, width), short / min(height, width))
    new = [int(side * factor + 0.5) for side in (height, width)]
    canvas = [-(-side // DIVISOR[suite.name]) * DIVISOR[suite.name] for side in new]
    planes = np.zeros((1, 3, *canvas), np.float32)
    resized = cv2.resize(image, new[::-1]).astype(np.float64)
    normal = (resized - parts.config.img_norm_mean) / parts.config.img_norm_std
    planes[0, :, : new[0], : new[1]] = normal.transpose(2, 0, 1)
    scales = (new[0] / height, new[1] / width)
    sizes = {"img_shape": tuple(canvas)} if suite is NAS_FPN else {"img_height": canvas[0], "img_width": canvas[1]}
    config = parts.config.model_copy(update=sizes)
    if tuple(canvas) not in parts.compiled:
        parts.compiled[tuple(canvas)] = parts.build.build_inference(config, parts.network).set_train(False)
    network = parts.compiled[tuple(canvas)]
    if suite is NAS_FPN:
        boxes, scores = (output.asnumpy()[0] for output in network(ms.Tensor(planes)))
        rule = parts.build.build_selection_rule(config)
        found = select_detections(boxes, scores, rule, scales=scales, height=height, width=width)
        return found.boxes, found.scores, found.labels
    metas = ms.Tensor(np.float32([[height, width, *scales]]))
    boxes, scores, labels = (output.asnumpy()[0] for output in network(ms.Tensor(planes), metas))
    return boxes[scores > 0], scores[scores > 0], labels[scores > 0]


@for_each(DETECTORS, long_run=(FASTER_RCNN,))
def test_every_picture_gives_what_it_gives_by_hand_on_its_own_canvas(suite, data, checkpoint, tmp_path, caplog):
    """eval.py, in the order of the images, one canvas held at a time; and infer.py finds what eval.py finds."""
    caplog.set_level(logging.INFO)
    rows = evaluated(suite, data, checkpoint, tmp_path / "eval")
    assert any(CANVASES[suite.name] in line for line in caplog.messages), caplog.messages
    assert list(dict.fromkeys(row["image_id"] for row in rows)) == [100 + number for number in range(len(SIZES))]
    parts = objects_of(suite, data, checkpoint)
    for number, (height, width) in enumerate(SIZES):
        own = [row for row in rows if row["image_id"] == 100 + number]
        boxes, scores, labels = by_hand(suite, parts, data / "val2017" / f"{number:03d}.jpg")
        assert len(own) == len(scores) > 3
        assert [row["category_id"] for row in own] == [(7, 3)[label] for label in labels]
        np.testing.assert_allclose([row["score"] for row in own], scores, rtol=1e-4)
        found = np.array([row["bbox"] for row in own])
        found[:, 2:] += found[:, :2]
        np.testing.assert_allclose(found, boxes, atol=2e-3)
        assert found.min() >= 0
        assert (found.max(axis=0) <= [width, height, width + 1e-4, height + 1e-4]).all()
    places = (f"--image_path={data / 'val2017'}", f"--infer_output_path={tmp_path / 'infer'}")
    suite.call("infer.py", f"--checkpoint_path={checkpoint}", *places, *arguments_of(suite))
    inferred = json.loads((tmp_path / "infer" / "detections.json").read_text())
    assert [row.pop("file_name") for row in inferred] == [f"{row['image_id'] - 100:03d}.jpg" for row in rows]
    for row, wanted in zip(inferred, rows, strict=True):
        assert (row["bbox"], row["score"], row["category_id"]) == (
            wanted["bbox"],
            wanted["score"],
            wanted["category_id"],
        )


@for_each(DETECTORS, long_run=(NAS_FPN,))
def test_several_workers_and_a_later_evaluation_come_to_what_a_new_one_comes_to(suite, data, checkpoint):
    """To the last bit. The weights change in between, as in a training with run_eval: nothing is compiled again."""
    with taken_device():
        parts = objects_of(suite, data, checkpoint)
        alone, held = parts.evaluator.evaluate(), list(parts.evaluator.detector.canvases)
        evaluators = {}

        def evaluate(workers):
            """The replay asks again after each exchange, as a training does after some epochs."""
            own = evaluators.get(workers.rank) or parts.new_evaluator()
            evaluators[workers.rank] = own
            return replace(own, workers=workers).evaluate()

        for evaluation in run_workers(2, evaluate):
            assert evaluation.detections == alone.detections
            assert evaluation.result.stats.tolist() == alone.result.stats.tolist()
        assert [len(own.detector.canvases) for own in evaluators.values()] == [1, 1]  # two batches of those that lie
        parts.network.set_train(True)
        for parameter in parts.network.trainable_params():
            if parameter.name.endswith("weight"):
                parameter.set_data(parameter * 1.25)
        later = parts.evaluator.evaluate().detections
        assert later != alone.detections
        assert later == parts.new_evaluator().evaluate().detections
    assert sorted(parts.evaluator.detector.canvases) == sorted(held)


@for_detectors
def test_a_picture_that_just_fits_the_fixed_input_gives_the_same_either_way(suite, checkpoint, tmp_path):
    """A picture of half the fixed input's sides, whose canvas is the fixed input."""
    sizes = ("--img_shape=[128,256]",) if suite is NAS_FPN else ("--img_height=64", "--img_width=160")
    height, width = (64, 128) if suite is NAS_FPN else (32, 80)
    image = np.random.default_rng(3).integers(0, 255, (height, width, 3), np.uint8)
    write_image(tmp_path / "one.png", image)
    rows = []
    for canvas in ("fixed", "picture"):
        out = tmp_path / canvas
        places = (f"--checkpoint_path={checkpoint}", f"--image_path={tmp_path / 'one.png'}")
        suite.call("infer.py", *places, f"--infer_output_path={out}", LOW[suite.name], *sizes, f"--canvas={canvas}")
        rows.append(json.loads((out / "detections.json").read_text()))
    assert len(rows[0]) > 3
    assert rows[0] == rows[1]


@for_detectors
def test_there_is_an_anchor_for_every_place_of_every_level(suite, checkpoint):
    """Of sides that are odd multiples, where Faster R-CNN's coarsest level rounds up."""
    multiple = DIVISOR[suite.name]
    canvas = (5 * multiple, multiple)
    with taken_device():
        build, config = suite.part("build"), suite.load()
        outputs = suite.load_network(checkpoint).set_train(False)(ms.Tensor(np.zeros((1, 3, *canvas), np.float32)))
    assert {output.shape[1] for output in outputs[-2:]} == {len(build.build_anchors(config, canvas))}
    if suite is FASTER_RCNN:  # 160 and 32 pixels by strides of 4 to 64
        assert [level.shape[2:] for level in outputs[0]] == [(40, 8), (20, 4), (10, 2), (5, 1), (3, 1)]


@for_detectors
def test_what_the_weights_say_of_the_canvas_counts_where_a_file_leaves_it_open(suite, tmp_path):
    """Before the default file, which leaves it open, and not before quickstart.yaml or the command line."""
    stored = {"canvas": "picture", "canvas_sides": [200, 100], "canvas_divisor": 128}
    text = json.dumps(stored)  # JSON is YAML
    path = suite.tiny.write_checkpoint(tmp_path / "own.ckpt", config_text=text)

    def rule(*arguments):
        config = suite.part("build").open_checkpoint(suite.part("config").load(arguments, "eval.py"), path)[0]
        found = config.canvas_rule((256, 384))
        return found and (found.sides, found.divisor)

    network = [argument for argument in suite.tiny.TINY_NETWORK if not argument.startswith("--config_path")]
    assert rule(*network) == rule("--config_path=default_config.yaml", *network) == ((200, 100), 128)
    assert rule("--config_path=config/quickstart.yaml", *network) is None
    assert rule(*network, "--canvas=fixed") is None
    assert rule(*network, "--canvas_sides=[300,150]") == ((300, 150), 128)
    published = {
        "nas_fpn": ("retinanet_nasfpn_mmdet.yaml", (640, 640)),
        "faster_rcnn": ("default_config_mmdet.yaml", (1333, 800)),
    }
    file, sides = published[suite.name]
    config = suite.part("config").load([f"--config_path={file}"])
    assert (config.canvas, config.canvas_sides, config.canvas_divisor) == ("picture", sides, DIVISOR[suite.name])
    config = suite.part("config").load(["--canvas=picture"])
    assert config.canvas_rule((256, 384)).sides == (384, 256)
    assert config.canvas_rule((256, 384)).divisor == DIVISOR[suite.name]
    assert suite.part("build").input_settings(config).rule is None  # training and exports have one size


@for_detectors
def test_ascend_has_one_size_unless_more_are_asked_for_on_the_command_line(suite, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    config = tmp_path / "own.yaml"
    config.write_text("canvas: picture\n")
    build, load = suite.part("build"), suite.part("config").load

    def follows(*arguments):
        config = load(arguments)
        held = build.build_detector(config, None, is_repeated=True).limit
        assert (held, build.build_detector(config, None).limit) == (5, 1)
        return detectors.evaluation_inputs(config, build.input_settings(config)).rule is not None

    held = "--max_canvases=5"
    assert follows(f"--config_path={config}", held)
    monkeypatch.setattr(ms, "get_context", lambda _: "Ascend")
    assert follows("--canvas=picture", held)
    assert not any("canvas is fixed here" in line for line in caplog.messages)
    assert not follows(f"--config_path={config}", held)
    assert any("canvas is fixed here" in line for line in caplog.messages)


@for_detectors
def test_keys_of_canvases_that_do_nothing_are_said(suite, caplog):
    """Not in a training, which has the keys for its evaluations only."""
    load, build = suite.part("config").load, suite.part("build")
    typed = ("--canvas_sides=[200,100]", f"--canvas_divisor={DIVISOR[suite.name]}")
    build.build_detector(load([*typed, "--canvas=picture"]), None)
    build.build_detector(load(["--canvas=fixed"]), None)
    build.build_detector(load(typed), None, is_repeated=True)
    assert not [line for line in caplog.messages if "without effect" in line]
    build.build_detector(load(typed), None)
    said = "canvas_divisor and canvas_sides without effect where the canvas is fixed: give --canvas=picture too"
    assert said in caplog.messages


@for_detectors
def test_an_export_says_its_one_size_where_pictures_choose_theirs(suite, caplog):
    caplog.set_level(logging.INFO)
    for canvas in ("fixed", "picture"):
        exports.say_exported_size(suite.part("config").load([f"--canvas={canvas}"], "export.py"), (256, 384))
    (line,) = [line for line in caplog.messages if "canvas" in line]
    assert line.startswith("the file takes one canvas of 256 x 384 pixels (height x width)")


@for_detectors
def test_a_divisor_that_does_not_suit_the_levels_is_refused(suite):
    with pytest.raises(BadValueError, match=f"canvas_divisor is 48, wanted a multiple of {DIVISOR[suite.name]}"):
        suite.part("config").load(["--canvas=picture", "--canvas_divisor=48"])


def test_a_canvas_that_follows_a_picture_is_not_stretched():
    with pytest.raises(BadValueError, match="canvas is picture and keep_ratio false"):
        FASTER_RCNN.part("config").load(["--canvas=picture", "--keep_ratio=False"])
