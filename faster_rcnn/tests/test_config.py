"""The keys of the suite: documented names and values, the YAML files, the sentences, and no MindSpore on the way."""

import json
import logging
import re
import subprocess
import sys
import time

import pytest
import yaml

from faster_rcnn.src.config import SUITE_DIR, FasterRcnnConfig, load
from utils.model_utils.config.base import Config, describe_wanted, group_of
from utils.model_utils.config.loading import CONFIG_PATH, dump_config, right_name
from utils.model_utils.errors import BadValueError, MissingPathError
from utils.model_utils.tests.documented_names import command_flags, modelarts_settings, read_page

# Copies of the names in the page, and the values that it shows behind them.
DOCUMENTED_SETTINGS = {
    "enable_modelarts": "True",
    "distribute": "True",
    "dataset_path": "/cache/data",
    "epoch_size": "20",
    "checkpoint_url": "s3://dir_to_your_pretrained/",
    "checkpoint": "./faster_rcnn/faster_rcnn_trained.ckpt",
    "file_name": "faster_rcnn",
    "file_format": "MINDIR",
    "ckpt_file": "/cache/checkpoint_path/model.ckpt",
}
DOCUMENTED_FLAGS = {
    "ckpt_file": "/cache/checkpoint_path/model.ckpt",
    "config_path": str(SUITE_DIR / "default_config_101.yaml"),
    "device_target": "Ascend",
    "file_format": "AIR",
    "file_name": "faster_rcnn",
    "backbone": "res2net_101",
}
DOCUMENTED_IN_WORDS = ("image_dir", "anno_path", "coco_root")
# What the public upstream YAML holds, but for the class names.
UPSTREAM_YAML = {
    "enable_modelarts": False, "data_url": "", "train_url": "", "checkpoint_url": "", "data_path": "/cache/data",
    "output_path": "/cache/train", "load_path": "/cache/checkpoint_path", "device_target": "Ascend",
    "enable_profiling": False,
    "img_width": 1280, "img_height": 768, "keep_ratio": True, "flip_ratio": 0.5, "expand_ratio": 1.0,
    "feature_shapes": [[192, 320], [96, 160], [48, 80], [24, 40], [12, 20]],
    "anchor_scales": [8], "anchor_ratios": [0.5, 1.0, 2.0], "anchor_strides": [4, 8, 16, 32, 64], "num_anchors": 3,
    "res2net_block": [3, 4, 6, 3], "res2net_in_channels": [64, 256, 512, 1024],
    "res2net_out_channels": [256, 512, 1024, 2048],
    "fpn_in_channels": [256, 512, 1024, 2048], "fpn_out_channels": 256, "fpn_num_outs": 5,
    "rpn_in_channels": 256, "rpn_feat_channels": 256, "rpn_loss_cls_weight": 1.0, "rpn_loss_reg_weight": 1.0,
    "rpn_cls_out_channels": 1, "rpn_target_means": [0.0, 0.0, 0.0, 0.0], "rpn_target_stds": [1.0, 1.0, 1.0, 1.0],
    "neg_iou_thr": 0.3, "pos_iou_thr": 0.7, "min_pos_iou": 0.3, "num_bboxes": 245520, "num_gts": 128,
    "num_expected_neg": 256, "num_expected_pos": 128, "activate_num_classes": 2, "use_sigmoid_cls": True,
    "roi_layer": {"type": "RoIAlign", "out_size": 7, "sample_num": 2}, "roi_align_out_channels": 256,
    "roi_align_featmap_strides": [4, 8, 16, 32], "roi_align_finest_scale": 56, "roi_sample_num": 640,
    "neg_iou_thr_stage2": 0.5, "pos_iou_thr_stage2": 0.5, "min_pos_iou_stage2": 0.5, "num_bboxes_stage2": 2000,
    "num_expected_pos_stage2": 128, "num_expected_neg_stage2": 512, "num_expected_total_stage2": 512,
    "rcnn_num_layers": 2, "rcnn_in_channels": 256, "rcnn_fc_out_channels": 1024, "rcnn_loss_cls_weight": 1,
    "rcnn_loss_reg_weight": 1, "rcnn_target_means": [0.0, 0.0, 0.0, 0.0], "rcnn_target_stds": [0.1, 0.1, 0.2, 0.2],
    "rpn_proposal_nms_across_levels": False, "rpn_proposal_nms_pre": 2000, "rpn_proposal_nms_post": 2000,
    "rpn_proposal_max_num": 2000, "rpn_proposal_nms_thr": 0.7, "rpn_proposal_min_bbox_size": 0,
    "rpn_nms_across_levels": False, "rpn_nms_pre": 1000, "rpn_nms_post": 1000, "rpn_max_num": 1000, "rpn_nms_thr": 0.7,
    "rpn_min_bbox_min_size": 0, "test_score_thr": 0.05, "test_iou_thr": 0.5, "test_max_per_img": 100,
    "test_batch_size": 2, "rpn_head_use_sigmoid": True, "rpn_head_weight": 1.0,
    "base_lr": 0.04, "warmup_step": 500, "warmup_ratio": 0.0625, "sgd_step": [8, 11], "sgd_momentum": 0.9,
    "batch_size": 2, "loss_scale": 256, "momentum": 0.91, "weight_decay": 1e-5, "epoch_size": 12,
    "save_checkpoint": True, "save_checkpoint_epochs": 1, "keep_checkpoint_max": 5, "save_checkpoint_path": "./",
    "num_parallel_workers": 8, "python_multiprocessing": True, "mindrecord_dir": "/data/records", "coco_root": "/data",
    "train_data_type": "train2017", "val_data_type": "val2017", "instance_set": "annotations/instances_{}.json",
    "num_classes": 81, "anno_path": "", "image_dir": "", "run_distribute": False, "dataset": "coco", "pre_trained": "",
    "device_id": 0, "device_num": 1, "rank_id": 0, "backbone": "res2net_50", "checkpoint_path": "/net.ckpt",
    "file_name": "faster_rcnn", "file_format": "AIR", "ckpt_file": "/net.ckpt", "result_path": "",
}  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def refusal(*arguments):
    with pytest.raises(BadValueError) as caught:
        load(arguments)
    return str(caught.value)


def test_every_documented_name_is_a_key():
    known = {*FasterRcnnConfig.model_fields, *FasterRcnnConfig.inactive_keys(), CONFIG_PATH}
    for name in {*DOCUMENTED_SETTINGS, *DOCUMENTED_FLAGS, *DOCUMENTED_IN_WORDS, *UPSTREAM_YAML, "ann_file"}:
        assert right_name(FasterRcnnConfig, name) in known, name


def test_copies_above_hold_every_name_of_the_page():
    page = read_page("faster_rcnn.md")
    assert modelarts_settings(page) == set(DOCUMENTED_SETTINGS)
    assert command_flags(page) == set(DOCUMENTED_FLAGS)
    quoted = {*re.findall(r"[`\"]([a-z]+_[a-z_]+)[`\"]", page)}
    no_keys = {"global_step", "learning_rate", "train_parallel"}  # parameters of a checkpoint, a folder
    assert quoted - set(DOCUMENTED_FLAGS) - no_keys == set(DOCUMENTED_IN_WORDS)


def test_yaml_of_upstream_is_accepted_and_its_values_act(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = tmp_path / "theirs.yaml"
    path.write_text(yaml.safe_dump(UPSTREAM_YAML))
    config = load([f"--config_path={path}"])
    assert (config.lr, config.momentum, config.num_parallel_workers, config.coco_root) == (0.04, 0.91, 8, "/data")
    said = " ".join(record.message for record in caplog.records)
    assert "num_bboxes (245520 follows from the size and the anchor keys)" in said
    assert "sgd_step (lr_schedule step with lr_steps has its place)" in said


def test_settings_and_flags_of_the_page_are_accepted_as_arguments(tmp_path):
    settings = {**DOCUMENTED_SETTINGS, "checkpoint": DOCUMENTED_SETTINGS["ckpt_file"]}
    config = load([f"--{key}={value}" for key, value in settings.items()])
    assert (config.run_distribute, config.epoch_size, config.data_path) == (True, 20, "/cache/data")
    assert config.checkpoint_path == "/cache/checkpoint_path/model.ckpt"
    assert load(["--checkpoint=./a.ckpt"]).checkpoint_path == str(tmp_path / "a.ckpt")
    config = load([word for key, value in DOCUMENTED_FLAGS.items() for word in (f"--{key}", value)], "export.py")
    assert (config.backbone, config.file_format, config.layers) == ("res2net_101", "AIR", (3, 4, 23, 3))


def test_default_config_has_the_values_of_upstream_and_those_of_the_schema():
    config = load([])
    apart = {
        "coco_root",
        "mindrecord_dir",
        "checkpoint_path",
        "num_classes",
        "device_target",
        "device_id",
        "device_num",
        "file_format",
        "python_multiprocessing",
    }
    for name, value in UPSTREAM_YAML.items():
        key = right_name(FasterRcnnConfig, name)
        if key in FasterRcnnConfig.model_fields and key not in apart:
            assert json.loads(json.dumps(getattr(config, key))) == value, key
    differing = {key for key, value in config.model_dump().items() if value != getattr(FasterRcnnConfig(), key)}
    assert differing == {"num_classes", "run_dir", "infer_output_path"}


def test_the_deeper_configurations_differ_in_depth_rate_and_length_alone():
    plain = load([]).model_dump()
    for depth in (101, 152):
        other = load([f"--config_path=default_config_{depth}.yaml"])
        differing = {key: value for key, value in other.model_dump().items() if value != plain[key]}
        assert differing == {"backbone": f"res2net_{depth}", "lr": 0.02, "epoch_size": 20}


def test_mmdetection_recipe_differs_where_it_should():
    config = load(["--config_path=default_config_mmdet.yaml"])
    assert (config.lr, config.lr_base_batch, config.epoch_size, config.lr_steps) == (0.02, 16, 24, (16, 22))
    assert (config.rpn_reg_loss, config.rcnn_reg_loss, config.rpn_proposal_max_num) == ("l1", "l1", 1000)
    assert (config.momentum, config.weight_decay, config.warmup_ratio) == (0.9, 1e-4, 0.001)
    once = load(["--config_path=default_config_mmdet.yaml", "--epoch_size=12", "--lr_steps=[8,11]"])
    assert once.lr_steps == (8, 11)


@pytest.mark.parametrize("file", sorted(str(path.relative_to(SUITE_DIR)) for path in SUITE_DIR.rglob("*.yaml")))
def test_every_yaml_file_of_the_suite_loads_and_begins_with_its_command(file):
    load([f"--config_path={file}"])
    assert "python train.py" in "".join((SUITE_DIR / file).read_text().splitlines(keepends=True)[:4])


def test_every_key_is_described_and_has_a_group():
    for key, field in FasterRcnnConfig.model_fields.items():
        assert field.description, key
        assert describe_wanted(field), key
        assert group_of(FasterRcnnConfig, key) != Config.GROUP, key


def test_effective_configuration_reads_back_equal(tmp_path):
    config = load(
        [
            "--coco_root=x",
            "--img_height=384",
            "--lr_schedule=step",
            "--lr_steps=[3]",
            "--res2net_layers=[1,2,2,2]",
            "--res2net_stage1_pool=true",
            "--save_checkpoint_path=my folder",
        ]
    )
    (tmp_path / "config.yaml").write_text(dump_config(config))
    assert load(["--config_path=config.yaml"]) == config


def test_derived_values_follow_the_shape_and_the_width():
    # 800x1344: levels 200x336, 100x168, 50x84, 25x42, 13x21, the last rounded up, have 89,523 places; 3 anchors each
    config = load(["--img_height=800", "--img_width=1344", "--num_bboxes=268569"])
    assert config.level_sizes == ((200, 336), (100, 168), (50, 84), (25, 42), (13, 21))
    load(
        [
            "--img_height=800",
            "--img_width=1344",
            "--feature_shapes=[[200, 336], [100, 168], [50, 84], [25, 42], [13, 21]]",
        ]
    )
    load(["--res2net_width=16", "--res2net_in_channels=[16, 64, 128, 256]", "--fpn_in_channels=[64, 128, 256, 512]"])
    load(["--fpn_num_outs=4", "--anchor_strides=[4, 8, 16, 32]", "--num_bboxes=244800"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--img_height=600"], "img_height is 600, which is no multiple of 32, the stride of the coarsest backbone"),
        (["--img_width=1000"], "the nearest to use: 992 and 1024"),
        (["--img_width=20"], "the nearest to use: 32"),
        (["--img_height=[1]"], "img_height is [1], wanted a whole number of at least 1"),
        (["--backbone=resnet_50"], "backbone is 'resnet_50', wanted one of res2net_50, res2net_101, res2net_152"),
        (["--res2net_layers=[3, 4]"], "res2net_layers is [3, 4], wanted a list of 4 whole numbers"),
        (["--res2net_width=6"], "res2net_width is 6, wanted a whole number of at least 4 and a multiple of 4"),
        (["--frozen_stages=5"], "frozen_stages is 5, wanted a whole number from -1 to 4"),
        (["--norm_statistics=batch"], "norm_statistics is 'batch', wanted one of frozen, trained"),
        (["--anchor_strides=[8, 16, 32, 64, 128]"], "set anchor_strides to these"),
        (["--fpn_num_outs=6"], "whose levels have the strides [4, 8, 16, 32, 64, 128]"),
        (["--roi_align_featmap_strides=[8, 16]"], "wanted the first of the strides [4, 8, 16, 32, 64]"),
        (["--anchor_ratios=[]"], "anchor_ratios is [], wanted a list of numbers, each above 0"),
        (["--num_bboxes=5"], "num_bboxes is 5, but 245520 follows from the size and the anchor keys"),
        (["--num_anchors=9"], "num_anchors is 9, but 3 follows from the anchor keys"),
        (["--rpn_cls_out_channels=2"], "rpn_cls_out_channels is 2, but 1 is built in"),
        (["--res2net_block=[3, 4, 23, 3]"], "but [3, 4, 6, 3] follows from backbone and res2net_layers"),
        (["--neg_iou_thr=0.8"], "neg_iou_thr 0.8 is above pos_iou_thr 0.7"),
        (["--neg_iou_thr_stage2=0.6"], "neg_iou_thr_stage2 0.6 is above pos_iou_thr_stage2 0.5"),
        (["--num_expected_pos=300"], "num_expected_pos 300 is above num_expected_neg 256"),
        (["--num_expected_pos_stage2=513"], "num_expected_pos_stage2 513 is above num_expected_neg_stage2 512"),
        (["--expand_ratio=0.5"], "expand_ratio is 0.5, wanted a number of at least 1"),
        (["--epoch_size=0"], "epoch_size is 0, wanted a whole number of at least 1"),
        (["--lr_schedule=step"], "lr_schedule step with lr_steps [] and epoch_size 12"),
        (["--lr_schedule=step", "--lr_steps=[11, 8]"], "set lr_steps to ascending epochs below epoch_size"),
        (["--lr_schedule=step", "--lr_steps=[8, 12]"], "lr_steps [8, 12] and epoch_size 12"),
        (["--scale_range=[1.2, 0.8]"], "scale_range is [1.2, 0.8], wanted the lower factor first"),
        (["--img_norm_std=[0, 1, 1]"], "img_norm_std is [0, 1, 1], wanted a list of 3 numbers, each above 0"),
        (["--num_classes=81", "--coco_classes=cat,dog"], "num_classes is 81 and coco_classes has 2 names"),
        (["--file_format=ONYX"], "file_format is 'ONYX', wanted one of auto, MINDIR, AIR"),
        (["--base_lr=0.4", "--lr=0.6"], "base_lr, another name of the key, is 0.4"),
        (["--checkpoint=a.ckpt", "--ckpt_file=b.ckpt"], "checkpoint, another name of the key, is 'a.ckpt'"),
        (["--epoch_sise=3"], "unknown key 'epoch_sise': the nearest known one is 'epoch_size'"),
    ],
)
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
        "from faster_rcnn.src.config import load\n"
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
    assert "--rcnn_fc_out_channels=1024" in done.stdout
