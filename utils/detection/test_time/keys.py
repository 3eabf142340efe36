"""The keys of what both detectors may do at test time. No MindSpore import."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from utils.model_utils.config.base import COMMAND_LINE, Config

SUPPRESSION = ("nms_method", "soft_nms_sigma", "soft_nms_min_score", "nms_across_classes")
MIRRORING = ("flip_test", "flip_merge")
KEYS = (*MIRRORING, *SUPPRESSION, "only_classes")


class TestTimeKeys(Config):
    """Ways to more, or to other, detections of the same weights; none changes a training step."""

    GROUP: ClassVar[str] = "Detections at test time"
    OWN_TO_A_COMMAND: ClassVar[tuple[str, ...]] = ("only_classes",)
    flip_test: bool = Field(
        False, description="also run the network on the mirrored picture and merge the boxes; takes twice the time"
    )
    flip_merge: Literal["nms", "mean"] = Field(
        "nms",
        description="with flip_test: nms, the boxes of both pass one suppression; mean, each passes a hard one, "
        "overlapping boxes of both are averaged, weighted by score, and a box that only one of them has gets half its "
        "score",
    )
    nms_method: Literal["hard", "soft_linear", "soft_gaussian"] = Field(
        "hard",
        description="hard drops the lower of two boxes that overlap; soft_linear and soft_gaussian lower its score by "
        "the overlap instead (Soft-NMS)",
    )
    soft_nms_sigma: float = Field(
        0.5,
        gt=0,
        description="with soft_gaussian: scores are multiplied by exp(-IoU^2 / sigma), so a smaller value lowers them "
        "more",
    )
    soft_nms_min_score: float | None = Field(
        None,
        ge=0,
        le=1,
        description="with the soft methods: boxes whose lowered score is not above this are dropped; null: the lowest "
        "score of all boxes",
    )
    nms_across_classes: bool = Field(
        False, description="boxes of different classes suppress each other too, so that an object keeps one class"
    )
    only_classes: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="names of the classes to detect; an evaluation counts only these; null: all classes of the weights",
    )

    def idle_tools(self) -> Iterator[str]:
        """Yields a sentence for each key of the command line that another one leaves without effect."""
        averages = self.flip_test and self.flip_merge == "mean"
        method, only_nms = ("hard", "flip_merge is nms") if averages else (self.nms_method, "")
        idle = {
            "flip_merge": ("flip_test is true", self.flip_test),
            "nms_method": (only_nms, method == self.nms_method),
            "soft_nms_sigma": (only_nms or "nms_method is soft_gaussian", method == "soft_gaussian"),
            "soft_nms_min_score": (only_nms or "nms_method is soft_linear or soft_gaussian", method != "hard"),
        }
        for key, (condition, holds) in idle.items():
            if not holds and self.origin(key).where == COMMAND_LINE:
                yield f"{key} has no effect here, it acts only if {condition}"


def keys_at_test_time(config: Config) -> TestTimeKeys:
    """Returns a detector's configuration as the keys of this file, which it has among others."""
    assert isinstance(config, TestTimeKeys), "a detector has the keys of what it may do at test time"
    return config
