"""The evaluation: what it prints and leaves behind, with a predictor whose answers are known, and as a command."""

import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import mindspore as ms
import numpy as np
import pytest
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling

from segformer.src import build
from segformer.src.config import load
from segformer.src.dataset import find_pairs
from segformer.src.evaluate import evaluate, refuse_other_classes
from segformer.src.labels.classes import CITYSCAPES_CLASS_NAMES, id_table, palette
from segformer.src.labels.files import read_label
from segformer.src.results.drawing import framed
from segformer.src.results.evaluation import (
    SegmentationEvaluator,
    format_progress,
    format_size,
    format_total,
    segmentation_metrics,
    write_pictures,
)
from segformer.src.results.metrics import ConfusionMatrix
from segformer.src.results.report import (
    SegmentationEvaluation,
    format_absent,
    format_accuracy,
    format_manner,
    format_result,
    result_of,
    write_and_print,
)
from segformer.tests.tiny_checkpoint import TINY_NETWORK as TINY
from segformer.tests.tiny_checkpoint import write_checkpoint
from segformer.tests.tiny_city import label_path, write_city, write_png
from utils.model_utils.device_adapter import DeviceInfo
from utils.model_utils.errors import BadStateError, BadValueError, UserError
from utils.tests.replayed_workers import run_workers

SUITE = Path(__file__).resolve().parent.parent
NAMES = ("road", "sidewalk", "building")


class FromColours:
    """Finds the classes of drawn images by their colours; class 1 is taken for class 0."""

    follows_pictures = False

    def __init__(self, padding=0):
        self.input_sizes = {(48 + padding, 96)}
        self.num_predicted = 0

    def predict(self, image):
        self.num_predicted += 1
        distance = np.abs(palette()[:19].astype(int) - image[..., None, :]).sum(axis=-1)
        classes = distance.argmin(axis=-1).astype(np.uint8)
        return np.where(classes == 1, 0, classes).astype(np.uint8)

    def describe(self):
        return "by colours"


def _matrix():
    matrix = ConfusionMatrix(3)
    matrix.counts[:] = [[6, 2, 0], [0, 8, 0], [0, 0, 0]]
    return matrix


def test_the_lines_of_the_page():
    assert format_size(500) == "eval dataset size:500"
    assert format_progress(100, 500, 0.5926) == "eval image 100/500 done, step cost: 593ms"
    assert format_total(352.6) == "all eval process done, cost:353s"


def test_the_block_of_the_page():
    assert format_result(_matrix(), NAMES, "segformer_mit_b1_12.ckpt").splitlines() == [
        "====================== Evaluation Result ======================",
        "===> class: road, IoU: 0.75",
        "===> class: sidewalk, IoU: 0.8",
        "===> class: building, IoU: absent",
        "===============================================================",
        "===> mIoU: 0.775, ckpt: segformer_mit_b1_12.ckpt",
        "===============================================================",
    ]


def test_accuracies_and_absent_classes_are_said():
    text = format_accuracy(_matrix(), NAMES)
    assert "===> class: road, accuracy: 0.75\n===> class: sidewalk, accuracy: 1.0\n" in text
    assert "===> class: building, accuracy: not in the labels" in text
    assert "===> mean accuracy: 0.875\n===> pixel accuracy: 0.875\n" in text
    assert "mIoU is over 2 of 3 classes; neither labelled nor predicted, so left out: building" in text
    matrix = _matrix()
    matrix.counts += 1
    assert format_absent(matrix, NAMES) == "===> mIoU is over all 3 classes"


def test_a_class_that_is_predicted_but_not_labelled_is_said():
    """Building takes a quarter of road's pixels: it has IoU 0 and counts, mIoU (6/8 + 1 + 0) / 3."""
    matrix = ConfusionMatrix(3)
    matrix.counts[:] = [[6, 0, 2], [0, 8, 0], [0, 0, 0]]
    assert format_absent(matrix, NAMES) == (
        "===> mIoU is over all 3 classes; in none of the labels but predicted, so with IoU 0: building"
    )
    assert matrix.mean_iou() == pytest.approx(1.75 / 3)
    matrix.counts[0] = 0
    assert format_absent(matrix, NAMES) == (
        "===> mIoU is over 1 of 3 classes; neither labelled nor predicted, so left out: road, building"
    )


def test_the_manner_is_said():
    text = format_manner(SegmentationEvaluation(_matrix(), 500, 1.0, 2), "whole image in 512x1024")
    assert text.startswith("evaluated 500 images, whole image in 512x1024;")
    assert text.endswith("2 input sizes")


def test_the_result_file_has_no_nan():
    content = result_of(SegmentationEvaluation(_matrix(), 1, 1.0, 1), NAMES, "whole image", Path("/a/b.ckpt"))
    assert json.loads(json.dumps(content, allow_nan=False))["per_class"]["building"] == {"IoU": None, "accuracy": None}
    assert content["mIoU"] == 0.775
    assert content["absent_classes"] == ["building"]


def test_numbers_are_shown_where_they_cannot_be_written(tmp_path, capsys):
    (tmp_path / "result.json" / "in the way").mkdir(parents=True)
    evaluation = SegmentationEvaluation(_matrix(), 1, 1.0, 1)
    with pytest.raises(BadStateError, match="result.json' cannot be written"):
        write_and_print(evaluation, NAMES, "whole image", Path("/a/b.ckpt"), tmp_path, name="b.ckpt")
    assert "===> mIoU: 0.775, ckpt: b.ckpt" in capsys.readouterr().out


def test_metrics_for_the_training_loop():
    assert segmentation_metrics(SegmentationEvaluation(_matrix(), 1, 1.0, 1)) == {
        "mIoU": 0.775,
        "mean_accuracy": 0.875,
        "pixel_accuracy": 0.875,
    }


def test_every_image_is_scored_at_the_size_of_its_label(tmp_path, caplog):
    pairs = find_pairs(write_city(tmp_path, {"val": 5}, height=40, width=56), "val")
    caplog.set_level("INFO")
    evaluator = SegmentationEvaluator(FromColours(), pairs, CITYSCAPES_CLASS_NAMES, log_interval=2)
    evaluation = evaluator.evaluate(3)
    write_pictures(evaluation, CITYSCAPES_CLASS_NAMES, tmp_path)
    assert evaluation.num_images == 5
    assert evaluation.matrix.counts.sum() == 5 * 40 * 56
    assert (evaluation.matrix.counts[0, 0], evaluation.matrix.iou()[1]) == (evaluation.matrix.counts[0].sum(), 0)
    lines = [line for line in caplog.messages if line.startswith("eval")]
    assert lines[0] == "eval dataset size:5"
    assert [re.sub(r"\d+ms", "ms", line) for line in lines[1:]] == [
        f"eval image {done}/5 done, step cost: ms" for done in (2, 4, 5)
    ]
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert len(names) == 4
    assert names[0] == f"000_{pairs[0].image.stem}.jpg"
    assert names[-1] == "overview.jpg"
    panels = cv2.imread(str(tmp_path / "pictures" / names[0]))
    assert panels.shape == (5 * 40 + 32 + 36, 3 * 5 * 56 + 12, 3)  # five times as large, with headings and legend


def test_pictures_are_evenly_spread_and_have_headings_and_the_classes_that_are_in_them(tmp_path):
    pairs = find_pairs(write_city(tmp_path, {"val": 9}), "val")
    names = ("ground", "water", "roof", "gypsy moth", *CITYSCAPES_CLASS_NAMES[4:])
    evaluation = SegmentationEvaluator(FromColours(), pairs, names, colours=palette()).evaluate(num_pictures=3)
    assert [name for name, _ in evaluation.pictures] == [
        f"{number:03d}_{pairs[index].image.stem}.jpg" for number, index in enumerate((0, 4, 8))
    ]
    for index, present in zip((0, 4, 8), evaluation.present, strict=True):
        truth = read_label(pairs[index].label)
        expected = np.isin(np.arange(19), [*np.unique(truth), 0])  # class 1 is taken for class 0
        np.testing.assert_array_equal(present, expected)
    row = evaluation.pictures[0][1]
    sheet = framed(row, names, evaluation.present[0], evaluation.colours)
    height = (sheet.shape[0] - row.shape[0]) // 2
    top = next(line for line in range(sheet.shape[0]) if (sheet[line : line + row.shape[0]] == row).all())
    heading = sheet[:top].max(axis=(1, 2))
    assert heading[-3:].max() < 60 < heading.max()  # the tail of a g ends above the pictures
    assert (heading > 60).sum() > np.ptp(np.flatnonzero(sheet[:top, -row.shape[1] // 3 :].max(axis=(1, 2)) > 60)) > 10
    assert height > 10
    patches = {tuple(colour) for colour in palette()[np.flatnonzero(evaluation.present[0])].tolist()}
    legend = {tuple(colour) for colour in sheet[top + row.shape[0] :].reshape(-1, 3).tolist()}
    assert patches <= legend
    assert tuple(palette()[13].tolist()) not in legend


def test_numbers_do_not_wait_for_pictures_that_cannot_be_written(tmp_path, caplog):
    pairs = find_pairs(write_city(tmp_path, {"val": 1}), "val")
    evaluation = SegmentationEvaluator(FromColours(), pairs, CITYSCAPES_CLASS_NAMES).evaluate(1)
    (tmp_path / "pictures").touch()  # a file where the folder is to be
    (tmp_path / "confusion_matrix.png").mkdir()
    (tmp_path / "confusion_matrix.png" / "file").touch()
    write_pictures(evaluation, CITYSCAPES_CLASS_NAMES, tmp_path)
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert [line.split(" could not be drawn")[0] for line in warnings] == [
        f"the confusion matrix in '{tmp_path / 'confusion_matrix.png'}'",
        f"the pictures in '{tmp_path / 'pictures'}'",
    ]


@pytest.mark.parametrize("name", ["$_$", r"\frac{a}{", "赤血球", "หมา", "", "\x00\ud800", "x" * 500])
def test_any_class_name_is_drawn(name, tmp_path, caplog):
    """No formula, no letter and no length ends it; a name that is all right is drawn beside it."""
    matrix = ConfusionMatrix(2, 255)
    matrix.counts = np.array([[3, 1], [1, 5]])
    picture = np.zeros((20, 400, 3), np.uint8)
    evaluation = SegmentationEvaluation(matrix, 1, 1.0, 1, (("000.jpg", picture),))
    write_pictures(evaluation, ("road", name), tmp_path)
    assert not [line for line in caplog.messages if "could not be drawn" in line]
    assert cv2.imread(str(tmp_path / "confusion_matrix.png")).shape[0] > 500
    assert cv2.imread(str(tmp_path / "pictures" / "overview.jpg")).shape[1] > 400


def test_workers_share_the_images_and_each_gets_the_numbers_of_all(tmp_path, caplog):
    pairs = find_pairs(write_city(tmp_path, {"val": 7}), "val")
    alone = SegmentationEvaluator(FromColours(), pairs, CITYSCAPES_CLASS_NAMES).evaluate().matrix.counts
    caplog.set_level("INFO")
    caplog.clear()

    def work(workers):
        predictor = FromColours(workers.rank)
        evaluator = SegmentationEvaluator(predictor, pairs, CITYSCAPES_CLASS_NAMES, log_interval=4, workers=workers)
        return evaluator.evaluate(), predictor.num_predicted

    evaluations, shares = zip(*run_workers(3, work), strict=True)
    assert shares == (3, 2, 2)
    for evaluation in evaluations:
        np.testing.assert_array_equal(evaluation.matrix.counts, alone)
        assert (evaluation.num_images, evaluation.num_input_sizes) == (7, 3)
    # Once until worker 0 has to gather, and once from the beginning, as `run_workers` has it
    assert [re.sub(r"\d+ms", "ms", line) for line in caplog.messages] == 2 * [
        "eval dataset size:7",
        "eval image 6/7 done, step cost: ms",
        "eval image 7/7 done, step cost: ms",
    ]


def test_no_threads_and_no_pictures_are_left(tmp_path):
    pairs = find_pairs(write_city(tmp_path, {"val": 2}), "val")
    before = threading.active_count()
    SegmentationEvaluator(FromColours(), pairs, CITYSCAPES_CLASS_NAMES).evaluate()
    assert threading.active_count() == before
    assert {path.name for path in tmp_path.iterdir()} == {"leftImg8bit", "gtFine"}


def test_predictions_are_what_the_server_takes(tmp_path):
    """Cityscapes' own scripts find each prediction by its name and score it as we do."""
    data = write_city(tmp_path / "data", {"val": 3}, kinds=("trainIds", "ids"))
    pairs = find_pairs(data, "val")
    folder = tmp_path / "predictions"
    matrix = (
        SegmentationEvaluator(FromColours(), pairs, CITYSCAPES_CLASS_NAMES).evaluate(prediction_folder=folder).matrix
    )
    settings = evalPixelLevelSemanticLabeling.args
    settings.evalInstLevelScore, settings.quiet, settings.JSONOutput = False, True, False
    settings.predictionPath, settings.predictionWalk = str(folder), None
    truth = [str(label_path(data, "val", index, "labelIds.png")) for index in range(3)]
    found = [evalPixelLevelSemanticLabeling.getPrediction(settings, file) for file in truth]
    expected = evalPixelLevelSemanticLabeling.evaluateImgLists(found, truth, settings)
    assert matrix.mean_iou() == pytest.approx(expected["averageScoreClasses"], abs=1e-6)
    assert len(list(folder.iterdir())) == 3
    image = cv2.imread(found[0], cv2.IMREAD_UNCHANGED)
    assert image.dtype == np.uint8
    assert image.ndim == 2
    assert set(np.unique(image)) <= set(id_table()[[0, 2, 3]].tolist())


def test_a_prediction_that_cannot_be_written_is_a_sentence(tmp_path):
    pairs = find_pairs(write_city(tmp_path, {"val": 1}), "val")
    (tmp_path / "predictions").write_text("a file")
    with pytest.raises(BadStateError, match="cannot be written .*--run_dir"):
        SegmentationEvaluator(FromColours(), pairs, CITYSCAPES_CLASS_NAMES).evaluate(
            prediction_folder=tmp_path / "predictions"
        )


def test_a_label_of_raw_ids_is_refused_by_name(tmp_path):
    data = write_city(tmp_path, {"val": 1})
    write_png(label_path(data, "val", 0), np.full((48, 96), 26, np.uint8))
    with pytest.raises(BadValueError, match="labelTrainIds.png"):
        SegmentationEvaluator(FromColours(), find_pairs(data, "val"), CITYSCAPES_CLASS_NAMES).evaluate()


def test_other_classes_have_no_label_ids():
    refuse_other_classes(CITYSCAPES_CLASS_NAMES)
    with pytest.raises(BadValueError, match="--save_predictions=False"):
        refuse_other_classes(("cat", "dog"))


def _run(*arguments, cwd=SUITE):
    return subprocess.run(
        [sys.executable, str(SUITE / "eval.py"), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _refused(*arguments):
    finished = _run(*arguments)
    assert finished.returncode == 2, finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr
    lines = [line for line in finished.stderr.splitlines() if "error:" in line]
    assert len(lines) == 1, finished.stderr
    return lines[0]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Images of four classes in a folder with a space."""
    return write_city(tmp_path_factory.mktemp("a city"), {"val": 3})


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("checkpoints") / "segformer_mit_b0_12.ckpt")


@pytest.fixture()
def evaluate_here(monkeypatch):
    """Evaluates in this process, which may have taken its device: MindSpore takes one once."""
    ms.set_context(mode=ms.GRAPH_MODE)
    alone = DeviceInfo("CPU", 0, 0, 1)
    monkeypatch.setattr("segformer.src.builders.opening.set_up_device", lambda *_, **__: alone)
    return lambda *arguments: evaluate(load(arguments, "eval.py"))


@pytest.mark.end_to_end
def test_the_command_prints_and_leaves_what_the_page_says(data, checkpoint, tmp_path, evaluate_here, capsys):
    run = tmp_path / "run"
    finished = _run(
        *TINY,
        f"--data_path={data}",
        f"--eval_ckpt_path={checkpoint}",
        f"--run_dir={run}",
        "--num_pictures=2",
        "--eval_mode=slide",
        "--slide_crop=[32,64]",
        "--slide_stride=[16,32]",
        "--eval_flip=True",
        "--eval_scales=[0.75,1.0]",
        cwd=tmp_path,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "eval dataset size:3" in finished.stderr
    assert re.search(r"^eval image 3/3 done, step cost: \d+ms$", finished.stderr, re.MULTILINE)
    assert re.search(r"^===> class: class_0, IoU: 0\.\d+$", finished.stdout, re.MULTILINE)
    assert re.search(r"^===> mIoU: 0\.\d+, ckpt: segformer_mit_b0_12\.ckpt$", finished.stdout, re.MULTILINE)
    assert re.search(r"^all eval process done, cost:\d+s$", finished.stdout, re.MULTILINE)
    assert "sliding window 32x64" in finished.stdout
    result = json.loads((run / "result.json").read_text())
    assert f"===> mIoU: {result['mIoU']}, ckpt" in finished.stdout
    assert result["num_images"] == 3
    assert np.sum(result["confusion_matrix"]) == 3 * 48 * 96
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert {"config.yaml", "result.json", "report.html", "confusion_matrix.png", "pictures/overview.jpg"} <= names
    assert len(names) == 7
    evaluate_here(f"--config_path={run / 'config.yaml'}", f"--run_dir={tmp_path / 'again'}")
    assert f"===> mIoU: {result['mIoU']}, ckpt" in capsys.readouterr().out


@pytest.mark.end_to_end
def test_predictions_beside_a_training_run(data, tmp_path, evaluate_here, capsys):
    checkpoint = write_checkpoint(tmp_path / "a.ckpt", "--class_num=19")
    (tmp_path / "metrics.jsonl").write_text("{}\n")
    places = (f"--data_path={data}", f"--eval_ckpt_path={checkpoint}", f"--run_dir={tmp_path}")
    evaluate_here(*TINY, "--class_num=19", *places, "--save_predictions=True", "--num_pictures=0")
    assert "whole image in 64x128" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "predictions").iterdir())[0] == (
        "aachen_000000_000019_pred_labelIds.png"
    )
    assert (tmp_path / "eval_config.yaml").is_file()  # beside a training run
    assert not (tmp_path / "config.yaml").exists()
    assert not (tmp_path / "pictures").exists()


@pytest.mark.end_to_end
def test_a_fault_is_one_sentence_and_an_exit_code(data, tmp_path):
    sentence = _refused(*TINY, f"--data_path={data}", f"--run_dir={tmp_path}")
    assert sentence.startswith("eval.py: error: eval_ckpt_path is not set: give --eval_ckpt_path=FILE")


def test_bad_paths_are_refused_before_the_device_is_used(data, checkpoint, tmp_path):
    good, run = f"--eval_ckpt_path={checkpoint}", f"--run_dir={tmp_path / 'run'}"
    for words, arguments in (
        ("absent.ckpt", (f"--data_path={data}", f"--eval_ckpt_path={tmp_path / 'absent.ckpt'}", run)),
        ("--data_path", (f"--data_path={tmp_path / 'nowhere'}", good, run)),
        ("is a file", (f"--data_path={data}", good, f"--run_dir={checkpoint}")),
        ("splits that are there: val", (f"--data_path={data}", good, run, "--eval_split=test")),
        ("slide_stride", (f"--data_path={data}", good, run, "--eval_mode=slide", "--slide_crop=[32,32]")),
    ):
        with pytest.raises(UserError, match=words):
            evaluate(load([*TINY, *arguments]))
        assert not (tmp_path / "run").exists()


def test_a_checkpoint_that_does_not_fit_is_refused(checkpoint, tmp_path):
    truncated = tmp_path / "truncated.ckpt"
    truncated.write_bytes(checkpoint.read_bytes()[:3000])
    with pytest.raises(BadValueError, match="truncated.ckpt"):
        build.open_checkpoint(load(list(TINY)), truncated)
    with pytest.raises(BadValueError, match="class_num is 7, but the weights of .* with 4: leave --class_num out"):
        build.open_checkpoint(load([*TINY, "--class_num=7"]), checkpoint)
    with pytest.raises(BadValueError, match="backbone.stages"):
        build.load_network(*build.open_checkpoint(load([*TINY, "--backbone_depths=[2,1,1,1]"]), checkpoint))


def test_the_names_of_a_checkpoint_are_used(tmp_path):
    """Where it has only numbers, those of the configuration are, if there are as many."""

    def names(path, *arguments):
        return build.names_of_classes(build.open_checkpoint(load([*TINY, *arguments]), path)[0])

    named = write_checkpoint(tmp_path / "named.ckpt", class_names=("a", "b", "c", "d"))
    assert names(named) == ("a", "b", "c", "d")
    with pytest.raises(
        BadValueError, match=r"class_names is \['e', .*, but the weights of .* with \['a', 'b', 'c', 'd'\]"
    ):
        names(named, "--class_names=[e,f,g,h]")
    numbered = write_checkpoint(tmp_path / "numbered.ckpt", class_names=[f"class_{index}" for index in range(4)])
    assert names(numbered, "--class_names=[e,f,g,h]") == ("e", "f", "g", "h")
    assert names(numbered) == ("class_0", "class_1", "class_2", "class_3")
