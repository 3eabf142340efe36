"""A file of the published size: MMDetection's Faster R-CNN with Res2Net-50 and 80 classes."""

import mindspore as ms
import numpy as np
import pytest

pytestmark = pytest.mark.end_to_end
SIZE = ("--img_height=128", "--img_width=160")


@pytest.mark.long_run
def test_the_full_detector(tmp_path):
    """Every tensor finds its place, the number of weights is the published one, and the outputs agree at 128 x 160."""
    torch = pytest.importorskip("torch")
    from faster_rcnn.src.config import load
    from faster_rcnn.src.convert import convert
    from faster_rcnn.tests import conversion
    from faster_rcnn.tests.torch_reference import ReferenceNetwork, randomise
    from utils.detection.annotations.coco_names import COCO_CLASSES
    from utils.training.checkpoints.checkpoint import load_checkpoint

    ms.set_context(mode=ms.GRAPH_MODE)
    reference = randomise(ReferenceNetwork()).eval()
    torch.save(reference.state_dict(), tmp_path / "weights.pth")
    output = convert(load([f"--ckpt_file={tmp_path / 'weights.pth'}", f"--run_dir={tmp_path}", *SIZE]))
    (tmp_path / "weights.pth").unlink()
    assert load_checkpoint(output, "faster_rcnn").class_names == COCO_CLASSES
    config, network = conversion.loaded(output, *SIZE)
    assert sum(item.size for item in network.get_parameters() if "moving" not in item.name) == 41_914_376
    images = torch.randn(1, 3, 128, 160, generator=torch.Generator().manual_seed(0)).numpy()
    rois = np.float32([[[0, 0, 160, 128], [20, 30, 70, 90], [5.5, 40.25, 12, 46], [100, 0, 159, 127]]])
    conversion.assert_equal_stages(config, network, reference, images, rois)
