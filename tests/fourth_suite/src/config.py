"""Every key of this suite."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from utils.model_utils.config.loading import load_config
from utils.model_utils.config.schema import TrainingKeys

SUITE_DIR = Path(__file__).resolve().parent.parent


class HalvesConfig(TrainingKeys):
    """The keys of every training, and this suite's own."""

    GROUP = "Network and data"
    channels: int = Field(4, ge=1, description="channels of the convolution")
    num_images: int = Field(32, ge=1, description="pictures that are drawn")


def load(argv: Sequence[str] | None = None, program: str = "train.py") -> HalvesConfig:
    """Builds the configuration of a command of this suite."""
    return load_config(
        HalvesConfig,
        argv,
        suite_dir=SUITE_DIR,
        default_file="default_config.yaml",
        program=program,
        description="Trains a network to see which half of a picture is the brighter one.",
    )
