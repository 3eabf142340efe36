"""The object files: all are read and drawn, and bad ones are refused with the file and the shape."""

import json
import re

import numpy as np
import pytest

from utils.model_utils.errors import BadValueError, MissingPathError
from utils.sample_data.builder import Drawn
from utils.sample_data.object_files import FOLDER, load

NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
SURROUNDINGS = {"lamps": True, "snowy": True, "cold": True, "rain": True, "lit": 0.5}
POST = {"label": "pole", "shapes": [{"name": "tube", "box": [0, 0, "wide", 3], "fill": "steel"}]}


@pytest.mark.parametrize("name", NAMES)
def test_every_object_is_read_and_every_variant_drawn_with_finite_corners(name):
    for variant in load(name).variants or [None]:
        for seed, surroundings in enumerate((None, SURROUNDINGS, None, SURROUNDINGS)):
            drawn = Drawn(np.random.default_rng(seed), name, surroundings, variant)
            items = [item for part in drawn.file.parts for item in drawn.items(part)]
            assert all(np.isfinite(item.points).all() and item.points.shape[1] == 3 for item in items)
            assert all(np.shape(part.colour) == (3,) for item in items for face in item.faces for part in face.parts)
            assert all(np.isfinite([drawn.place(kind)[axis] for axis in "xz"]).all() for kind in drawn.file.places)


@pytest.mark.parametrize("name", NAMES)
def test_every_object_file_can_be_read_by_a_person(name):
    """It says what it is, has at most 300 lines and on the average at most 6 numbers on a line."""
    text = (FOLDER / f"{name}.json").read_text()
    assert json.loads(text)["note"] and text.count("\n") <= 300
    assert len(re.findall(r"[\d.]+", text)) <= 6 * text.count("\n")


def bad(**changes):
    return {"items": [{**POST, "shapes": [{**POST["shapes"][0], **changes}]}]}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (bad(fil="steel"), r"post.json: items\[0\] \(label\), shapes\[0\] \(tube\): there is no key 'fil'"),
        (bad(), r"shapes\[0\] \(tube\), box: .* uses 'wide', which is not defined"),
        (bad(box=[0, 0, 1, 3], fill="__import__('os')"), "uses '__import__'"),
        (bad(box=[0, 0, 1, 3], fill="white.real"), "holds a Attribute"),
        (bad(box=[0, 0, 1, "3 +"]), "is not an expression"),
        ({"items": [{**POST, "label": "lamppost"}]}, r"post.json: items\[0\] \(label\): there is no label 'lamppost'"),
        ({"items": [{**POST, "category": "pole"}]}, "there is no category 'pole'"),
        ({"items": [{"label": "pole", "faces": [{"plane": "back", "shapes": []}]}]}, "there is no plane 'back'"),
        (
            {"items": [{"label": "pole", "shapes": [{"use": "tube"}]}]},
            "there is no group 'tube' of shapes in post.json",
        ),
        ({"items": [{"label": "pole", "shapes": [{"line": [[0, 0], [0, 3]], "fill": "steel"}]}]}, "'width' is missing"),
        ({"items": [{"label": "pole", "shapes": [{"name": "tube"}]}]}, "says what it is"),
        ({"variants": {"tall": {"high": 3}, "low": {}}}, "variant 'low' lacks 'high'"),
        ({"variants": {"tall": {}}, "chances": {"low": 1}}, "chances are for"),
        ({"values": [3]}, r"post.json, values is \[3\], but must be a mapping"),
        ({"places": {"car": {"x": 0, "z": 9}}}, "place of car says x, z, but must say x, z and heading"),
        ({"item": []}, "post.json: there is no key 'item'"),
        ({"items": [{"object": "tree"}]}, "there is no object file 'tree.json', only: post"),
    ],
)
def test_a_bad_file_is_refused_with_the_file_and_the_shape(tmp_path, content, sentence):
    (tmp_path / "post.json").write_text(json.dumps(content))
    with pytest.raises((BadValueError, MissingPathError), match=sentence):
        load("post", tmp_path)


def test_what_only_drawing_shows_names_the_shape_too(tmp_path):
    (tmp_path / "post.json").write_text(json.dumps(bad(box=[0, 0, 1])))
    with pytest.raises(BadValueError, match=r"post.json: items\[0\] \(label\), shapes\[0\] \(tube\): not enough"):
        list(Drawn(np.random.default_rng(0), "post", folder=tmp_path).items())


@pytest.mark.parametrize(("variant", "inputs"), [("tricycle", {}), (None, {"wings": 2})])
def test_a_variant_or_input_that_is_not_there_is_refused(variant, inputs):
    with pytest.raises(BadValueError, match="car.json, (variants|inputs): there is no key '(tricycle|wings)'"):
        Drawn(np.random.default_rng(0), "car", variant=variant, **inputs)


def test_shapes_land_where_their_plane_scale_and_loop_say(tmp_path):
    """A post on the right flank at across = -2: 3 m high in a group of half size, moved forward by 1 m and 4 m."""
    group = {"shapes": [{"box": [0, 0, 1, 6], "fill": "white", "out": 0.5}]}
    shape = {"use": "tube", "each": {"x": [1, 4]}, "move": ["x", 0], "scale": 0.5}
    item = {"label": "pole", "faces": [{"plane": "right", "at": -2, "shapes": [shape]}]}
    (tmp_path / "post.json").write_text(json.dumps({"groups": {"tube": group}, "items": [item]}))
    (item,) = Drawn(np.random.default_rng(0), "post", folder=tmp_path).items()
    first, second = (part.points for part in item.faces[0].parts)
    assert first.min(axis=0).tolist() == [1, 0, -2.5] and first.max(axis=0).tolist() == [1.5, 3, -2.5]
    np.testing.assert_array_equal(second - first, np.tile([3, 0, 0], (4, 1)))
    assert item.faces[0].normal.tolist() == [0, 0, -1]


def test_an_object_inside_another_is_turned_with_it(tmp_path):
    """A post 2 m along a row that is turned to head away from the camera stands 2 m farther away."""
    (tmp_path / "post.json").write_text(json.dumps(bad(box=[0, 0, 1, 3])))
    (tmp_path / "row.json").write_text(json.dumps({"items": [{"object": "post", "at": [2, 0], "turn": 0.5}]}))
    (item,) = (
        item.moved(1.0, 5.0, np.pi / 2) for item in Drawn(np.random.default_rng(0), "row", folder=tmp_path).items()
    )
    np.testing.assert_allclose([item.x, item.z, item.heading], [1.0, 7.0, np.pi / 2 + 0.5])
