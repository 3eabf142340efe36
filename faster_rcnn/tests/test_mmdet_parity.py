"""A converted detector gives what an independent PyTorch Faster R-CNN gives, from features to detections."""

import copy

import mindspore as ms
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from faster_rcnn.src import build  # noqa: E402  (nothing here runs without torch)
from faster_rcnn.src.config import load  # noqa: E402
from faster_rcnn.src.convert import convert  # noqa: E402
from faster_rcnn.src.stored_network import with_stored_network  # noqa: E402
from faster_rcnn.tests import conversion, torch_mmdet  # noqa: E402
from faster_rcnn.tests.conversion import (  # noqa: E402
    NUM_CLASSES,
    SIZE,
    TINY,
    TINY_NETWORK,
    assert_equal_stages,
    loaded,
    noise,
    relative,
)
from faster_rcnn.tests.torch_reference import Backbone, randomise  # noqa: E402
from utils.training.checkpoints.checkpoint import load_checkpoint  # noqa: E402

pytestmark = pytest.mark.end_to_end


@pytest.fixture(autouse=True)
def _graph_mode():
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return conversion.converted_detector(tmp_path_factory.mktemp("detector"))


def test_features_rpn_outputs_roi_features_and_head_outputs(tiny):
    """RoIs of half a pixel to the whole image, at its border too."""
    reference, checkpoint = tiny
    config, network = loaded(checkpoint, *TINY)
    draw = np.random.default_rng(1)
    corner = draw.uniform(0, 1, (2, 12, 2)) * (190, 126)
    corner[:, -1] = 0
    rois = np.concatenate([corner, np.minimum(corner + np.geomspace(0.5, 500, 12)[:, None], SIZE[::-1])], 2)
    assert_equal_stages(config, network, reference, noise(), rois.astype(np.float32))


def test_final_detections(tiny):
    """Proposals, classes, boxes in pixels of originals of 160 x 240 and 120 x 200, the second padded in the input."""
    reference, checkpoint = tiny
    config, network = loaded(
        checkpoint,
        *TINY,
        "--rpn_nms_pre=200",
        "--rpn_max_num=150",
        "--rpn_nms_thr=0.6",
        "--test_score_thr=0.2",
        "--test_iou_thr=0.4",
        "--test_max_per_img=40",
    )
    metas = np.float32([[160, 240, 0.8, 0.8], [120, 200, 0.8, 0.8]])
    found = [value.asnumpy() for value in build.build_inference(config, network)(ms.Tensor(noise()), ms.Tensor(metas))]
    with torch.no_grad():
        expected = torch_mmdet.detect(
            copy.deepcopy(reference).double(),
            torch.tensor(noise()).double(),
            [SIZE, (96, 160)],
            0.8,
            nms_pre=200,
            max_proposals=150,
            rpn_threshold=0.6,
            score_threshold=0.2,
            threshold=0.4,
            max_boxes=40,
        )
    for image, (boxes, scores, labels) in enumerate(expected):
        assert len(labels) > 20
        assert len(set(labels.tolist())) == NUM_CLASSES
        assert found[2][image][: len(labels)].tolist() == labels.tolist()
        np.testing.assert_allclose(found[1][image][: len(labels)], scores.numpy(), rtol=1e-4)
        np.testing.assert_allclose(found[0][image][: len(labels)], boxes.numpy(), atol=1e-4 * 240)
        assert not found[1][image][len(labels) :].any()


def test_a_backbone_of_timm_gives_its_features(tmp_path):
    """With the pool in stage 1 that the checkpoint stores; the rest of the detector may be missing."""
    reference = randomise(
        Backbone(TINY_NETWORK["layers"], TINY_NETWORK["width"], TINY_NETWORK["base_width"], 4, stage1_pool=True), 3
    ).eval()
    torch.save(conversion.in_timm_names(reference), tmp_path / "weights.pth")
    output = convert(load([f"--ckpt_file={tmp_path / 'weights.pth'}", f"--run_dir={tmp_path}", *TINY]))
    config = load([*TINY, f"--pre_trained={output}"])
    checkpoint = load_checkpoint(output)
    config = with_stored_network(config, checkpoint)
    assert config.res2net_stage1_pool is True
    network = build.build_network(config, 2)
    build.load_pretrained(config, network, checkpoint, ["a", "b"])
    with torch.no_grad():
        expected = reference(torch.tensor(noise(1)))
    for value, wanted in zip(network.backbone.set_train(False)(ms.Tensor(noise(1))), expected, strict=True):
        assert relative(value.asnumpy(), wanted.numpy()) < 1e-4


def test_a_backbone_is_no_detector(tmp_path):
    reference = conversion.reference_detector()
    torch.save(conversion.in_timm_names(reference.backbone), tmp_path / "weights.pth")
    output = convert(load([f"--ckpt_file={tmp_path / 'weights.pth'}", f"--run_dir={tmp_path}", *TINY]))
    with pytest.raises(ValueError, match="holds the backbone alone|rcnn.classify"):
        loaded(output, *TINY)
