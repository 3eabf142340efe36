"""What the values of the page, of upstream and of the YAML files come to; the rest is in tests/test_configs.py."""

import logging

import pytest
import yaml

from faster_rcnn.src.config import load
from faster_rcnn.tests import documented


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_yaml_of_upstream_is_accepted_and_its_values_act(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = tmp_path / "theirs.yaml"
    path.write_text(yaml.safe_dump(documented.UPSTREAM))
    config = load([f"--config_path={path}"])
    assert (config.lr, config.momentum, config.num_parallel_workers, config.coco_root) == (0.04, 0.91, 8, "/data")
    said = " ".join(record.message for record in caplog.records)
    assert "num_bboxes (245520 follows from the size and the anchor keys)" in said
    assert "sgd_step (lr_schedule step with lr_steps has its place)" in said


def test_settings_and_flags_of_the_page_are_accepted_as_arguments(tmp_path):
    settings = {**documented.SETTINGS, "checkpoint": documented.SETTINGS["ckpt_file"]}
    config = load([f"--{key}={value}" for key, value in settings.items()])
    assert (config.run_distribute, config.epoch_size, config.data_path) == (True, 20, "/cache/data")
    assert config.checkpoint_path == "/cache/checkpoint_path/model.ckpt"
    assert load(["--checkpoint=./a.ckpt"]).checkpoint_path == str(tmp_path / "a.ckpt")
    config = load([word for key, value in documented.FLAGS.items() for word in (f"--{key}", value)], "export.py")
    assert (config.backbone, config.file_format, config.layers) == ("res2net_101", "AIR", (3, 4, 23, 3))


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
