"""Converted weights give what an independent PyTorch network with MMDetection's and torchvision's names gives."""

import copy
import re

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

torch = pytest.importorskip("torch")

from nas_fpn.src import build  # noqa: E402  (nothing here runs without torch)
from nas_fpn.src.config import load  # noqa: E402
from nas_fpn.src.convert import convert  # noqa: E402
from nas_fpn.src.weight_names import mmdetection_content  # noqa: E402
from nas_fpn.tests import torch_mmdet  # noqa: E402
from nas_fpn.tests.conversion import (  # noqa: E402
    TINY,
    TINY_NETWORK,
    assert_equal_outputs,
    converted,
    loaded,
    relative,
    run_command,
)
from utils.detection.suppression import select_detections  # noqa: E402
from utils.model_utils.errors import UserError  # noqa: E402
from utils.training.checkpoints.checkpoint import load_checkpoint  # noqa: E402
from utils.training.checkpoints.checkpoint_file import write_checkpoint_file  # noqa: E402

pytestmark = pytest.mark.end_to_end


@pytest.fixture(autouse=True)
def _graph_mode():
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    reference = torch_mmdet.randomise(torch_mmdet.Detector(**TINY_NETWORK))
    state = {"meta": {}, "state_dict": reference.state_dict()}
    output, report = converted(tmp_path_factory.mktemp("a detector"), state, *TINY, as_command=True)
    return reference, output, report


def test_a_detector_of_mmdetection_gives_its_features_logits_and_deltas(tiny):
    reference, output, _ = tiny
    _, network = loaded(output, *TINY)
    images = np.random.default_rng(0).standard_normal((2, 3, 128, 256)).astype(np.float32)
    assert_equal_outputs(network, reference, images)


class _Gradients(nn.Cell):
    """Gradients of a fixed weighted sum of the outputs."""

    def __init__(self, network, weights):
        super().__init__(auto_prefix=False)
        self.network, self.weights = network, weights
        self.gradient = ms.grad(self.value, None, network.trainable_params())

    def value(self, images):
        logits, deltas = self.network(images)
        return (logits * self.weights[0]).sum() + (deltas * self.weights[1]).sum()

    def construct(self, images):
        return self.gradient(images)


def test_its_gradients_agree(tiny):
    """Of every parameter, by its MMDetection name; PyTorch computes in float64, so that only our error is seen.

    In training mode; test_network.py has both.
    """
    reference, output, _ = tiny
    config, network = loaded(output, *TINY)
    generator = np.random.default_rng(3)
    images = generator.standard_normal((2, 3, 128, 256)).astype(np.float32)
    double = copy.deepcopy(reference).double().train()
    _, logits, deltas = double(torch.tensor(images).double())
    weights = [generator.standard_normal(tuple(part.shape)).astype(np.float32) for part in (logits, deltas)]
    ((logits * torch.tensor(weights[0])).sum() + (deltas * torch.tensor(weights[1])).sum()).backward()
    expected = {name: value.grad.numpy() for name, value in double.named_parameters()}

    network.set_train(True)
    gradients = _Gradients(network, tuple(map(ms.Tensor, weights)))(ms.Tensor(images))
    sources = sources_of(config)
    for parameter, gradient in zip(network.trainable_params(), gradients, strict=True):
        foreign = sources[parameter.name].names[0]
        assert relative(gradient.asnumpy(), expected[foreign]) < 1e-3, parameter.name


def sources_of(config):
    return mmdetection_content(
        config.resnet_layers, config.nasfpn_stack_times, config.head_stacked_convs, num_classes=1
    ).sources


def test_final_detections_agree(tmp_path):
    """Boxes, scores and labels after decoding, the best of each level, NMS and the limit, against a NMS of its own."""
    reference = torch_mmdet.randomise(torch_mmdet.Detector(**TINY_NETWORK), seed=5)
    with torch.no_grad():  # deltas of a trained head are small
        reference.bbox_head.retina_reg.weight.mul_(0.1), reference.bbox_head.retina_reg.bias.mul_(0.1)
    output, _ = converted(tmp_path, reference.state_dict(), *TINY)
    rules = ("--min_score=0.4", "--nms_pre=150", "--nms_threshold=0.6", "--max_boxes=100")
    config, network = loaded(output, *TINY, *rules)
    images = np.random.default_rng(2).standard_normal((1, 3, 128, 256)).astype(np.float32)
    with torch.no_grad():
        _, logits, deltas = reference(torch.tensor(images))
    expected = torch_mmdet.detect(
        logits[0], deltas[0], size=(128, 256), scale=0.8, score_thr=0.4, nms_pre=150, iou_thr=0.6, max_per_img=100
    )
    boxes, scores = build.build_inference(config, network)(ms.Tensor(images))
    found = select_detections(
        boxes.asnumpy()[0],
        scores.asnumpy()[0],
        build.build_selection_rule(config),
        scales=(0.8, 0.8),
        height=160,
        width=320,
    )
    assert len(found.labels) == 100
    assert len(set(found.labels.tolist())) == 3
    assert found.labels.tolist() == expected[2].tolist()
    np.testing.assert_allclose(found.scores, expected[1].numpy(), rtol=1e-4)
    np.testing.assert_allclose(found.boxes, expected[0].numpy(), atol=1e-4 * 320)


def test_the_report_counts_every_tensor(tiny):
    """Two stacks of seven cells have 14 biases; 2 towers of 2 convolutions on 5 levels repeat 16 of 20."""
    reference, _, report = tiny
    counters = sum(name.endswith("num_batches_tracked") for name in reference.state_dict())
    assert "weights.pth: MMDetection's RetinaNet with NAS-FPN, from its 'state_dict'" in report
    assert "folded: 14 convolution biases" in report
    assert "merged: 16 copies" in report
    assert f"dropped: {counters} tensors: num_batches_tracked" in report
    total = int(re.search(r"in all +([\d,]+)", report)[1].replace(",", ""))
    assert total + 14 + 16 + counters == len(reference.state_dict())
    assert "nothing is permuted" in report


def test_safetensors_and_the_plain_dictionary_give_the_same_file(tiny, tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    reference, output, _ = tiny
    state = reference.state_dict()
    numpy.save_file({name: value.numpy() for name, value in state.items()}, tmp_path / "a.safetensors")
    torch.save(state, tmp_path / "b.pth")
    wanted = ms.load_checkpoint(str(output))
    for name in ("a.safetensors", "b.pth"):
        config = load([f"--ckpt_file={tmp_path / name}", f"--run_dir={tmp_path}", *TINY])
        found = ms.load_checkpoint(str(convert(config)))
        assert set(found) == set(wanted)
        for own in sources_of(load(TINY)):
            assert np.array_equal(found[own].asnumpy(), wanted[own].asnumpy()), own


def refused(folder, state, *arguments):
    """Converts in this process; returns the sentence, and sees to it that nothing was written."""
    torch.save(state, folder / "weights.pth")
    with pytest.raises(UserError) as caught:
        convert(load([f"--ckpt_file={folder / 'weights.pth'}", f"--run_dir={folder}", *TINY, *arguments]))
    assert [path.name for path in folder.iterdir()] == ["weights.pth"]
    return str(caught.value)


def test_what_does_not_fit_is_named_and_counted(tiny, tmp_path):
    """One tensor gone, one too many, one of another shape, one copy that differs: one sentence with all four."""
    state = {name: value.clone() for name, value in tiny[0].state_dict().items()}
    del state["neck.lateral_convs.1.conv.weight"]
    state["neck.lateral_convs.3.conv.weight"] = torch.zeros(2)
    state["bbox_head.retina_reg.bias"] = torch.zeros(24)
    state["bbox_head.reg_convs.4.1.conv.weight"] += 1
    sentence = refused(tmp_path, state)
    assert "1 tensor missing (neck.lateral_convs.1.conv.weight)" in sentence
    assert "1 tensor left over (neck.lateral_convs.3.conv.weight)" in sentence
    assert "bbox_head.retina_reg.bias (24,) instead of (36,)" in sentence
    assert "1 tensor different from the copy" in sentence
    assert "bbox_head.reg_convs.4.1.conv.weight" in sentence


def test_another_number_of_classes_says_the_number(tiny, tmp_path):
    sentence = refused(tmp_path, tiny[0].state_dict(), "--num_classes=80")
    assert "num_classes is 80" in sentence
    assert "--num_classes=3" in sentence


def test_other_attention_cells_are_refused(tiny, tmp_path):
    assert "set --nasfpn_attention=mmdetection" in refused(tmp_path, tiny[0].state_dict(), "--nasfpn_attention=tpu")


def test_another_network_is_refused(tmp_path):
    assert "which are neither a ResNet-50" in refused(tmp_path, {"patch_embed.weight": torch.zeros(2, 2)})
    assert "without NAS-FPN's pyramid" in refused(tmp_path, {"neck.lateral_convs.0.conv.weight": torch.zeros(2, 2)})
    assert "no whole detector" in refused(tmp_path, {"neck.fpn_stages.0.gp_64_4.weight": torch.zeros(2, 2)})
    assert "which are neither a ResNet-50" in refused(tmp_path, in_mindcv_names(without="layer1.0.conv3.weight"))


def in_mindcv_names(without=""):
    """A ResNet as `resnet50` of MindCV names it, with its classifier and what an optimizer left."""
    own = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    arrays = {"moments.conv1.weight": torch.ones(2), "learning_rate": torch.tensor(1.0)}
    for name, value in torch_mmdet.randomise(torch_mmdet.Backbone((1, 2, 1, 1), 8)).state_dict().items():
        layer, part = name.replace("downsample", "down_sample").rsplit(".", 1)
        if part != "num_batches_tracked":
            arrays[f"{layer}.{own[part] if value.dim() == 1 else part}"] = value
    arrays |= {"classifier.weight": torch.ones(10, 4), "classifier.bias": torch.ones(10)}
    return {name: value for name, value in arrays.items() if name != without}


def test_a_resnet_of_mindcv(tmp_path, capsys):
    """The same backbone under MindCV's names, in MindSpore's form."""
    reference = torch_mmdet.randomise(torch_mmdet.Backbone((1, 2, 1, 1), 8))
    output, _ = converted(tmp_path, reference.state_dict(), *TINY)
    wanted = load_checkpoint(output)
    write_checkpoint_file(tmp_path / "a.ckpt", {name: value.numpy() for name, value in in_mindcv_names().items()})
    found = load_checkpoint(convert(load([f"--ckpt_file={tmp_path / 'a.ckpt'}", f"--run_dir={tmp_path / 'b'}", *TINY])))
    report = capsys.readouterr().out
    assert "a ResNet with the names of MindCV" in report
    assert "dropped: 2 tensors: classifier.*" in report
    assert "dropped: 2 tensors: what an optimizer left" in report
    assert "their features are not the same" in report
    assert found.part == wanted.part == "backbone"
    assert set(found.arrays) == set(wanted.arrays)
    for name, values in wanted.arrays.items():
        assert np.array_equal(found.arrays[name], values), name


def test_the_recipe_and_the_number_of_classes_are_the_files(tiny, tmp_path):
    """Thresholds of MMDetection's test_cfg in the place of the page's 0.1 and 0.6; three classes, none given."""
    network = [argument for argument in TINY if not argument.startswith(("--num_classes", "--img_shape"))]
    output, report = converted(tmp_path, tiny[0].state_dict(), *network)
    assert "recipe: sizes and thresholds of retinanet_nasfpn_mmdet.yaml are stored" in report
    assert f"eval.py --coco_root=COCO --checkpoint_path={output})" in report
    config, stored = build.open_checkpoint(load([f"--checkpoint_path={output}"], "eval.py"), output)
    assert config.img_shape == (640, 640)
    assert (config.min_score, config.nms_threshold, config.nms_pre, config.max_boxes) == (0.05, 0.5, 1000, 100)
    assert (config.canvas, config.canvas_sides, config.canvas_divisor) == ("picture", (640, 640), 128)
    _, classes = build.load_detector(config, stored)
    assert (len(classes.names), classes.is_named) == (3, False)


def test_an_existing_output_stays(tiny, tmp_path):
    """The one refusal that goes through the command: code 2, one sentence, the file untouched."""
    torch.save(tiny[0].state_dict(), tmp_path / "weights.pth")
    (tmp_path / "out.ckpt").write_text("mine")
    finished = run_command(f"--ckpt_file={tmp_path / 'weights.pth'}", f"--output={tmp_path / 'out.ckpt'}", *TINY)
    assert finished.returncode == 2
    assert "Traceback" not in finished.stderr
    assert "--overwrite=True" in finished.stderr
    assert (tmp_path / "out.ckpt").read_text() == "mine"
