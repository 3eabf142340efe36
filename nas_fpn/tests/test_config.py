"""What the values of the page, of upstream and of the YAML files come to; the rest is in tests/test_configs.py."""

import logging

import pytest
import yaml

from nas_fpn.src.config import load
from nas_fpn.tests import documented


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_yaml_of_the_page_and_of_upstream_is_accepted_and_its_values_act(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = tmp_path / "theirs.yaml"
    path.write_text(yaml.safe_dump(documented.YAML | documented.UPSTREAM))
    config = load([f"--config_path={path}"])
    assert (config.match_threshold, config.nms_threshold, config.num_parallel_workers) == (0.5, 0.6, 24)
    assert (config.coco_root, config.mindrecord_dir) == ("/home/DataSet/cocodataset", "/home/DataSet/MindRecord_COCO")
    said = " ".join(record.message for record in caplog.records)
    assert "num_retinanet_boxes (76725 follows from img_shape and the anchor keys)" in said
    assert "mode (every step passes its data by itself)" in said


def test_settings_and_flags_of_the_page_are_accepted_as_arguments():
    config = load([f"--{key}={value}" for key, value in documented.SETTINGS.items()])
    assert (config.run_distribute, config.keep_checkpoint_max) == (True, 5)
    assert config.pre_trained == "/cache/data/train/train_predtrained/pred file name"
    assert config.instance_set == "/cache/data/MindRecord_COCO/annotations/instances_{}.json"
    config = load([word for key, value in documented.FLAGS.items() for word in (f"--{key}", value)], "export.py")
    assert (config.is_training, config.prefix) == (False, "retinanet_eval.mindrecord")


def test_mmdetection_recipe_differs_where_it_should():
    config = load(["--config_path=retinanet_nasfpn_mmdet.yaml"])
    assert (config.alpha, config.neg_iou_threshold, config.box_loss) == (0.25, 0.5, "l1")
    assert (config.lr, config.lr_base_batch, config.epoch_size, config.lr_steps) == (0.08, 64, 50, (30, 40))
    assert (config.nms_threshold, config.min_score, config.weight_decay, config.ema_decay) == (0.5, 0.05, 1e-4, 0)
    assert (config.img_shape, config.nasfpn_stack_times, config.num_classes) == ((640, 640), 7, 80)


def test_derived_values_follow_the_shape_and_the_anchors():
    # 384x640: levels 48x80, 24x40, 12x20, 6x10, 3x5 have 5115 places; 9 anchors each
    config = load(["--img_shape=[384, 640]", "--num_retinanet_boxes=46035"])
    assert config.level_sizes == ((48, 80), (24, 40), (12, 20), (6, 10), (3, 5))
    assert config.anchors_per_cell == 9
    load(["--img_shape=[384, 640]", "--feature_size=[[48, 80], [24, 40], [12, 20], [6, 10], [3, 5]]"])
    load(["--resnet_width=16", "--nasfpn_input_channels=[128, 256, 512]"])
