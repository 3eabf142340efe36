"""What the commands refuse, each in a sentence, and the ways into them that the toys do not take."""

import functools
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from segformer.tests.tiny_city import label_path, write_city, write_png
from tests.suites import COMMANDS, DETECTORS, FASTER_RCNN, NAS_FPN, SEGFORMER, SUITES, for_suites
from utils.detection.tests.tiny_coco import CATEGORIES, write_coco, write_txt
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError, UserError
from utils.training.checkpoints.checkpoint import load_checkpoint, save_checkpoint

pytestmark = pytest.mark.end_to_end
SMALL = {
    "nas_fpn": ("--batch_size=2", "--warmup_steps=1"),
    "faster_rcnn": ("--batch_size=2", "--warmup_step=1"),
    "segformer": ("--config_path=config/custom.yaml", "--crop_size=[32,32]", "--batch_size=2", "--warmup_steps=1"),
}


@pytest.mark.parametrize("script", COMMANDS)
@for_suites
def test_a_misspelt_key_names_the_nearest(suite, script, tmp_path):
    """As a process: exit code 2, one sentence, no traceback; the same holds for every refusal below."""
    assert "epoch_size" in suite.refusal(script, "--epoch_sise=12", cwd=tmp_path)


@pytest.mark.parametrize(("suite", "script"), [(NAS_FPN, "eval.py"), (FASTER_RCNN, "infer.py"), (SEGFORMER, "eval.py")])
def test_a_fault_that_is_found_later_is_one_sentence_too(suite, script, data, tmp_path):
    absent = f"--{suite.checkpoints[script]}={tmp_path / 'no.ckpt'}"
    places = (f"--{suite.data}={data}", f"--image_path={tmp_path}")[: 1 if suite is SEGFORMER else 2]
    sentence = suite.refusal(script, *suite.tiny.TINY_NETWORK, absent, *places, cwd=tmp_path)
    assert sentence.startswith(f"{script}: error: ")
    assert "no.ckpt' (command line) does not exist" in sentence


@pytest.fixture(scope="module")
def _data(tmp_path_factory):
    root = tmp_path_factory.mktemp("the data")
    return {"coco": write_coco(root / "coco data"), "city": write_city(root / "a city", height=32, width=64)}


@pytest.fixture()
def data(suite, _data):
    """A tiny data set of the suite's kind, which no test changes; it has a space in its path."""
    return _data["city" if suite is SEGFORMER else "coco"]


# train.py


@pytest.mark.parametrize(
    ("suite", "arguments", "words"),
    [
        *((suite, ["--batch_size=50"], "batch") for suite in (NAS_FPN, SEGFORMER)),
        *((suite, ["--device_target=Ascend"], "Ascend") for suite in SUITES),
        *((suite, ["--resume=absent.ckpt"], "absent.ckpt") for suite in SUITES),
        *((suite, ["--num_classes=5"], "num_classes is 5 and ") for suite in DETECTORS),
        *((suite, ["--coco_root=null"], "--coco_root") for suite in DETECTORS),
        *((suite, ["--coco_root=absent"], "is not a folder") for suite in DETECTORS),
        (NAS_FPN, ["--img_shape=[600,640]"], "512 and 640"),
        (SEGFORMER, ["--data_path=absent"], "--data_path"),
        (SEGFORMER, ["--train_split=training"], "splits that are there: train, val"),
        (SEGFORMER, ["--eval_split=test"], "splits that are there: train, val"),
        (SEGFORMER, ["--class_num=3"], "class_num"),
        (SEGFORMER, ["--load_ckpt=True"], "ms_pretrained_b0.ckpt"),
        (SEGFORMER, ["--load_ckpt=True"], "tools/convert_model.py"),
        (SEGFORMER, ["--load_ckpt=True"], "--load_ckpt=False"),
        (SEGFORMER, ["--load_ckpt=True", "--class_num=5", "--pre_trained={checkpoint}"], "another number of classes"),
        (SEGFORMER, ["--load_ckpt=True", "--pre_trained={truncated}"], "truncated.ckpt"),
    ],
    ids=str,
)
def test_what_train_cannot_use_is_a_sentence(suite, arguments, words, data, checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    truncated = tmp_path / "truncated.ckpt"
    truncated.write_bytes(checkpoint.read_bytes()[:3000])
    given = [argument.format(checkpoint=checkpoint, truncated=truncated) for argument in arguments]
    with pytest.raises(UserError) as caught:
        common = (*SMALL[suite.name], f"--{suite.data}={data}", f"--run_dir={tmp_path / 'run'}")
        suite.call("train.py", *common, *given)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["truncated.ckpt"]  # in the working directory, in run_dir


@pytest.mark.parametrize(
    ("label", "words"),
    [(np.full((32, 64), 26, np.uint8), "convert_dataset.py"), (np.zeros((32, 63), np.uint8), "32x63")],
)
def test_raw_label_ids_and_labels_of_another_size_are_named(label, words, tmp_path):
    root = write_city(tmp_path / "city", height=32, width=64)
    write_png(label_path(root, "train", 1), label)
    with pytest.raises(UserError) as caught:
        common = (*SMALL["segformer"], f"--data_path={root}", f"--run_dir={tmp_path / 'run'}")
        SEGFORMER.call("train.py", *common, "--class_num=19")
    assert label_path(root, "train", 1).name in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("name", [*COMMANDS, "resume"])
@for_suites
def test_weights_that_are_not_finite_are_refused_before_anything_is_written(suite, name, data, checkpoint, tmp_path):
    """SegFormer of NaNs has an mIoU, and with MindSpore's own ReLU an exported detector finds boxes."""
    state = load_checkpoint(checkpoint)
    state.arrays = {key: np.full_like(array, np.nan) for key, array in state.arrays.items()}
    save_checkpoint(tmp_path / "bad.ckpt", replace(state, global_step=9))
    script = "train.py" if name == "resume" else name
    key = {"resume": "resume", "train.py": "pre_trained"}.get(name, suite.checkpoints[script])
    out = tmp_path / "out"
    places = [f"--{suite.data}={data}", f"--run_dir={out}"]
    if suite is not SEGFORMER:
        places += [f"--image_path={data / 'val2017'}", f"--mindrecord_dir={tmp_path / 'records'}"]
    small = SMALL[suite.name] if script == "train.py" else ()
    if suite is SEGFORMER and script == "train.py":
        small = (*small, "--load_ckpt=True")
    with pytest.raises(BadValueError, match=r"'.*bad\.ckpt' holds values that are not finite .*: choose an earlier"):
        suite.call(script, *small, *places, f"--{key}={tmp_path / 'bad.ckpt'}")
    assert not out.exists()


@pytest.mark.parametrize("suite", [SEGFORMER], ids=str)
def test_other_losses_and_schedules_train_from_pretrained_weights(suite, data, checkpoint, tmp_path):
    finished = suite.succeed(
        "train.py",
        *suite.tiny.TINY_NETWORK,
        *SMALL["segformer"],
        "--epoch_size=2",
        f"--data_path={data}",
        f"--run_dir={tmp_path}",
        "--run_eval=False",
        "--load_ckpt=True",
        f"--pretrained_ckpt_path={checkpoint}",
        "--lr_schedule=cosine",
        "--head_lr_factor=10",
        "--class_weights=[1,2,3,4]",
        "--ohem_threshold=0.7",
        "--ohem_min_kept=100",
        "--accumulate_steps=2",
        "--drop_path_rate=0.1",
        "--head_dropout=0.1",
        cwd=tmp_path,
    )
    assert "loaded" in finished.stdout + finished.stderr
    assert (tmp_path / "checkpoint" / "segformer_mit_b0_2.ckpt").is_file()
    assert not (tmp_path / "checkpoint" / "segformer_mit_b0_best.ckpt").exists()


# eval.py and infer.py of the detectors; segformer's are refused in its own tests

OF_BOTH = [
    ("--checkpoint_path=", MissingPathError, "--checkpoint_path"),
    ("--checkpoint_path={tmp}/absent.ckpt", MissingPathError, r"absent\.ckpt"),
    ("--checkpoint_path={tmp}/nothing", MissingPathError, "wanted a file"),
    ("--checkpoint_path={tmp}/truncated.ckpt", BadValueError, r"truncated\.ckpt"),
    ("--num_classes=5", BadValueError, "num_classes is 5"),
    ("--device_target=Ascend", BadStateError, "Ascend"),
]
OF_THE_NETWORK = {
    NAS_FPN: [
        ("--nasfpn_stack_times=2", BadValueError, r"neck\.stacks\.1"),
        ("--anchor_scales_per_octave=3", BadValueError, "has 6 anchors per cell"),
    ],
    FASTER_RCNN: [("--fpn_out_channels=16", BadValueError, "does not fit the network")],
}
OF_EVAL = [
    ("--coco_root={tmp}/absent", MissingPathError, "is not a folder"),
    ("--coco_root=null", BadValueError, "--coco_root=FOLDER"),
    ("--run_dir={tmp}/other.ckpt", MissingPathError, "is a file"),
    ("--checkpoint_path={tmp}/three.ckpt", BadValueError, "'blue'"),
]
OF_INFER = [
    ("--image_path=", MissingPathError, "--image_path"),
    ("--image_path={tmp}/absent.jpg", MissingPathError, r"absent\.jpg"),
    ("--image_path={tmp}/nothing", MissingPathError, "no picture"),
    ("--image_path={tmp}/all broken", BadValueError, "none of the 2 pictures can be read"),
    ("--checkpoint_path={pictures}/001.jpg", BadValueError, "no MindSpore checkpoint"),
    ("--checkpoint_path={tmp}/other.ckpt", BadValueError, "a checkpoint of segformer"),
    ("--infer_output_path={tmp}/other.ckpt", MissingPathError, "is a file"),
    ("--infer_output_path={pictures}", BadValueError, "would be overwritten"),
    ("--coco_classes=[blue, pink]", BadValueError, "coco_classes has 'pink', which .* was not trained with"),
]
FAULTS = [
    *((suite, script, *fault) for suite in DETECTORS for script in ("eval.py", "infer.py") for fault in OF_BOTH),
    *(
        (suite, script, *row)
        for suite, rows in OF_THE_NETWORK.items()
        for script in ("eval.py", "infer.py")
        for row in rows
    ),
    *((suite, "eval.py", *fault) for suite in DETECTORS for fault in OF_EVAL),
    *((suite, "infer.py", *fault) for suite in DETECTORS for fault in OF_INFER),
]


@pytest.fixture(scope="module")
def _others(tmp_path_factory):
    @functools.cache
    def write(suite):
        folder = tmp_path_factory.mktemp("others")
        suite.tiny.write_checkpoint(folder / "other.ckpt", suite="segformer")
        names = {"class_names": ("red", "green", "pink"), "category_ids": (1, 2, 3), "num_classes": 3}
        suite.tiny.write_checkpoint(folder / "three.ckpt", **names)
        return folder

    return write


@pytest.fixture()
def faulty(suite, checkpoint, _others, tmp_path):
    """A folder of what cannot be used."""
    for folder in ("nothing", "all broken"):
        (tmp_path / folder).mkdir()
    (tmp_path / "all broken" / "a.jpg").touch()
    (tmp_path / "all broken" / "b.png").write_bytes(b"no picture")
    (tmp_path / "truncated.ckpt").write_bytes(checkpoint.read_bytes()[:5000])
    for file in _others(suite).iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path


@pytest.mark.parametrize(("suite", "script", "changed", "error", "sentence"), FAULTS, ids=str)
def test_what_the_command_cannot_use_is_a_sentence(suite, script, changed, error, sentence, data, checkpoint, faulty):
    pictures = data / "val2017"
    common = [f"--{suite.checkpoints[script]}={checkpoint}", f"--coco_root={data}", f"--image_path={pictures}"]
    results = [f"--run_dir={faulty / 'out'}", f"--infer_output_path={faulty / 'out'}"]
    with pytest.raises(error, match=sentence):
        suite.call(script, *common, *results, changed.format(tmp=faulty, pictures=pictures))
    assert not (faulty / "out").exists()
    assert not [path for name in ("detections.json", "result.json") for path in faulty.rglob(name)]


@pytest.mark.parametrize("suite", DETECTORS, ids=str)
def test_for_a_checkpoint_that_is_refused_no_mindrecord_files_are_made(suite, data, checkpoint, faulty):
    records = faulty / "records"
    places = (f"--coco_root={data}", f"--mindrecord_dir={records}", f"--run_dir={faulty / 'out'}")
    with pytest.raises(BadValueError, match=r"truncated\.ckpt"):
        suite.call("eval.py", f"--checkpoint_path={faulty / 'truncated.ckpt'}", *places)
    assert not records.exists()


# Other ways in


def test_create_data_as_on_the_page(_data, tmp_path):
    for prefix, training, count in (("retinanet.mindrecord", True, 6), ("retinanet_eval.mindrecord", False, 3)):
        finished = NAS_FPN.succeed(
            "create_data.py",
            "--create_dataset",
            "coco",
            "--prefix",
            prefix,
            "--is_training",
            training,
            f"--coco_root={_data['coco']}",
            f"--mindrecord_dir={tmp_path}",
            "--num_classes=null",
            cwd=tmp_path,
        )
        assert f"{count} images, 2 classes" in finished.stdout
        assert (tmp_path / f"{prefix}0").is_file()


def evaluate_toy(toy, out, *arguments):
    toy.suite.call("eval.py", *toy.suite.tiny.TOY, toy.loaded_by("eval.py"), f"--run_dir={out}", *arguments)
    return json.loads((out / "result.json").read_text())


@pytest.mark.parametrize("suite", [NAS_FPN], ids=str)
def test_evaluation_works_from_mindrecord_alone(toy, tmp_path):
    found = evaluate_toy(toy, tmp_path, f"--mindrecord_dir={toy.here / 'records'}", "--num_pictures=0")
    expected = json.loads((toy.evaluated / "result.json").read_text())
    assert found["mAP"] == pytest.approx(expected["mAP"], abs=1e-9)


@pytest.mark.parametrize("suite", [NAS_FPN], ids=str)
def test_a_txt_data_set_gives_the_metrics_of_the_coco_one(toy, tmp_path):
    lines = write_txt(toy.data, sorted(CATEGORIES))
    found = evaluate_toy(toy, tmp_path / "txt", *lines, f"--mindrecord_dir={tmp_path / 'records'}", "--num_pictures=2")
    expected = json.loads((toy.evaluated / "result.json").read_text())
    for name in ("num_images", "num_detections", "mAP"):
        assert found[name] == expected[name]
    assert found["num_images"] == 12
    assert found["num_detections"] > 0
    assert len(list((tmp_path / "txt" / "pictures").glob("0*.jpg"))) == 2
    otherwise = evaluate_toy(toy, tmp_path / "other", *write_txt(toy.data), f"--mindrecord_dir={tmp_path / 'others'}")
    assert otherwise["mAP"] == expected["mAP"]  # its classes are in another order
