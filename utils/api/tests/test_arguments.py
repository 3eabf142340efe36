"""Keys given in Python come out of the schema as they went in."""

from pathlib import Path

import numpy as np
import pytest

from utils.api.arguments import arguments_of
from utils.api.suites import open_config
from utils.model_utils.errors import BadValueError


@pytest.mark.parametrize(
    ("key", "given", "wanted"),
    [
        ("min_score", 1e-05, 1e-05),
        ("min_score", np.float32(0.25), 0.25),
        ("batch_size", 3, 3),
        ("batch_size", "3", 3),
        ("batch_size", np.int64(3), 3),
        ("crop", True, True),
        ("neg_iou_threshold", None, None),
        ("img_shape", (128, 256), (128, 256)),
        ("img_shape", np.array([128, 256]), (128, 256)),
        ("img_shape", "[128,256]", (128, 256)),
        ("coco_classes", ["a: b", "'quoted'", "yes"], ("a: b", "'quoted'", "yes")),
        ("coco_root", Path("/a b/'c'"), "/a b/'c'"),
        ("coco_root", "'/a'", "'/a'"),
    ],
)
def test_a_value_comes_out_as_it_went_in(key, given, wanted):
    value = getattr(open_config("nas_fpn").load(arguments_of({"num_classes": None, key: given})), key)
    assert value == wanted or str(value).endswith(str(wanted))
    assert type(value) is type(wanted)


def test_what_has_no_text_is_refused():
    with pytest.raises(BadValueError, match=r"min_score is <object .*, a object: give text, a number"):
        arguments_of({"min_score": object()})


def test_an_unknown_key_is_refused_with_the_nearest_one():
    with pytest.raises(BadValueError, match="unknown key 'min_scor': the nearest known one is 'min_score'"):
        open_config("nas_fpn").load(arguments_of({"min_scor": 0.1}))
