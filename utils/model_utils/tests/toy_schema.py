"""A small schema for the tests of the loader."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from utils.detection.keys import DetectionDataKeys
from utils.model_utils.config.base import Config, Contradiction, InactiveKey, PathText
from utils.model_utils.config.loading import load_config
from utils.model_utils.config.schema import ModelArtsKeys, TrainingKeys, with_default


class ToyKeys(Config):
    GROUP = "Toy"
    sizes: tuple[Annotated[int, Field(ge=1)], ...] = Field((8, 16), description="sizes of things; pixels")
    ratio: float | None = Field(None, ge=0, le=1, description="a share")
    low: int = Field(1, description="lower end")
    high: int = Field(9, description="upper end")
    match_threshold: float = Field(0.5, gt=0, le=1, description="IoU")
    checkpoint_path: PathText = Field("", description="weights")
    name: str = Field("toy", min_length=1, description="a name")

    @classmethod
    def inactive_keys(cls):
        return super().inactive_keys() | {
            "num_sizes": InactiveKey("is the number of sizes", lambda config: len(config.sizes)),
            "mode": InactiveKey("nothing reads it"),
        }

    def contradictions(self) -> Iterator[Contradiction]:
        yield from super().contradictions()
        if self.low > self.high:
            yield Contradiction(("low", "high"), f"low {self.low} is above high {self.high}: exchange them")


class ToyConfig(ToyKeys, ModelArtsKeys, TrainingKeys, DetectionDataKeys):
    batch_size: int = with_default(TrainingKeys, "batch_size", 7)


def load(suite: Path, *arguments: str, yaml: str | None = None) -> ToyConfig:
    """Loads arguments, and a YAML file with the text `yaml` where it is given."""
    if yaml is not None:
        (suite / "default.yaml").write_text(yaml)
    return load_config(
        ToyConfig, arguments, suite_dir=suite, default_file="default.yaml", program="toy.py", description="Plays."
    )
