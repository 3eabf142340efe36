"""What the values of the page, of upstream and of the YAML files come to; the rest is in tests/test_configs.py."""

import logging

import pytest
import yaml

from segformer.src.config import SUITE_DIR, load
from segformer.tests import documented

VARIANTS = {
    "segformer.b0.512x1024.city.yaml": ("mit_b0", (512, 1024), (512, 1024)),
    **{f"segformer.b{n}.1024x1024.city.yaml": (f"mit_b{n}", (1024, 2048), (1024, 1024)) for n in range(6)},
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_yaml_of_the_page_and_of_upstream_is_accepted_and_its_values_act(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = tmp_path / "theirs.yaml"
    changed = {"checkpoint_path": "./kept/", "save_checkpoint_epoch_interval": 3, "train_log_interval": 7}
    path.write_text(yaml.safe_dump(documented.YAML | documented.UPSTREAM | changed))
    config = load([f"--config_path={path}"])
    assert (config.save_checkpoint_path, config.save_checkpoint_epochs, config.log_interval) == ("./kept/", 3, 7)
    assert config.pre_trained == str(SUITE_DIR / "pretrained" / "ms_pretrained_b0.ckpt")
    said = " ".join(record.message for record in caplog.records)
    assert "dataset_ignore_image (images are padded with the mean colour)" in said
    assert "momentum has no effect with optimizer adamw" in said


def test_flags_of_the_page_are_accepted_and_paths_on_the_command_line_start_where_it_is_given(tmp_path):
    config = load([word for key, value in documented.FLAGS.items() for word in (f"--{key}", value)], "export.py")
    assert (config.backbone, config.run_eval, config.export_format) == ("mit_b1", False, "AIR")
    assert config.pre_trained == "/pretrained/ms_pretrained_b1.ckpt"
    config = load(["--pretrained_ckpt_path=a.ckpt", "--data_path=my data"])
    assert (config.pre_trained, config.data_path) == (str(tmp_path / "a.ckpt"), str(tmp_path / "my data"))


@pytest.mark.parametrize("file", sorted(VARIANTS))
def test_the_variants_of_the_page_hold_only_what_differs(file):
    config = load([f"--config_path=config/{file}"])
    assert (config.backbone, config.base_size, config.crop_size) == VARIANTS[file]
    assert config.pre_trained.endswith(f"ms_pretrained_{config.backbone.removeprefix('mit_')}.ckpt")
    assert (config.lr, config.lr_schedule, config.epoch_size, config.batch_size) == (1e-4, "constant", 200, 2)
    keys = set(yaml.safe_load((SUITE_DIR / "config" / file).read_text()))
    assert keys == {"__BASE__", "backbone", "base_size", "crop_size", "pretrained_ckpt_path"}


@pytest.mark.parametrize("size", range(6))
def test_the_papers_recipe(size):
    config = load([f"--config_path=config/segformer.b{size}.1024x1024.city.paper.yaml"])
    assert config.backbone == f"mit_b{size}"
    assert config.pre_trained.endswith(f"ms_pretrained_b{size}.ckpt")
    assert (config.lr, config.weight_decay, config.head_lr_factor, config.no_decay_norm_bias) == (6e-5, 0.01, 10, True)
    assert (config.lr_schedule, config.poly_power, config.warmup_steps, config.warmup_ratio) == ("poly", 1, 1500, 1e-6)
    assert (config.eval_mode, config.slide_crop, config.slide_stride) == ("slide", (1024, 1024), (768, 768))
    steps_per_epoch = 2975 // config.batch_size
    assert (config.batch_size, config.epoch_size) == (8, -(-160_000 // steps_per_epoch))
