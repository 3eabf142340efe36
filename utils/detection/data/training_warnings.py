"""What the log of a detector's training warns of before its first step."""

import logging

from utils.detection.data.mindrecord_info import MindRecordInfo, describe_cut_boxes

logger = logging.getLogger(__name__)


def warn_of_random_weights(frozen_stages: int, has_frozen_norms: bool) -> None:
    """Says which keys are meant for weights that are pretrained, where there are none.

    Args:
        frozen_stages: the key of this name.
        has_frozen_norms: whether the key `norm_statistics` is frozen.
    """
    if frozen_stages > 0:
        logger.warning(
            "frozen_stages is %d without pre_trained: what is frozen keeps random weights; set "
            "--pre_trained, or --frozen_stages=0",
            frozen_stages,
        )
    if has_frozen_norms:
        logger.warning(
            "norm_statistics is frozen without pre_trained: nothing is normalised; set --pre_trained, or "
            "--norm_statistics=trained"
        )


def warn_of_cut_boxes(records: MindRecordInfo, num_gts: int) -> None:
    """Says how many images lose boxes to `num_gts`, where any do."""
    cut = describe_cut_boxes(records.box_counts, num_gts)
    if cut:
        logger.warning("%s", cut)
