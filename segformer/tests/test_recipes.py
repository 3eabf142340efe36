"""The sizes for which published weights were made, by what their files say; worked by hand."""

import json
from pathlib import Path

import pytest

from segformer.src.config import SegformerConfig
from segformer.src.foreign.recipes import openmmlab_recipe, processor_recipe
from segformer.src.foreign.transformers_folder import class_names, processor_settings
from segformer.src.labels.classes import CITYSCAPES_CLASS_NAMES
from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.foreign_state import stored_config

ADE = Path("segformer_mit-b0_512x512_160k_ade20k.pth")


@pytest.mark.parametrize(
    ("file", "num_classes", "names", "divisor", "expected"),
    [
        (ADE, 150, (), 1, ((2048, 512), 1, "whole", (512, 1024))),
        (ADE, 150, (), 32, ((2048, 512), 32, "whole", (512, 1024))),
        (Path("segformer.b5.640x640.ade.160k.pth"), 150, (), 32, ((2048, 640), 32, "whole", (640, 1280))),
        (Path("any.pth"), 19, (), 32, ((2048, 1024), 1, "slide", (1024, 2048))),
        (Path("any.pth"), 19, CITYSCAPES_CLASS_NAMES, 1, ((2048, 1024), 1, "slide", (1024, 2048))),
        (Path("any.pth"), 19, tuple("abcdefghijklmnopqrs"), 1, ((2048, 512), 1, "whole", (512, 1024))),
        (Path("any.pth"), 3, (), 1, ((2048, 512), 1, "whole", (512, 1024))),
    ],
)
def test_mmsegmentations_pipelines(file, num_classes, names, divisor, expected):
    keys = openmmlab_recipe(file, num_classes, names, divisor).keys
    assert keys["canvas"] == "picture"
    assert (keys["canvas_sides"], keys["size_divisor"], keys["eval_mode"], keys["base_size"]) == expected


V1 = """
model = dict(
    data_preprocessor=dict(bgr_to_rgb=True, mean=[1.5, 2, 3], std=[4, 5, 6]),
    test_cfg=dict(mode='slide', crop_size=(256, 192), stride=(128, 96)))
test_dataloader = dict(dataset=dict(pipeline=[
    dict(type='LoadImageFromFile'), dict(type='Resize', keep_ratio=True, scale=(640, 320)),
    dict(type='PackSegInputs')]))
"""
V0 = """
img_norm_cfg = dict(mean=[1.5, 2, 3], std=[4, 5, 6], to_rgb=True)
model = dict(test_cfg=dict(mode='whole'))
data = dict(test=dict(pipeline=[dict(type='LoadImageFromFile'), dict(
    type='MultiScaleFlipAug', img_scale=(300, 200), flip=False, transforms=[
        dict(type='AlignedResize', keep_ratio=True, size_divisor=64), dict(type='RandomFlip'),
        dict(type='Normalize', mean=[1.5, 2, 3], std=[4, 5, 6], to_rgb=True)])]))
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (V1, ((640, 320), 1, True, "slide", (256, 192), (128, 96), (320, 640))),
        (V1.replace("keep_ratio=True, ", ""), ((640, 320), 1, False, "slide", (256, 192), (128, 96), (320, 640))),
        (V1.replace("stride=(128", "stride=(257"), ((640, 320), 1, True, "whole", None, None, (320, 640))),
        (V0, ((300, 200), 64, True, "whole", None, None, (200, 300))),
    ],
)
def test_the_configuration_in_a_file_counts(text, expected):
    """What it says of tests, v1 and v0, whatever the number of classes; windows that leave gaps are none."""
    program = stored_config({"meta": {"cfg": text}})
    keys = openmmlab_recipe(ADE, 150, (), 32, program).keys
    names = (
        "canvas_sides",
        "size_divisor",
        "canvas_keep_ratio",
        "eval_mode",
        "slide_crop",
        "slide_stride",
        "base_size",
    )
    assert tuple(keys.get(name) for name in names) == expected
    assert (keys["img_norm_mean"], keys["img_norm_std"]) == ((1.5, 2, 3), (4, 5, 6))
    SegformerConfig(**keys)


def test_a_processor_that_does_not_resize_is_said():
    assert any("leaves pictures as they are" in note for note in processor_recipe({"do_resize": False}).notes)
    assert not any("leaves pictures as they are" in note for note in processor_recipe({"do_resize": True}).notes)


@pytest.mark.parametrize("values", [[0, 0.2, 0.2], [1e308, 1, 1]])
def test_a_deviation_that_cannot_be_is_a_sentence(values):
    with pytest.raises(BadValueError, match="image_std of .* is .*, wanted three finite numbers above 0"):
        processor_recipe({"image_std": values})


@pytest.mark.parametrize(
    ("settings", "sides", "keeps_ratio"),
    [
        (None, (512, 512), False),
        ({}, (512, 512), False),
        ({"size": 640}, (640, 640), False),
        ({"size": {"height": 256, "width": 1024}}, (1024, 256), False),
        ({"image_scale": [1024, 512], "keep_ratio": True}, (1024, 512), True),  # width and height, of 2021
        ({"size": "large"}, (512, 512), False),
    ],
)
def test_sizes_of_an_image_processor(settings, sides, keeps_ratio):
    keys = processor_recipe(settings).keys
    assert (keys["canvas_sides"], keys["canvas_keep_ratio"], keys["size_divisor"]) == (sides, keeps_ratio, 1)
    assert "img_norm_mean" not in keys


def test_normalisation_of_an_image_processor():
    """255 times the factors from 0 to 1; without any, levels are divided by 255."""
    said = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    keys = processor_recipe(said).keys
    assert keys["img_norm_mean"] == (123.675, 116.28, 103.53)
    assert keys["img_norm_std"] == (58.395, 57.12, 57.375)
    keys = processor_recipe({"do_normalize": False}).keys
    assert (keys["img_norm_mean"], keys["img_norm_std"]) == ((0.0,) * 3, (255.0,) * 3)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"0": "wall", "1": "floor"}, ("wall", "floor")),
        ({"1": "floor", "0": "wall"}, ("wall", "floor")),
        ({"0": "LABEL_0", "1": "LABEL_1"}, ()),
        ({"0": "door", "1": "door"}, ()),
        ({"0": "wall", "2": "floor"}, ()),
        (None, ()),
    ],
)
def test_names_of_classes_in_a_folder(labels, expected):
    assert class_names({"id2label": labels}) == expected


def test_a_processor_that_cannot_be_read_is_a_sentence(tmp_path):
    assert processor_settings(tmp_path) is None
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": 128}))
    assert processor_settings(tmp_path) == {"size": 128}
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(BadValueError, match="preprocessor_config.json' is no JSON object"):
        processor_settings(tmp_path)
