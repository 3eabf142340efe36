"""Where the weights of the detector are applied, by which its multiply-adds are counted."""

from utils.canvas import Size
from utils.training.summary.model_summary import Applied, Part, area, count_parts

from .FasterRcnn.faster_rcnn_res2net import FasterRcnnRes2net

STAGE_STRIDES = (4, 8, 16, 32)  # of the backbone


def count(network: FasterRcnnRes2net, size: Size, strides: tuple[int, ...], num_regions: int) -> tuple[Part, ...]:
    """Counts backbone, neck, RPN and RoI head.

    Args:
        network: the detector.
        size: (height, width) of a picture, multiples of 32.
        strides: of the pyramid's levels.
        num_regions: that the RoI head looks at.
    """
    stages = []
    for stage, stride in enumerate(STAGE_STRIDES):
        before = stride if stage == 0 else stride // 2  # a stage's stride is in its first block, after this convolution
        stages.append(Applied(rf"backbone\.stages\.{stage}\.0\.reduce\.", area(size, before)))
        stages.append(Applied(rf"backbone\.stages\.{stage}\.", area(size, stride)))
    neck = [Applied(rf"neck\.\w+\.{index}\.", area(size, stride)) for index, stride in enumerate(STAGE_STRIDES)]
    rpn = Applied(r"rpn\.", sum(area(size, stride) for stride in strides))
    stem = Applied(r"backbone\.stem\.", area(size, 2))
    return count_parts(network, (stem, *stages, *neck, rpn, Applied(r"rcnn\.", num_regions)))
