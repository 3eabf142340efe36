"""The keys that say which images of one set are kept for evaluation, for every suite. No MindSpore import."""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from utils.model_utils.config.base import Config, Contradiction

VAL_SHARE = ("val_share", "val_seed", "val_group_by_stem")


class ValShareKeys(Config):
    """Which images of a data set without splits are kept for evaluation; see `ValShare`."""

    GROUP: ClassVar[str] = "Data"
    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = VAL_SHARE
    val_share: float = Field(
        0.0, ge=0, lt=1, description="share of the images that is kept for evaluation, chosen by their names; 0: none"
    )
    val_seed: int = Field(0, ge=0, description="seed of val_share: another number keeps other images for evaluation")
    val_group_by_stem: bool = Field(
        False,
        description="val_share keeps images together whose names differ only in the last number, such as the frames "
        "of a video: clip_000123.jpg and clip_000124.jpg",
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields the keys that choose among images where none are kept."""
        yield from super().contradictions()
        for key in VAL_SHARE[1:] if not self.val_share else ():
            if getattr(self, key):
                yield Contradiction(
                    (key, "val_share"),
                    f"{key} chooses the images that val_share keeps for evaluation, and val_share is 0: set "
                    f"val_share, or leave {key} out",
                )
