"""What a configuration of MMDetection says of evaluation, from texts as its two generations store them."""

import pytest

from utils.detection.data.published_detector import read_recipe, takes_bgr
from utils.training.checkpoints.foreign_state import stored_config

THRESHOLDS = {"min_score": ("score_thr",), "nms_threshold": ("nms", "iou_threshold"), "nms_pre": ("nms_pre",)}
V3 = """
custom_imports = dict(imports=['evil'], allow_failed_imports=False)
test_pipeline = [dict(type='Resize', scale=(9, 9))]
model = dict(
    data_preprocessor=dict(bgr_to_rgb=True, mean=[123.675, 116.28, 103.53], pad_size_divisor=128, std=[58., 57, 56]),
    test_cfg=dict(max_per_img=100, nms=dict(iou_threshold=0.5, type='nms'), nms_pre=1000, score_thr=0.05))
test_dataloader = dict(dataset=dict(pipeline=[
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='Resize', keep_ratio=True, scale=(640, 512))]))
"""
V2 = """
img_norm_cfg = dict(mean=[103.5, 116.25, 123.75], std=[1.0, 1.0, 1.0], to_rgb=False)
data = dict(
    test=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(
                type='MultiScaleFlipAug',
                img_scale=(1333, 800),
                transforms=[dict(type='Normalize', **x), {'type': 'Normalize', 'mean': [103.5, 116.25, 123.75],
                    'std': [1.0, 1.0, 1.0], 'to_rgb': False}, dict(type='Pad', size_divisor=32)])]))
model = dict(test_cfg=dict(score_thr=-1, nms=dict(type='nms')))
"""


@pytest.mark.parametrize(
    ("meta", "recipe", "is_bgr"),
    [
        (
            {"cfg": V3},
            {
                "min_score": 0.05,
                "nms_threshold": 0.5,
                "nms_pre": 1000,
                "canvas_sides": [640, 512],
                "canvas_divisor": 128,
                "img_norm_mean": [123.675, 116.28, 103.53],
                "img_norm_std": [58.0, 57, 56],
            },
            False,
        ),
        (
            {"config": V2},
            {
                "min_score": -1,
                "canvas_sides": [1333, 800],
                "canvas_divisor": 32,
                "img_norm_mean": [103.5, 116.25, 123.75],
                "img_norm_std": [1.0, 1.0, 1.0],
            },
            True,
        ),
        ({"cfg": "no program ("}, {}, False),
        ({"cfg": "(" * 100_000}, {}, False),
        ({"cfg": "model = __import__('os').getcwd()\ntest_pipeline = [3, dict(scale=None)]"}, {}, False),
        ({"cfg": 3, "config": None}, {}, False),
        (None, {}, False),
    ],
)
def test_recipes(meta, recipe, is_bgr):
    program = stored_config({"meta": meta})
    assert read_recipe(program, THRESHOLDS) == recipe
    assert takes_bgr(program) == is_bgr


def test_a_configuration_is_read_and_not_run():
    """Of what is no plain value None is left."""
    program = stored_config(
        {"meta": {"cfg": "a = -1.5\nb = a\nc = print(1)\nd = [a, (b, c)]\nimport os\ne = dict(f=os)"}}
    )
    assert program == {"a": -1.5, "b": -1.5, "c": None, "d": [-1.5, [-1.5, None]], "e": {"f": None}}
