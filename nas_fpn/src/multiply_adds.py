"""Where the weights of the detector are applied, by which its multiply-adds are counted."""

from utils.canvas import Size
from utils.training.summary.model_summary import Applied, Part, area, count_parts

from .nasfpn import NAS_FPN_CELLS
from .retinanet_nasfpn import RetinaNetNasFpn
from .variants import STRIDES

STAGE_STRIDES = (4, 8, 16, 32)  # of the backbone


def count(network: RetinaNetNasFpn, size: Size) -> tuple[Part, ...]:
    """Counts backbone, neck and head for a picture of (height, width) `size`, multiples of 128."""
    stages = []
    for stage, stride in enumerate(STAGE_STRIDES):
        before = stride if stage == 0 else stride // 2  # a stage's stride is in its first block, after this convolution
        stages.append(Applied(rf"backbone\.stages\.{stage}\.0\.reduce\.", area(size, before)))
        stages.append(Applied(rf"backbone\.stages\.{stage}\.", area(size, stride)))
    laterals = [Applied(rf"neck\.laterals\.{index}\.", area(size, STRIDES[index])) for index in range(3)]
    # P6 and P7 are pooled after their convolutions, which see the level before.
    coarser = [Applied(rf"neck\.downsamples\.{index}\.", area(size, STRIDES[index + 2])) for index in range(2)]
    cells = [
        Applied(rf"neck\.stacks\.\d+\.merges\.{index}\.", area(size, 2 ** row[0]))
        for index, row in enumerate(NAS_FPN_CELLS)
    ]
    head = Applied(r"head\.", sum(area(size, stride) for stride in STRIDES))
    stem = Applied(r"backbone\.stem\.", area(size, 2))
    return count_parts(network, (stem, *stages, *laterals, *coarser, *cells, head))
