"""The training loss of a converted detector and its gradients are those of an independent PyTorch Faster R-CNN."""

import copy

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

torch = pytest.importorskip("torch")

from faster_rcnn.src import build  # noqa: E402  (nothing here runs without torch)
from faster_rcnn.src.FasterRcnn.bbox_assign_sample import assign_and_sample  # noqa: E402
from faster_rcnn.src.weight_names import detector_sources  # noqa: E402
from faster_rcnn.tests import conversion, torch_mmdet  # noqa: E402
from faster_rcnn.tests.conversion import NUM_CLASSES, TINY, loaded, noise, relative  # noqa: E402
from utils.randomness import generator  # noqa: E402

pytestmark = pytest.mark.end_to_end


@pytest.fixture(autouse=True)
def _graph_mode():
    ms.set_context(mode=ms.GRAPH_MODE)


class _Recorder(nn.Cell):
    """The sampler, which leaves its last sample in parameters for the host."""

    def __init__(self, sampler, batch):
        super().__init__(auto_prefix=False)
        self.sampler = sampler
        shape = (batch, sampler.num_samples)
        self.rois = ms.Parameter(ms.ops.zeros((*shape, 4)), name="sampled_rois", requires_grad=False)
        self.labels = ms.Parameter(ms.ops.zeros(shape, ms.int32), name="sampled_labels", requires_grad=False)
        self.targets = ms.Parameter(ms.ops.zeros((*shape, 4)), name="sampled_targets", requires_grad=False)

    def construct(self, *inputs):
        rois, labels, targets = self.sampler(*inputs)
        ms.ops.assign(self.rois, rois)
        ms.ops.assign(self.labels, labels)
        ms.ops.assign(self.targets, targets)
        return rois, labels, targets


class _Gradients(nn.Cell):
    """The losses and the gradient of the whole one."""

    def __init__(self, with_loss, weights):
        super().__init__(auto_prefix=False)
        self.with_loss = with_loss
        self.gradient = ms.value_and_grad(self.losses, None, weights, has_aux=True)

    def losses(self, *batch):
        losses = self.with_loss(*batch)
        return losses[0], losses

    def construct(self, *batch):
        (_, losses), gradients = self.gradient(*batch)
        return losses, gradients


def training_batch(config):
    """Two images, the second with padding; two boxes, a crowd and an empty slot in the first, one box in the second."""
    content = np.float32([[128, 192], [96, 160]])
    boxes = np.float32(
        [
            [[10, 20, 60, 80], [90, 30, 180, 120], [0, 0, 40, 40], [0, 0, 0, 0]],
            [[30, 10, 130, 70], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
        ]
    )
    labels = np.int32([[0, 2, 1, -1], [1, -1, -1, -1]])
    is_crowd = np.array([[False, False, True, False], [False] * 4])
    rule, anchors = build.build_rpn_rule(config), build.build_anchors(config)
    samples = [
        assign_and_sample(
            anchors, boxes[image][real], is_crowd[image][real], tuple(content[image]), rule, generator(0, 1, image)
        )
        for image, real in enumerate(labels >= 0)
    ]
    rpn = [np.stack([getattr(sample, name) for sample in samples]) for name in ("index", "label", "deltas")]
    priority = np.random.default_rng(2).random((2, config.rpn_proposal_max_num + 4)).astype(np.float32)
    return noise(), content, boxes, labels, is_crowd, *rpn, priority


def test_gradients_of_the_whole_training_loss(tmp_path):
    """Of every parameter, by its MMDetection name; PyTorch computes in float64, so that only our error is seen.

    Statistics are frozen; test_network.py compares the dense part with trained ones too.
    """
    reference, checkpoint = conversion.converted_detector(tmp_path)
    config, network = loaded(
        checkpoint,
        *TINY,
        "--frozen_stages=0",
        "--rpn_proposal_nms_pre=200",
        "--rpn_proposal_max_num=150",
        "--num_expected_neg_stage2=40",
        "--num_expected_pos_stage2=10",
        "--rpn_reg_loss=smooth_l1",  # that of the formulation; converted weights say l1
        "--rcnn_reg_loss=smooth_l1",
    )
    batch = training_batch(config)
    with_loss = build.build_train_step(config, network, NUM_CLASSES, "O0").network.set_train()
    weights = ms.ParameterTuple(network.trainable_params())
    inputs = [ms.Tensor(value) for value in batch]
    recorder = with_loss.sampler = _Recorder(with_loss.sampler, len(batch[0]))
    losses, gradients = _Gradients(with_loss, weights)(*inputs)

    rois, labels, targets = (
        torch.tensor(value.asnumpy()) for value in (recorder.rois, recorder.labels, recorder.targets)
    )
    assert (labels >= 0).all()
    assert (labels < NUM_CLASSES).any(1).all()
    double = copy.deepcopy(reference).double()
    index, label, deltas = (torch.tensor(value) for value in batch[5:8])
    expected = torch_mmdet.losses(
        double,
        torch.tensor(batch[0]).double(),
        (index.long(), label, deltas.double()),
        (rois.double(), labels.long(), targets.double()),
    )
    expected["total_loss"].backward()
    for name, value in zip(with_loss.loss_names, losses, strict=True):
        np.testing.assert_allclose(value.asnumpy(), expected[name].item(), rtol=1e-4)
    named, sources = dict(double.named_parameters()), detector_sources(config.layers)
    assert len(weights) == len(named)
    for parameter, gradient in zip(weights, gradients, strict=True):
        foreign = named[sources[parameter.name].names[0]]
        assert relative(gradient.asnumpy(), foreign.grad.numpy()) < 1e-3, parameter.name
