"""The sizes for which published weights were made, by what their files say; worked by hand."""

import json
from pathlib import Path

import pytest

from segformer.src.foreign.recipes import openmmlab_recipe, processor_recipe
from segformer.src.foreign.transformers_folder import class_names, processor_settings
from segformer.src.labels.classes import CITYSCAPES_CLASS_NAMES
from utils.model_utils.errors import BadValueError

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
