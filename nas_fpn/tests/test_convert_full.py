"""Files of the published size: MMDetection's whole detector, torchvision's ResNet-50, and the TPU configuration."""

import mindspore as ms
import numpy as np
import pytest

from nas_fpn.src import build
from nas_fpn.src.config import load
from nas_fpn.src.nasfpn import AttentionMerge

pytestmark = pytest.mark.end_to_end
SIZE = "--img_shape=[128,128]"


@pytest.fixture(autouse=True)
def _graph_mode():
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.mark.long_run
def test_the_full_detector(tmp_path):
    """retinanet_r50_nasfpn with 80 classes: every tensor finds its place and the outputs agree at 128 x 128."""
    torch = pytest.importorskip("torch")
    from nas_fpn.tests import conversion, torch_mmdet

    reference = torch_mmdet.randomise(torch_mmdet.Detector())
    output, report = conversion.converted(tmp_path, reference.state_dict(), SIZE)
    assert "folded: 49 convolution biases" in report
    assert "classes: 80" in report
    _, network = conversion.loaded(output, SIZE)
    images = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0)).numpy()
    conversion.assert_equal_outputs(network, reference, images)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    pytest.importorskip("torch")
    from nas_fpn.tests import conversion, torch_mmdet

    reference = torch_mmdet.randomise(torch_mmdet.Backbone(classifier=True))
    return reference, *conversion.converted(tmp_path_factory.mktemp("backbone"), reference.state_dict(), SIZE)


def test_a_resnet_of_torchvision_gives_its_features(backbone):
    import torch

    from nas_fpn.tests.conversion import relative
    from utils.training.checkpoints.checkpoint import load_checkpoint

    reference, output, report = backbone
    assert "a ResNet with the names of torchvision and timm" in report
    assert "dropped: 2 tensors: fc.*" in report
    config = load([SIZE, f"--pre_trained={output}"])
    network = build.build_network(config, 2)
    build.load_pretrained(
        config, network, load_checkpoint(output), ["a", "b"]
    )  # neck and head may be missing without being named
    images = np.random.default_rng(4).standard_normal((1, 3, 128, 128)).astype(np.float32)
    with torch.no_grad():
        expected = reference(torch.tensor(images))
    for value, wanted in zip(network.backbone.set_train(False)(ms.Tensor(images)), expected, strict=True):
        assert relative(value.asnumpy(), wanted.numpy()) < 1e-4


def test_a_backbone_is_no_detector(backbone):
    from nas_fpn.tests.conversion import loaded

    with pytest.raises(ValueError, match="holds the backbone alone"):
        loaded(backbone[1], SIZE)


def test_the_tpu_configuration_has_the_published_count():
    """60,195,479: 91 class outputs for COCO's 80 classes; the 11 others give no scores."""
    config = load(["--config_path=retinanet_nasfpn_tpu.yaml", SIZE])
    network = build.build_network(config, config.num_classes)
    assert sum(item.size for item in network.get_parameters() if "moving" not in item.name) == 60_195_479
    inference = build.build_inference(config, network)
    assert (network.head.num_classes, inference.num_classes) == (91, 80)


def test_attention_by_hand():
    """Finer feature 1, 3 (mean 2), coarser 2, 0 (maximum 2): sigmoid(2) = 0.880797 weighs the other one."""
    finer, coarser = (ms.Tensor(np.float32(values).reshape(1, 1, 1, 2)) for values in ([1, 3], [2, 0]))
    mean_of_finer = AttentionMerge("mmdetection")(finer, coarser).asnumpy().ravel()
    max_of_coarser = AttentionMerge("tpu")(finer, coarser).asnumpy().ravel()
    np.testing.assert_allclose(mean_of_finer, [1 + 2 * 0.880797, 3], rtol=1e-5)
    np.testing.assert_allclose(max_of_coarser, [2 + 0.880797, 3 * 0.880797], rtol=1e-5)
