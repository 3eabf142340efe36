"""The rewritten ONNX computes what the network computes, in whole operators, for any number of images."""

from collections import Counter

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn, ops

from utils.exporting import export as export_module
from utils.exporting.check import compare_outputs, run_model, run_network
from utils.exporting.description import TensorDescription
from utils.exporting.export import export_network
from utils.exporting.onnx_form import OnnxForm
from utils.exporting.onnx_operators import GeluWithoutErf
from utils.model_utils.errors import BadValueError

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
rewriting = pytest.importorskip("utils.exporting.onnx_rewriting")

ANY_IMAGES = (TensorDescription("images", "float32", (None, 3, 8, 12)),)


class Everything(nn.Cell):
    """Has each of the forms that are rewritten: layer norm, GELU, a weight that is computed, a border, reshapes."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, pad_mode="pad", padding=1, has_bias=True, weight_init="normal")
        self.batch_norm = nn.BatchNorm2d(16)
        self.norm = nn.LayerNorm((16,), epsilon=1e-3)
        self.gelu = GeluWithoutErf()
        self.linear = ms.Parameter(ms.Tensor(np.random.default_rng(1).normal(size=(16, 4, 2)), ms.float32), name="w")

    def construct(self, images):
        features = self.batch_norm(self.conv(images))
        border = ops.fill(ms.float32, (images.shape[0], 16, 1, 12), -1.0)
        features = ops.concat((border, features), 2)
        batch, channels, rows, columns = features.shape
        tokens = features.reshape(batch, channels, rows * columns).transpose(0, 2, 1)
        tokens = self.gelu(self.norm(tokens))
        out = ops.matmul(tokens.reshape(-1, channels), self.linear.reshape(16, 8))
        return out.reshape(batch, rows, columns, 8), tokens.reshape(batch, -1, 4)


@pytest.fixture()
def network():
    """Made anew: MindSpore 2.10 exports no Cell a second time whose convolutions have a bias."""
    ms.set_seed(0)
    made = Everything()
    made.norm.gamma.set_data(ms.Tensor(np.linspace(0.5, 2, 16), ms.float32))
    return made


def export(network, folder, opset=17, inputs=ANY_IMAGES):
    names = ("pixels", "tokens")
    return export_network(network, inputs, folder / "net", "ONNX", output_names=names, onnx=OnnxForm(opset))


def operators(file):
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    return model, Counter(node.op_type for node in model.graph.node)


def images(count):
    return np.random.default_rng(count).normal(size=(count, 3, 8, 12)).astype(np.float32)


@pytest.mark.parametrize("opset", [17, 11])
def test_operators_are_whole_and_any_number_of_images_is_taken(network, tmp_path, opset):
    model = export(network, tmp_path, opset)
    assert model.difference < 1e-6
    assert [each.shape for each in model.outputs] == [(None, 9, 12, 8), (None, 432, 4)]
    read, count = operators(model.file)
    assert [(each.domain, each.version) for each in read.opset_import] == [("", opset)]
    assert count["Erf"] == 1
    assert count["Pad"] == 1
    absent = ("Cast", "Constant", "ReduceSumSquare", "Exp", "Abs", "Concat", "BatchNormalization")
    assert not any(count[name] for name in absent)
    assert (count["LayerNormalization"], count["ReduceMean"]) == ((1, 0) if opset == 17 else (0, 2))
    for number in (1, 3):
        found = run_model(model.file, "ONNX", [images(number)])
        assert found[0].shape == (number, 9, 12, 8)
        assert compare_outputs(found, run_network(network, [images(number)])) < 1e-6


def test_a_fixed_number_of_images_stays_fixed(network, tmp_path):
    inputs = (TensorDescription("images", "float32", (2, 3, 8, 12)),)
    model = export(network, tmp_path, inputs=inputs)
    read, _ = operators(model.file)
    assert [axis.dim_value for axis in read.graph.input[0].type.tensor_type.shape.dim] == [2, 3, 8, 12]
    assert compare_outputs(run_model(model.file, "ONNX", [images(2)]), run_network(network, [images(2)])) < 1e-6


def normalised_over(axis, divisor, folder):
    """Writes the pieces of a layer norm, over an axis of float32[2, 4, 6]."""
    constants = {"size": divisor, "epsilon": 1e-5}
    weights = {name: np.full(6, value, np.float32) for name, value in (("gamma", 2), ("beta", 1))}
    nodes = [
        onnx.helper.make_node("ReduceMean", ["x"], ["mean"], axes=[axis]),
        onnx.helper.make_node("Sub", ["x", "mean"], ["centred"]),
        onnx.helper.make_node("ReduceSumSquare", ["centred"], ["squares"], axes=[axis]),
        onnx.helper.make_node("Div", ["squares", "size"], ["variance"]),
        onnx.helper.make_node("Add", ["variance", "epsilon"], ["more"]),
        onnx.helper.make_node("Sqrt", ["more"], ["deviation"]),
        onnx.helper.make_node("Div", ["centred", "deviation"], ["scaled"]),
        onnx.helper.make_node("Mul", ["scaled", "gamma"], ["times"]),
        onnx.helper.make_node("Add", ["times", "beta"], ["y"]),
    ]
    stored = [onnx.numpy_helper.from_array(np.float32(value), name) for name, value in constants.items()]
    stored += [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()]
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (2, 4, 6)) for name in "xy")
    graph = onnx.helper.make_graph(nodes, "pieces", [x], [y], stored)
    file = folder / "pieces.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 11)], ir_version=6), file)
    return file


@pytest.mark.parametrize(("axis", "divisor", "is_norm"), [(2, 6, True), (-1, 6, True), (1, 4, False), (2, 5, False)])
def test_only_means_over_the_last_axis_become_layer_norms(tmp_path, axis, divisor, is_norm):
    file = normalised_over(axis, divisor, tmp_path)
    x = np.random.default_rng(3).normal(size=(2, 4, 6)).astype(np.float32)
    (expected,) = run_model(file, "ONNX", [x])
    rewriting.rewrite_onnx(file, OnnxForm(), any_batch=False)
    _, count = operators(file)
    assert count["LayerNormalization"] == is_norm
    np.testing.assert_allclose(run_model(file, "ONNX", [x])[0], expected, atol=2e-6)


def test_without_the_packages_the_file_is_mindspores_and_one_line_says_so(network, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(export_module, "can_rewrite", lambda: False)
    caplog.set_level("INFO")
    with pytest.raises(BadValueError, match=r"fixed number of images.*`pip install onnx==\S+ onnxscript==\S+ ml_dty"):
        export(network, tmp_path)
    model = export(network, tmp_path, inputs=(TensorDescription("images", "float32", (1, 3, 8, 12)),))
    read = onnx.load(model.file)
    assert read.opset_import[0].version == 11
    assert sum(node.op_type == "Cast" for node in read.graph.node) > 3
    assert [message for message in caplog.messages if "as MindSpore writes it" in message] == [
        "the ONNX file is as MindSpore writes it, with opset 11 and operators in pieces; `pip install onnx==1.23.2 "
        "onnxscript==0.7.2 ml_dtypes==0.5.4` lets export.py rewrite it for engines"
    ]
