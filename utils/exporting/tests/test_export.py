"""Exported files: the same outputs, safe replacement of older ones, sentences for what cannot be written."""

import logging
import stat

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn, ops
from mindspore.train import serialization

from utils.exporting import export as export_module
from utils.exporting.check import compare_outputs, run_model
from utils.exporting.description import TensorDescription
from utils.exporting.export import choose_format, export_network, format_exported, input_shape
from utils.exporting.files import strip_ending
from utils.model_utils.errors import BadStateError, BadValueError

IMAGES = (TensorDescription("images", "float32", (2, 3, 8, 8)),)
ANY_IMAGES = (TensorDescription("images", "float32", (None, 3, 8, 8)),)


class TwoOutputs(nn.Cell):
    def __init__(self, channels=4):
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3, weight_init="normal")
        self.norm = nn.BatchNorm2d(channels)

    def construct(self, images):
        features = ops.relu(self.norm(self.conv(images)))
        return ops.transpose(features, (0, 2, 3, 1)).reshape(images.shape[0], -1, 4), features.mean((2, 3))


class ExactGelu(nn.Cell):
    def construct(self, images):
        return ops.gelu(images, approximate="none")


def exported(tmp_path, file_format="MINDIR", inputs=IMAGES, network=None, name="net"):
    return export_network(
        network or TwoOutputs(), inputs, tmp_path / name, file_format, output_names=("features", "means")
    )


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_mindir_gives_the_networks_outputs(tmp_path):
    network = TwoOutputs()
    model = exported(tmp_path, network=network)
    assert (model.file, model.file_format, model.difference) == (tmp_path / "net.mindir", "MINDIR", 0.0)
    assert model.outputs == (
        TensorDescription("features", "float32", (2, 64, 4)),
        TensorDescription("means", "float32", (2, 4)),
    )
    images = np.random.default_rng(5).normal(size=(2, 3, 8, 8)).astype(np.float32)
    expected = [each.asnumpy() for each in network(ms.Tensor(images))]
    found = run_model(model.file, "MINDIR", [images])
    for pair in zip(found, expected, strict=True):
        np.testing.assert_array_equal(*pair)
    assert names(tmp_path) == ["net.mindir"]


def test_a_dynamic_batch_takes_one_and_several_images(tmp_path):
    network = TwoOutputs()
    model = exported(tmp_path, inputs=ANY_IMAGES, network=network)
    assert model.outputs[0].shape == (None, 64, 4)
    for count in (1, 3):
        images = np.random.default_rng(count).normal(size=(count, 3, 8, 8)).astype(np.float32)
        found = run_model(model.file, "MINDIR", [images])
        expected = [each.asnumpy() for each in network(ms.Tensor(images))]
        assert found[0].shape == (count, 64, 4)
        assert compare_outputs(found, expected) == 0.0


class Scaled(nn.Cell):
    """Fails, as an index would, where the second input is no whole number."""

    def construct(self, images, scales):
        return images * scales.reshape(-1, 1, 1, 1) * ops.equal(scales, ops.floor(scales)).all()


@pytest.mark.parametrize("count", [2, None])
def test_a_second_input_is_compared_on_values_that_make_sense(tmp_path, count):
    images = TensorDescription("images", "float32", (count, 1, 2, 2))
    inputs = (images, TensorDescription("scales", "float32", (count,)))
    asked = []

    def sample(batch_size):
        asked.append(batch_size)
        return [np.ones((batch_size, 1, 2, 2), np.float32), np.arange(1, batch_size + 1, dtype=np.float32)]

    model = export_network(Scaled(), inputs, tmp_path / "net", "MINDIR", output_names=("scaled",), sample=sample)
    assert asked == ([2] if count else [1, 2])
    assert model.outputs == (TensorDescription("scaled", "float32", (count, 1, 2, 2)),)
    found = run_model(model.file, "MINDIR", sample(2))
    assert found[0][:, 0, 0, 0].tolist() == [1.0, 2.0]


def test_an_older_file_is_replaced_and_readable_by_its_owner_and_group(tmp_path):
    first = exported(tmp_path).file.read_bytes()
    (tmp_path / "net.mindir").chmod(0o400)  # as MindSpore leaves it
    model = exported(tmp_path, network=TwoOutputs(8 // 2))
    assert model.file.read_bytes() != first
    assert stat.S_IMODE(model.file.stat().st_mode) & 0o600 == 0o600


def test_other_outputs_are_an_error_and_leave_the_older_file(tmp_path, monkeypatch):
    before = exported(tmp_path).file.read_bytes()
    monkeypatch.setattr(export_module, "compare_outputs", lambda *_: 2e-4)
    with pytest.raises(BadStateError, match=r"0\.0002"):
        exported(tmp_path)
    assert names(tmp_path) == ["net.mindir"]
    assert (tmp_path / "net.mindir").read_bytes() == before


def test_a_split_mindir_works_from_its_place_and_replaces_a_whole_one(tmp_path, monkeypatch):
    exported(tmp_path)
    monkeypatch.setattr(serialization, "TOTAL_SAVE", 0)  # split from the first kilobyte on, as above 1 GiB
    for _ in range(2):
        model = exported(tmp_path)
        assert names(tmp_path) == ["net_graph.mindir", "net_variables"]
        assert model.difference == 0.0
    images = np.ones((2, 3, 8, 8), np.float32)
    assert run_model(model.file, "MINDIR", [images])[0].shape == (2, 64, 4)
    monkeypatch.undo()
    exported(tmp_path)
    assert names(tmp_path) == ["net.mindir"]


def test_onnx_gives_the_networks_outputs(tmp_path):
    pytest.importorskip("onnxruntime")
    model = exported(tmp_path, "ONNX")
    assert model.file == tmp_path / "net.onnx"
    assert model.difference < 1e-5


def test_onnx_without_onnxruntime_is_written_and_said_to_be_unchecked(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    model = exported(tmp_path, "ONNX")
    assert model.difference is None
    assert "onnxruntime is not installed" in caplog.text
    assert "not checked here" in format_exported(model)


def test_onnx_names_the_operator_that_it_cannot_say(tmp_path):
    with pytest.raises(BadValueError, match=r"operator Erf"):
        export_network(ExactGelu(), IMAGES, tmp_path / "net", "ONNX", output_names=("images",))
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("file_format", "device", "chosen"),
    [
        ("auto", "Ascend", "AIR"),
        ("auto", "CPU", "MINDIR"),
        ("auto", "GPU", "MINDIR"),
        ("ONNX", "CPU", "ONNX"),
        ("AIR", "Ascend", "AIR"),
    ],
)
def test_formats(file_format, device, chosen, caplog):
    caplog.set_level(logging.INFO)
    assert choose_format(file_format, device) == chosen
    assert (file_format == "auto") == ("export format auto" in caplog.text)


def test_air_without_ascend_is_a_sentence():
    with pytest.raises(BadValueError, match="AIR is written on Ascend only"):
        choose_format("AIR", "CPU")


@pytest.mark.parametrize(("batch_size", "first"), [(None, None), (0, None), (1, 1), (4, 4)])
def test_the_batch_of_an_input(batch_size, first):
    assert input_shape(batch_size, 3, 32, 64) == (first, 3, 32, 64)


def test_dots_belong_to_a_name_and_its_own_ending_does_not(tmp_path):
    assert strip_ending(tmp_path / "net.b1.1024x1024.city", "MINDIR").name == "net.b1.1024x1024.city"
    assert strip_ending(tmp_path / "net.mindir", "MINDIR").name == "net"
    assert strip_ending(tmp_path / "net.mindir", "ONNX").name == "net.mindir"


def test_a_name_with_spaces_and_other_letters(tmp_path, monkeypatch):
    """MindSpore itself refuses such a path; parameter files of a split MindIR keep the name that its graph knows."""
    assert exported(tmp_path / "a folder", name="mein Netz é'").file.name == "mein Netz é'.mindir"
    monkeypatch.setattr(serialization, "TOTAL_SAVE", 0)
    model = exported(tmp_path / "a folder", name="mein Netz é'")
    assert names(tmp_path / "a folder") == ["mein Netz é'_graph.mindir", "mein_Netz____variables"]
    assert run_model(model.file, "MINDIR", [np.ones((2, 3, 8, 8), np.float32)])[0].shape == (2, 64, 4)


def test_an_unwritable_place_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadStateError, match="cannot be written"):
        exported(tmp_path / "file")


def test_the_difference_is_a_share_of_the_largest_value():
    """|3 - 4| / 4 in the first output, 0 in the second."""
    expected = [np.array([-4.0, 1.0]), np.array([5])]
    assert compare_outputs([np.array([-3.0, 1.0]), np.array([5])], expected) == 0.25
    assert compare_outputs([np.zeros(2)], [np.zeros(2)]) == 0
    assert compare_outputs([np.zeros(3)], [np.zeros(2)]) == np.inf
    assert np.isnan(compare_outputs([np.array([1.0]), np.array([np.nan])], [np.array([1.0]), np.array([1.0])]))
    assert compare_outputs([np.zeros((0, 4))], [np.zeros((0, 4))]) == 0
