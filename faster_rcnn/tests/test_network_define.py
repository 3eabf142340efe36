"""The whole detector at work on tiny images: what its losses are made of, that it repeats, that batches do not mix."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn, ops

from faster_rcnn.src.dataset import ExpandSettings, TrainingSample
from faster_rcnn.src.FasterRcnn.bbox_assign_sample import RpnRule, SamplingRule, assign_and_sample
from faster_rcnn.src.FasterRcnn.bbox_assign_sample_stage2 import RoiSampler
from faster_rcnn.src.FasterRcnn.detection_selector import DetectionRule
from faster_rcnn.src.FasterRcnn.faster_rcnn_res2net import FasterRcnnRes2net
from faster_rcnn.src.FasterRcnn.fpn_neck import FpnNeck
from faster_rcnn.src.FasterRcnn.loss import RcnnLoss, RpnLoss
from faster_rcnn.src.FasterRcnn.proposal_generator import ProposalGenerator
from faster_rcnn.src.FasterRcnn.rcnn import Rcnn
from faster_rcnn.src.FasterRcnn.res2net import Res2Net
from faster_rcnn.src.FasterRcnn.roi_align import RoiExtractor
from faster_rcnn.src.FasterRcnn.rpn import Rpn
from faster_rcnn.src.network_define import FasterRcnnInference, FasterRcnnTraining
from faster_rcnn.src.variants import RCNN_TARGET_STDS, ROI_STRIDES
from utils.detection.anchors import anchors_per_level, make_anchors
from utils.detection.inputs import InputSettings
from utils.detection.layers import NormSettings

HEIGHT, WIDTH, STRIDES, CLASSES, PROPOSALS, SLOTS = 64, 96, (4, 8, 16, 32, 64), 2, 30, 4
ANCHORS = make_anchors(HEIGHT, WIDTH, STRIDES, (4,), (0.5, 1.0, 2.0))
NAMES = FasterRcnnTraining.loss_names


@pytest.fixture(scope="module", autouse=True)
def _graph_mode():
    before = ms.get_context("mode")
    ms.set_context(mode=ms.GRAPH_MODE)
    yield
    ms.set_context(mode=before)


@pytest.fixture(scope="module")
def network(_graph_mode):
    ms.set_seed(3)
    backbone = Res2Net((1, 1, 1, 1), 8, 4, norm=NormSettings("frozen"), frozen_stages=1)
    return FasterRcnnRes2net(backbone, FpnNeck(backbone.out_channels, 8), Rpn(8, 8, 3), Rcnn(8, 7, 16, num_classes=2))


def _proposal_generator():
    counts = anchors_per_level(HEIGHT, WIDTH, STRIDES, 3)
    return ProposalGenerator(ANCHORS, counts, nms_pre=40, max_proposals=PROPOSALS, nms_threshold=0.7, min_size=0.0)


class _Step(nn.Cell):
    """The losses and the gradients of the total by all trained weights."""

    def __init__(self, training):
        super().__init__(auto_prefix=False)
        self.training = training
        self.gradient = ms.value_and_grad(self.losses, None, training.trainable_params(), has_aux=True)

    def losses(self, *inputs):
        losses = self.training(*inputs)
        return losses[0], ops.stack(losses)

    def construct(self, *inputs):
        (_, losses), gradients = self.gradient(*inputs)
        return (losses, *gradients)


@pytest.fixture(scope="module")
def step(network):
    """The function from a batch to the named losses and the gradients by name."""
    training = FasterRcnnTraining(
        network,
        _proposal_generator(),
        RoiSampler(SamplingRule(16, 4, 0.5, 0.5, 0.5, target_stds=RCNN_TARGET_STDS), CLASSES),
        RoiExtractor(ROI_STRIDES, 56, 7, 0),
        RpnLoss(),
        RcnnLoss(CLASSES),
    )
    graph = _Step(training)
    names = [parameter.name for parameter in training.trainable_params()]

    def run(batch):
        losses, *gradients = graph(*(ms.Tensor(values) for values in batch))
        gradients = dict(zip(names, (values.asnumpy() for values in gradients), strict=True))
        return dict(zip(NAMES, losses.asnumpy().tolist(), strict=True)), gradients

    return run


def _batch(boxes, content=(HEIGHT, WIDTH), is_crowd=False):
    """A batch of two images of noise with the same boxes."""
    rng = np.random.default_rng(0)
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    count = len(boxes)
    gt_boxes, gt_labels = np.zeros((2, SLOTS, 4), np.float32), np.full((2, SLOTS), -1, np.int32)
    gt_boxes[:, :count], gt_labels[:, :count] = boxes, np.arange(count) % CLASSES
    crowds = np.full((2, SLOTS), is_crowd) & (gt_labels >= 0)
    samples = [assign_and_sample(ANCHORS, boxes, crowds[0, :count], content, RpnRule(32, 16), rng) for _ in range(2)]
    return (
        rng.normal(size=(2, 3, HEIGHT, WIDTH)).astype(np.float32),
        np.asarray([content] * 2, np.float32),
        gt_boxes,
        gt_labels,
        crowds,
        np.stack([sample.index for sample in samples]),
        np.stack([sample.label for sample in samples]),
        np.stack([sample.deltas for sample in samples]),
        rng.random((2, PROPOSALS + SLOTS), np.float32),
    )


def test_sums_are_those_of_the_parts_and_every_trained_weight_has_a_gradient(step):
    losses, gradients = step(_batch([[4, 4, 40, 36], [50, 10, 90, 60]]))
    assert losses["rpn_loss"] == pytest.approx(losses["rpn_cls_loss"] + losses["rpn_reg_loss"])
    assert losses["rcnn_loss"] == pytest.approx(losses["rcnn_cls_loss"] + losses["rcnn_reg_loss"])
    assert losses["total_loss"] == pytest.approx(losses["rpn_loss"] + losses["rcnn_loss"])
    assert all(losses[name] > 0 for name in NAMES)
    heads = [name for name in gradients if name.startswith(("rpn.", "rcnn."))]
    assert len(heads) == 14
    assert all(gradients[name].any() for name in heads)
    assert not any(name.startswith(("backbone.stem", "backbone.stages.0")) for name in gradients)


def test_a_step_repeats_bit_for_bit(step):
    batch = _batch([[4, 4, 40, 36], [50, 10, 90, 60]])
    losses, gradients = step(batch)
    for _ in range(3):
        again, again_gradients = step(batch)
        assert again == losses
        assert all(np.array_equal(gradients[name], again_gradients[name]) for name in gradients)


@pytest.mark.parametrize(("boxes", "is_crowd"), [([], False), ([[0, 0, 90, 60]], True)])
def test_without_objects_there_are_class_losses_only(step, boxes, is_crowd):
    losses, gradients = step(_batch(boxes, is_crowd=is_crowd))
    assert (losses["rpn_reg_loss"], losses["rcnn_reg_loss"]) == (0, 0)
    assert np.isfinite(list(losses.values())).all()
    assert all(np.isfinite(values).all() for values in gradients.values())
    assert not gradients["rpn.regress.weight"].any()
    assert not gradients["rcnn.regress.weight"].any()


def test_an_image_that_is_all_padding_has_no_loss(step):
    """Nothing is sampled: no anchor lies in a content of nothing, and no proposal."""
    losses, gradients = step(_batch([], content=(0, 0)))
    assert set(losses.values()) == {0}
    assert not any(values.any() for values in gradients.values())


def test_an_image_without_targets_adds_nothing(step):
    """Losses and gradients do not change with the image that is there; they are those of the other image by itself,
    which a batch of it twice has too, with twice the terms over twice the count.
    """
    sample = TrainingSample(
        InputSettings(HEIGHT, WIDTH, (0,) * 3, (1,) * 3, True),
        ExpandSettings(),
        ANCHORS,
        num_gts=SLOTS,
        seed=1,
        rule=RpnRule(32, 16),
        num_priorities=PROPOSALS + SLOTS,
    )
    whole = _batch([[4, 4, 40, 36], [50, 10, 90, 60]])
    with_filler = sample.without_targets(whole, np.asarray([False, True]))
    losses, gradients = step(with_filler)
    other = step((np.concatenate([whole[0][:1], whole[0][1:, :, ::-1] * 2]), *with_filler[1:]))
    assert other[0] == losses
    assert all(np.array_equal(gradients[name], other[1][name]) for name in gradients)
    alone, alone_gradients = step(tuple(values[[0, 0]] for values in whole))
    assert losses == pytest.approx(alone, rel=1e-5)
    for name, values in alone_gradients.items():
        np.testing.assert_allclose(gradients[name], values, rtol=1e-4, atol=1e-6, err_msg=name)
    losses, gradients = step(sample.without_targets(whole, np.asarray([True, True])))
    assert set(losses.values()) == {0}
    assert not any(values.any() for values in gradients.values())


def test_detections_lie_within_the_originals_and_images_of_a_batch_do_not_mix(network):
    """Originals of 96 x 144 and 40 x 60 pixels, the second one enlarged by 1.6 and padded on no side."""
    rule = DetectionRule(min_score=0.01, candidates=60, max_boxes=12)
    inference = FasterRcnnInference(
        network, _proposal_generator(), RoiExtractor(ROI_STRIDES, 56, 7, 0), rule
    ).set_train(False)
    images = np.random.default_rng(5).normal(size=(2, 3, HEIGHT, WIDTH)).astype(np.float32)
    metas = np.asarray([[96, 144, 64 / 96, 64 / 96], [40, 60, 1.6, 1.6]], np.float32)
    boxes, scores, labels = (output.asnumpy() for output in inference(ms.Tensor(images), ms.Tensor(metas)))
    assert (scores > 0).sum() > 4
    for image, (height, width) in enumerate(metas[:, :2]):
        assert (boxes[image] >= 0).all()
        assert (boxes[image, :, 2] <= width).all()
        assert (boxes[image, :, 3] <= height).all()
        assert (np.diff(scores[image]) <= 0).all()
    again = [output.asnumpy() for output in inference(ms.Tensor(images[::-1].copy()), ms.Tensor(metas[::-1].copy()))]
    for one, other in zip((boxes, scores, labels), again, strict=True):
        np.testing.assert_allclose(one, other[::-1], rtol=1e-4, atol=1e-3)
