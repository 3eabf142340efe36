"""The keys of the suite: documented names and values, the YAML files, the sentences, and no MindSpore on the way."""

import json
import logging
import subprocess
import sys
import time

import pytest
import yaml

from nas_fpn.src.config import SUITE_DIR, NasFpnConfig, load
from utils.model_utils.config.base import Config, describe_wanted, group_of
from utils.model_utils.config.loading import CONFIG_PATH, dump_config, right_name
from utils.model_utils.errors import BadValueError, MissingPathError
from utils.model_utils.tests.documented_names import command_flags, modelarts_settings, read_page, yaml_keys

# Copies of the names in the page, and the values that it shows behind them.
DOCUMENTED_YAML = {
    "img_shape": [640, 640],
    "num_retinanet_boxes": 76725,
    "match_thershold": 0.5,
    "nms_thershold": 0.6,
    "min_score": 0.1,
    "max_boxes": 100,
    "global_step": 0,
    "lr_init": 1e-6,
    "lr_end_rate": 5e-3,
    "warmup_epochs1": 2,
    "warmup_epochs2": 5,
    "warmup_epochs3": 23,
    "warmup_epochs4": 60,
    "warmup_epochs5": 160,
    "momentum": 0.9,
    "gamma": 2.0,
    "alpha": 0.75,
    "nasfpn_input_channels": [512, 1024, 2048],
    "nasfpn_out_channel": 256,
    "nasfpn_num_outs": 5,
    "nasfpn_stack_times": 7,
    "nasfpn_start_level": 0,
    "nasfpn_end_level": -1,
    "epoch_size": 300,
    "batch_size": 16,
    "coco_root": "/home/DataSet/cocodataset/",
    "mindrecord_dr": "/home/DataSet/MindRecord_COCO",
}
DOCUMENTED_SETTINGS = {
    "enable_modelarts": "True",
    "distribute": "True",
    "keep_checkpoint_max": "5",
    "save_checkpoint_path": "/cache/train/checkpoint",
    "mindrecord_dir": "/cache/data/MindRecord_COCO",
    "epoch_size": "300",
    "modelarts_dataset_unzip_name": "MindRecord_COCO",
    "pre_trained": "/cache/data/train/train_predtrained/pred file name",
    "checkpoint_path": "/cache/data/checkpoint/checkpoint file name",
    "instance_set": "/cache/data/MindRecord_COCO/annotations/instances_{}.json",
    "file_name": "retinanet_nasfpn",
    "file_format": "MINDIR",
    "_config_path": str(SUITE_DIR / "default_config.yaml"),
}
DOCUMENTED_FLAGS = {
    "create_dataset": "coco",
    "prefix": "retinanet_eval.mindrecord",
    "is_training": "False",
    "file_name": "retinanet_nasfpn",
    "file_format": "MINDIR",
    "checkpoint_path": "/cache/checkpoint/retinanet_nasfpn-300-916.ckpt",
}
# What the public upstream YAML has beyond the page.
UPSTREAM_YAML = {
    "checkpoint_url": "",
    "need_modelarts_dataset_unzip": True,
    "lr": 0.1,
    "warmup_epochs": 2,
    "weight_decay": 1.5e-4,
    "num_default": [9, 9, 9, 9, 9],
    "extras_out_channels": [256, 256, 256, 256, 256],
    "feature_size": [80, 40, 20, 10, 5],
    "aspect_ratios": [[0.5, 1.0, 2.0]] * 5,
    "steps": [8, 16, 32, 64, 128],
    "anchor_size": [32, 64, 128, 256, 512],
    "prior_scaling": [0.1, 0.2],
    "instances_set": "annotations/instances_{}.json",
    "image_dir": "",
    "anno_path": "",
    "save_checkpoint": True,
    "save_checkpoint_epochs": 1,
    "finish_epoch": 0,
    "workers": 24,
    "mode": "sink",
    "pre_trained_epoch_size": 0,
    "loss_scale": 1024,
    "filter_weight": False,
    "dataset": "coco",
    "device_id": 0,
    "device_target": "Ascend",
    "enable_profiling": False,
    "export_batch_size": 1,
    "result_path": "",
    "dataset_path": "",
    "num_classes": 80,
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def refusal(*arguments):
    with pytest.raises(BadValueError) as caught:
        load(arguments)
    return str(caught.value)


def test_every_documented_name_is_a_key():
    known = {*NasFpnConfig.model_fields, *NasFpnConfig.inactive_keys(), CONFIG_PATH}
    for name in {*DOCUMENTED_YAML, *DOCUMENTED_SETTINGS, *DOCUMENTED_FLAGS, *UPSTREAM_YAML}:
        assert right_name(NasFpnConfig, name) in known, name


def test_copies_above_hold_every_name_of_the_page():
    page = read_page("nas_fpn.md")
    assert yaml_keys(page, ("default_config.yaml",)) == set(DOCUMENTED_YAML)
    assert modelarts_settings(page) == set(DOCUMENTED_SETTINGS)
    assert command_flags(page) == set(DOCUMENTED_FLAGS)


def test_yaml_of_the_page_and_of_upstream_is_accepted_and_its_values_act(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = tmp_path / "theirs.yaml"
    path.write_text(yaml.safe_dump(DOCUMENTED_YAML | UPSTREAM_YAML))
    config = load([f"--config_path={path}"])
    assert (config.match_threshold, config.nms_threshold, config.num_parallel_workers) == (0.5, 0.6, 24)
    assert (config.coco_root, config.mindrecord_dir) == ("/home/DataSet/cocodataset", "/home/DataSet/MindRecord_COCO")
    said = " ".join(record.message for record in caplog.records)
    assert "num_retinanet_boxes (76725 follows from img_shape and the anchor keys)" in said
    assert "mode (every step passes its data by itself)" in said


def test_settings_and_flags_of_the_page_are_accepted_as_arguments():
    config = load([f"--{key}={value}" for key, value in DOCUMENTED_SETTINGS.items()])
    assert (config.run_distribute, config.keep_checkpoint_max) == (True, 5)
    assert config.pre_trained == "/cache/data/train/train_predtrained/pred file name"
    assert config.instance_set == "/cache/data/MindRecord_COCO/annotations/instances_{}.json"
    config = load([word for key, value in DOCUMENTED_FLAGS.items() for word in (f"--{key}", value)], "export.py")
    assert (config.is_training, config.prefix) == (False, "retinanet_eval.mindrecord")


def test_default_config_has_the_values_of_the_page_and_those_of_the_schema():
    config = load([])
    for name, value in DOCUMENTED_YAML.items():
        key = right_name(NasFpnConfig, name)
        if key in NasFpnConfig.model_fields and key not in ("coco_root", "mindrecord_dir"):
            assert json.loads(json.dumps(getattr(config, key))) == value, key
    differing = {key for key, value in config.model_dump().items() if value != getattr(NasFpnConfig(), key)}
    assert differing == {"num_classes", "run_dir", "infer_output_path"}


def test_mmdetection_recipe_differs_where_it_should():
    config = load(["--config_path=retinanet_nasfpn_mmdet.yaml"])
    assert (config.alpha, config.neg_iou_threshold, config.box_loss) == (0.25, 0.5, "l1")
    assert (config.lr, config.lr_base_batch, config.epoch_size, config.lr_steps) == (0.08, 64, 50, (30, 40))
    assert (config.nms_threshold, config.min_score, config.weight_decay, config.ema_decay) == (0.5, 0.05, 1e-4, 0)
    assert (config.img_shape, config.nasfpn_stack_times, config.num_classes) == ((640, 640), 7, 80)


@pytest.mark.parametrize("file", sorted(path.name for path in SUITE_DIR.glob("*.yaml")))
def test_every_yaml_file_of_the_suite_loads_and_begins_with_its_command(file):
    load([f"--config_path={file}"])
    assert "python train.py" in "".join((SUITE_DIR / file).read_text().splitlines(keepends=True)[:4])


def test_every_key_is_described_and_has_a_group():
    for key, field in NasFpnConfig.model_fields.items():
        assert field.description, key
        assert describe_wanted(field), key
        assert group_of(NasFpnConfig, key) != Config.GROUP, key


def test_effective_configuration_reads_back_equal(tmp_path):
    config = load(
        ["--coco_root=x", "--img_shape=384,640", "--lr_schedule=cosine", "--epoch_size=3", "--head_channels=64"]
    )
    (tmp_path / "config.yaml").write_text(dump_config(config))
    assert load(["--config_path=config.yaml"]) == config


def test_derived_values_follow_the_shape_and_the_anchors():
    # 384x640: levels 48x80, 24x40, 12x20, 6x10, 3x5 have 5115 places; 9 anchors each
    config = load(["--img_shape=[384, 640]", "--num_retinanet_boxes=46035"])
    assert config.level_sizes == ((48, 80), (24, 40), (12, 20), (6, 10), (3, 5))
    assert config.anchors_per_cell == 9
    load(["--img_shape=[384, 640]", "--feature_size=[[48, 80], [24, 40], [12, 20], [6, 10], [3, 5]]"])
    load(["--resnet_width=16", "--nasfpn_input_channels=[128, 256, 512]"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--img_shape=[600, 640]"], "img_shape is [600, 640], but its height 600 is no multiple of 128"),
        (["--img_shape=[600, 640]"], "the nearest to use: 512 and 640"),
        (["--img_shape=[640, 100]"], "stride of the coarsest level: the nearest to use: 128"),
        (["--img_shape=640"], "img_shape is [640], wanted a list of 2 whole numbers, each of at least 1"),
        (["--img_shape=[0, 640]"], "img_shape is [0, 640], wanted a list of 2 whole numbers"),
        (["--resnet_layers=[3, 4]"], "resnet_layers is [3, 4], wanted a list of 4 whole numbers"),
        (["--resnet_width=6"], "resnet_width is 6, wanted a whole number of at least 4 and a multiple of 4"),
        (["--nasfpn_start_level=1"], "nasfpn_start_level is 1, wanted 0: the searched pyramid takes all three"),
        (["--nasfpn_end_level=2"], "nasfpn_end_level is 2, wanted -1"),
        (["--nasfpn_stack_times=0"], "nasfpn_stack_times is 0, wanted a whole number of at least 1"),
        (["--frozen_stages=5"], "frozen_stages is 5, wanted a whole number from -1 to 4"),
        (["--anchor_ratios=[]"], "anchor_ratios is [], wanted a list of numbers, each above 0"),
        (["--num_retinanet_boxes=5"], "num_retinanet_boxes is 5, but 76725 follows from img_shape"),
        (["--nasfpn_num_outs=4"], "nasfpn_num_outs is 4, but 5 is built in"),
        (["--global_step=7"], "global_step is 7, but 0 is where a schedule begins, --resume continues one"),
        (["--neg_iou_threshold=0.6"], "neg_iou_threshold 0.6 is above match_threshold 0.5"),
        (["--epoch_size=20"], "add up to 250 epochs and epoch_size is 20"),
        (["--epoch_size=0"], "epoch_size is 0, wanted a whole number of at least 1"),
        (["--lr_schedule=step"], "lr_schedule step with lr_steps [] and epoch_size 300"),
        (["--lr_schedule=step", "--lr_steps=[40, 30]"], "set lr_steps to ascending epochs below epoch_size"),
        (["--lr_schedule=step", "--lr_steps=[30, 300]"], "lr_steps [30, 300] and epoch_size 300"),
        (["--scale_range=[1.2, 0.8]"], "scale_range is [1.2, 0.8], wanted the lower factor first"),
        (["--img_norm_std=[0, 1, 1]"], "img_norm_std is [0, 1, 1], wanted a list of 3 numbers, each above 0"),
        (["--num_classes=81", "--coco_classes=cat,dog"], "num_classes is 81 and coco_classes has 2 names"),
        (["--file_format=ONYX"], "file_format is 'ONYX', wanted one of auto, MINDIR, AIR"),
        (["--match_thershold=0.4", "--match_threshold=0.6"], "match_thershold, another name of the key, is 0.4"),
    ],
)  # fmt: skip
def test_bad_values_get_one_sentence(arguments, sentence):
    message = refusal(*arguments)
    assert sentence in message
    assert "\n" not in message


def test_missing_yaml_file_names_those_of_the_suite():
    with pytest.raises(MissingPathError, match=r"the suite has: .*default_config.yaml"):
        load(["--config_path=default_config_50.yaml"])


def test_help_of_a_process_answers_in_under_a_second_without_mindspore():
    code = (
        "import sys\n"
        "from nas_fpn.src.config import load\n"
        "try:\n"
        "    load(['--help'], 'eval.py')\n"
        "except SystemExit as end:\n"
        "    print('mindspore' in sys.modules, end.code)\n"
    )
    seconds = []
    for _ in range(3):  # the machine may be busy: the best of three
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=SUITE_DIR.parent, timeout=60, check=True
        )
        seconds.append(time.perf_counter() - start)
        if seconds[-1] < 1:
            break
    assert min(seconds) < 1
    assert done.stdout.splitlines()[-1] == "False 0"
    assert "usage: python eval.py" in done.stdout
    assert "--nasfpn_stack_times=7" in done.stdout
