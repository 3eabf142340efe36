"""The JSON beside a model: what is written comes back, and what is broken gets a sentence."""

import json

import pytest

from utils.exporting.description import (
    ModelDescription,
    Preprocessing,
    TensorDescription,
    read_description,
    write_description,
)
from utils.exporting.files import export_folder, put_in_place
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError


def description(file="net.b0.mindir", file_format="MINDIR"):
    return ModelDescription(
        suite="tiny",
        file=file,
        file_format=file_format,
        inputs=(TensorDescription("images", "float32", (None, 3, 32, 64)),),
        outputs=(TensorDescription("boxes", "float32", (None, 7, 4)), TensorDescription("labels", "int32", (None, 7))),
        preprocessing=Preprocessing("RGB", "keep_ratio", 32, 64, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), "bottom_right"),
        class_names=("Straße", "sky"),
        category_ids=(3, 7),
        postprocessing={
            "min_score": 0.05,
            "max_boxes": 100,
            "anchors_per_level": [4, 2, 1],
            "class_min_scores": [0.5, 0.25],
        },
    )


def test_what_is_written_comes_back(tmp_path):
    path = write_description(tmp_path, description())
    assert path == tmp_path / "net.b0.json"
    assert read_description(tmp_path / "net.b0.mindir") == description()
    assert [file.name for file in tmp_path.iterdir()] == ["net.b0.json"]


def test_the_file_is_plain_json_with_null_for_any_number_of_images(tmp_path):
    values = json.loads(write_description(tmp_path, description()).read_text(encoding="utf-8"))
    assert values["inputs"] == [{"name": "images", "dtype": "float32", "shape": [None, 3, 32, 64]}]
    assert values["preprocessing"] == {
        "channel_order": "RGB",
        "resize": "keep_ratio",
        "height": 32,
        "width": 64,
        "mean": [1.0, 2.0, 3.0],
        "std": [4.0, 5.0, 6.0],
        "padding": "bottom_right",
        "padding_value": 0.0,
        "rounding": "half_even",
    }
    assert (values["class_names"], values["category_ids"]) == (["Straße", "sky"], [3, 7])
    assert values["format_version"] == 1


def test_a_split_mindir_has_its_description_under_the_plain_name(tmp_path):
    path = write_description(tmp_path, description("net_graph.mindir"))
    assert path.name == "net.json"
    assert read_description(tmp_path / "net_graph.mindir").file == "net_graph.mindir"


def test_the_description_of_another_file_is_refused(tmp_path):
    write_description(tmp_path, description("net.onnx", "ONNX"))
    with pytest.raises(BadValueError, match=r"describes 'net\.onnx'"):
        read_description(tmp_path / "net.mindir")


@pytest.fixture
def put(tmp_path):
    """Puts a model file in place as an export does, and its description after it."""

    def put(name, file_format):
        with export_folder(tmp_path / "net") as folder:
            (folder / name).write_bytes(file_format.encode())
            file = put_in_place(folder, tmp_path / "net", file_format)
        return write_description(tmp_path, description(file.name, file_format))

    return put


def test_a_second_format_of_one_name_leaves_the_first_its_description(tmp_path, put, caplog):
    """MindIR, then ONNX, then MindIR again: each can be read at each time."""
    caplog.set_level("INFO")
    put("net.mindir", "MINDIR")
    assert not caplog.messages
    assert put("net.onnx", "ONNX").name == "net.json"
    assert caplog.messages == [f"{tmp_path / 'net.mindir'} is described in net.mindir.json from now on"]
    assert read_description(tmp_path / "net.mindir") == description("net.mindir")
    assert read_description(tmp_path / "net.onnx") == description("net.onnx", "ONNX")
    put("net.mindir", "MINDIR")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.json", "net.mindir", "net.onnx", "net.onnx.json"]
    assert read_description(tmp_path / "net.mindir").file == "net.mindir"
    assert read_description(tmp_path / "net.onnx").file == "net.onnx"


def test_of_a_whole_and_a_split_mindir_the_last_one_stays_with_one_description(tmp_path, put):
    put("net_graph.mindir", "MINDIR")
    put("net.mindir", "MINDIR")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.json", "net.mindir"]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"file": "../net.mindir"}', b'{"file": "gone.mindir"}', b"\xff"])
def test_a_json_that_describes_no_file_here_is_replaced(tmp_path, put, content):
    (tmp_path / "net.json").write_bytes(content)
    put("net.onnx", "ONNX")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.json", "net.onnx"]


def test_a_missing_description_is_named(tmp_path):
    with pytest.raises(MissingPathError, match=r"net\.json"):
        read_description(tmp_path / "net.mindir")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda values: values.pop("format_version"), "is no description"),
        (lambda values: values.update(format_version=2), "layout 2"),
        (lambda values: values.pop("suite"), "suite"),
        (lambda values: values.update(colour="red"), "colour"),
        (lambda values: values["inputs"][0].pop("shape"), "shape"),
        (lambda values: values["outputs"][0].update(dtype="1_0"), "the type '1_0' and shape .*, which no model has"),
        (lambda values: values["outputs"][0].update(dtype="\ud800"), "which no model has"),
        (lambda values: values["outputs"][0].update(shape=[1, None]), r"shape \[1, None\], which no model has"),
        (lambda values: values["outputs"][0].update(shape=[1, 10**400]), r"shape \[1, 10+\.\.\., which no model has"),
    ],
)
def test_a_broken_description_is_a_sentence(tmp_path, change, sentence):
    path = write_description(tmp_path, description())
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    with pytest.raises(BadValueError, match=sentence):
        read_description(tmp_path / "net.b0.mindir")


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe"])
def test_what_is_no_json_is_a_sentence(tmp_path, content):
    (tmp_path / "net.json").write_bytes(content)
    with pytest.raises(BadValueError, match="export the model again"):
        read_description(tmp_path / "net.mindir")


def test_an_unwritable_place_is_a_sentence(tmp_path):
    (tmp_path / "net.b0.json").mkdir()
    with pytest.raises(BadStateError, match=r"net\.b0\.json"):
        write_description(tmp_path, description())
