"""The keys of the suite: documented names and values, the YAML files, the sentences, and no MindSpore on the way."""

import json
import logging
import subprocess
import sys
import time

import pytest
import yaml

from segformer.src.config import SUITE_DIR, SegformerConfig, load
from utils.model_utils.config.base import Config, describe_wanted, group_of
from utils.model_utils.config.loading import CONFIG_PATH, dump_config, right_name
from utils.model_utils.errors import BadValueError, MissingPathError
from utils.model_utils.tests.documented_names import command_flags, modelarts_settings, read_page, yaml_keys

# Copies of the names in the page, and the values that it shows behind them.
DOCUMENTED_YAML = {
    "run_distribute": False,
    "data_path": "./data/cityscapes/",
    "load_ckpt": True,
    "pretrained_ckpt_path": "./pretrained/ms_pretrained_b0.ckpt",
    "save_checkpoint": True,
    "save_checkpoint_epoch_interval": 1,
    "save_best_ckpt": True,
    "checkpoint_path": "./checkpoint/",
    "train_log_interval": 100,
    "epoch_size": 200,
    "batch_size": 2,
    "backbone": "mit_b0",
    "class_num": 19,
    "dataset_num_parallel_workers": 4,
    "momentum": 0.9,
    "lr": 0.0001,
    "weight_decay": 0.01,
    "base_size": [512, 1024],
    "crop_size": [512, 1024],
    "img_norm_mean": [123.675, 116.28, 103.53],
    "img_norm_std": [58.395, 57.12, 57.375],
    "run_eval": True,
    "eval_start_epoch": 0,
    "eval_interval": 1,
    "eval_ckpt_path": "",
    "eval_log_interval": 100,
    "infer_copy_original_img": True,
    "infer_save_gray_img": True,
    "infer_save_color_img": True,
    "infer_save_overlap_img": True,
    "infer_log_interval": 100,
    "infer_ckpt_path": "",
    "infer_output_path": "./infer_result/",
}
PATHS = {"data_path", "pre_trained", "infer_output_path"}
DOCUMENTED_FLAGS = {
    "config_path": "config/segformer.b1.1024x1024.city.yaml",
    "pretrained_ckpt_path": "/pretrained/ms_pretrained_b1.ckpt",
    "data_path": "/segformer/data/cityscapes/",
    "run_eval": "False",
    "eval_ckpt_path": "/segformer/checkpoint/segformer_mit_b1_10.ckpt",
    "infer_ckpt_path": "/segformer/checkpoint/segformer_mit_b1_best.ckpt",
    "infer_output_path": "/segformer/infer_result",
    "export_ckpt_path": "/segformer/checkpoint/segformer_mit_b1_12.ckpt",
    "export_format": "AIR",
}
# What the public upstream YAML and commands have beyond the page.
UPSTREAM_YAML = {
    "device_target": "Ascend",
    "mode_name": "GRAPH",
    "dataset_name": "cityscapes",
    "device_num": 1,
    "rank_id": 0,
    "rank_size": 1,
    "total_batch_size": 2,
    "dataset_ignore_label": 255,
    "dataset_ignore_image": 255,
    "optimizer": "adamw",
    "dataset_max_rowsize": 50,
    "warmup_steps": 0,
    "dataset_eval_num_parallel_workers": 4,
    "enable_modelarts": False,
    "data_url": "",
    "train_url": "",
    "data_dir": "",
}
VARIANTS = {
    "segformer.b0.512x1024.city.yaml": ("mit_b0", (512, 1024), (512, 1024)),
    **{f"segformer.b{n}.1024x1024.city.yaml": (f"mit_b{n}", (1024, 2048), (1024, 1024)) for n in range(6)},
}
YAML_FILES = sorted(f"config/{path.name}" for path in (SUITE_DIR / "config").glob("*.yaml"))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def refusal(*arguments):
    with pytest.raises(BadValueError) as caught:
        load(arguments)
    return str(caught.value)


def test_every_documented_name_is_a_key():
    known = {*SegformerConfig.model_fields, *SegformerConfig.inactive_keys(), CONFIG_PATH}
    for name in {*DOCUMENTED_YAML, *DOCUMENTED_FLAGS, *UPSTREAM_YAML}:
        assert right_name(SegformerConfig, name) in known, name


def test_copies_above_hold_every_name_of_the_page():
    page = read_page("segformer.md")
    assert yaml_keys(page, ("shell",)) == set(DOCUMENTED_YAML)
    assert command_flags(page) == set(DOCUMENTED_FLAGS)
    assert modelarts_settings(page) == set()


def test_yaml_of_the_page_and_of_upstream_is_accepted_and_its_values_act(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = tmp_path / "theirs.yaml"
    changed = {"checkpoint_path": "./kept/", "save_checkpoint_epoch_interval": 3, "train_log_interval": 7}
    path.write_text(yaml.safe_dump(DOCUMENTED_YAML | UPSTREAM_YAML | changed))
    config = load([f"--config_path={path}"])
    assert (config.save_checkpoint_path, config.save_checkpoint_epochs, config.log_interval) == ("./kept/", 3, 7)
    assert config.pre_trained == str(SUITE_DIR / "pretrained" / "ms_pretrained_b0.ckpt")
    said = " ".join(record.message for record in caplog.records)
    assert "dataset_ignore_image (images are padded with the mean colour)" in said
    assert "momentum has no effect with optimizer adamw" in said


def test_flags_of_the_page_are_accepted_and_paths_on_the_command_line_start_where_it_is_given(tmp_path):
    config = load([word for key, value in DOCUMENTED_FLAGS.items() for word in (f"--{key}", value)], "export.py")
    assert (config.backbone, config.run_eval, config.export_format) == ("mit_b1", False, "AIR")
    assert config.pre_trained == "/pretrained/ms_pretrained_b1.ckpt"
    config = load(["--pretrained_ckpt_path=a.ckpt", "--data_path=my data"])
    assert (config.pre_trained, config.data_path) == (str(tmp_path / "a.ckpt"), str(tmp_path / "my data"))


def test_base_file_has_the_values_of_the_page_and_those_of_the_schema():
    config = load([])
    for name, value in DOCUMENTED_YAML.items():
        key = right_name(SegformerConfig, name)
        if key not in PATHS:
            assert json.loads(json.dumps(getattr(config, key))) == value, key
    defaults = SegformerConfig()
    differing = {key for key, value in config.model_dump().items() if value != getattr(defaults, key)}
    assert differing <= {*PATHS, "run_dir", "output_path", "load_path"}
    assert config.data_path == str(SUITE_DIR / "data" / "cityscapes")


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


@pytest.mark.parametrize("file", YAML_FILES)
def test_every_yaml_file_of_the_suite_loads_and_begins_with_its_command(file):
    load([f"--config_path={file}"])
    assert "python train.py" in "".join((SUITE_DIR / file).read_text().splitlines(keepends=True)[:4])


def test_every_key_is_described_and_has_a_group():
    for key, field in SegformerConfig.model_fields.items():
        assert field.description, key
        assert describe_wanted(field), key
        assert group_of(SegformerConfig, key) != Config.GROUP, key


def test_effective_configuration_reads_back_equal(tmp_path):
    config = load(
        [
            "--data_path=x",
            "--class_num=2",
            "--class_names=[a, b c]",
            "--class_weights=[1, 0.5]",
            "--backbone_widths=[8, 16, 20, 32]",
            "--ohem_threshold=0.7",
            "--eval_scales=[0.5, 1]",
        ]
    )
    (tmp_path / "config.yaml").write_text(dump_config(config))
    assert load(["--config_path=config.yaml"]) == config


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--backbone=mit_b6"], "backbone is 'mit_b6', wanted one of mit_b0, mit_b1, mit_b2, mit_b3, mit_b4, mit_b5"),
        (["--epoch_sise=3"], "unknown key 'epoch_sise': the nearest known one is 'epoch_size'"),
        (["--epoch_size=0"], "epoch_size is 0, wanted a whole number of at least 1"),
        (["--train_log_interval=0"], "log_interval is 0, wanted a whole number of at least 1"),
        (["--class_num=1"], "class_num is 1, wanted a whole number from 2 to 255"),
        (["--class_num=3", "--class_names=[a, b]"], "class_names has 2 names and class_num is 3: set class_num to 2"),
        (["--class_num=2", "--class_names=[a, a]"], "class_names has ['a'] more than once"),
        (["--dataset_ignore_label=7"], "dataset_ignore_label 7 is also one of the 19 classes, which are numbered 0 to"),
        (["--class_weights=[1, 2]"], "class_weights has 2 numbers and class_num is 19: give one for each class"),
        (["--class_weights=[1, 0]"], "class_weights is [1, 0], wanted a list of numbers, each above 0, or null"),
        (["--backbone_widths=[8, 16, 24, 32]"], "but the stages have [1, 2, 5, 8] attention heads"),
        (["--backbone_depths=[2, 2]"], "backbone_depths is [2, 2], wanted a list of 4 whole numbers"),
        (["--base_size=512"], "base_size is [512], wanted a list of 2 whole numbers, each of at least 32"),
        (["--crop_size=[16, 512]"], "crop_size is [16, 512], wanted a list of 2 whole numbers, each of at least 32"),
        (["--scale_range=[2, 0.5]"], "scale_range is [2.0, 0.5], wanted the lower factor first"),
        (["--slide_stride=[2000, 768]"], "slide_stride [2000, 768] is above slide_crop [1024, 1024]"),
        (["--eval_scales=[]"], "eval_scales is []"),
        (["--ohem_threshold=1.5"], "ohem_threshold is 1.5, wanted a number above 0 and at most 1, or null"),
        (["--head_lr_factor=0"], "head_lr_factor is 0, wanted a number above 0"),
        (["--drop_path_rate=1"], "drop_path_rate is 1, wanted a number of at least 0 and below 1"),
        (["--lr_schedule=step"], "lr_schedule is 'step', wanted one of constant, poly, cosine"),
        (["--export_format=TFLITE"], "export_format is 'TFLITE', wanted one of auto, AIR, MINDIR, ONNX"),
        (["--eval_mode=tiles"], "eval_mode is 'tiles', wanted one of whole, slide"),
        (["--resume=auto", "--overwrite=True"], "resume and overwrite are both set"),
        (["--pretrained_ckpt_path=a", "--pre_trained=b"], "pretrained_ckpt_path, another name of the key, is 'a'"),
    ],
)  # fmt: skip
def test_bad_values_get_one_sentence(arguments, sentence):
    message = refusal(*arguments)
    assert sentence in message
    assert "\n" not in message


def test_missing_yaml_file_is_named():
    with pytest.raises(MissingPathError, match=r"config_path 'segformer.b6.yaml' is not in"):
        load(["--config_path=segformer.b6.yaml"])


def test_help_of_a_process_answers_in_under_a_second_without_mindspore():
    code = (
        "import sys\n"
        "from segformer.src.config import load\n"
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
    assert "--eval_mode='whole'" in done.stdout
    assert "checkpoint_path (save_checkpoint_path)" in done.stdout
