"""The commands that train on a converted data set."""

import math
from collections.abc import Sequence
from pathlib import Path

from utils.forms.content import DataSet
from utils.forms.writers.cityscapes import CLASS_NAMES
from utils.installation import ROOT
from utils.models.conversion import shown_command

DETECTORS, SEGMENTER = ("nas_fpn", "faster_rcnn"), "segformer"
CONFIG = Path("config", "custom.yaml")  # of each suite, for data of one's own
BATCH, EPOCHS = 2, 12  # of SegFormer's, whose rate rises for 100 steps
FEWEST_STEPS = 200


def next_commands(target: str, out: Path, data: DataSet) -> list[str]:
    """Returns a line that says what comes next, and the commands, as they are typed where the conversion was."""
    place = str(out.absolute())
    has_val = any(picture.split == "val" for picture in data.pictures)
    rest = [] if has_val else ["--run_eval=False"]
    if target == "coco":
        words = {suite: [f"--coco_root={place}", *rest] for suite in DETECTORS}
    else:
        names = f"--class_names={Path(place, CLASS_NAMES)}"
        words = {SEGMENTER: [f"--data_path={place}", names, *_epochs(data), *rest]}
    title = "train on it with one of:" if len(words) > 1 else "train on it with:"
    run = Path("runs", out.absolute().name)
    return [title, *(f"  {_command(suite, [*each, f'--run_dir={run / suite}'])}" for suite, each in words.items())]


def _epochs(data: DataSet) -> list[str]:
    """Returns more epochs for few pictures: those of the configuration would end before the rate has risen."""
    steps = max(1, sum(picture.split == "train" for picture in data.pictures) // BATCH)
    return [] if steps * EPOCHS >= FEWEST_STEPS else [f"--epoch_size={math.ceil(FEWEST_STEPS / steps)}"]


def _command(suite: str, words: Sequence[str]) -> str:
    folder = ROOT / suite
    return shown_command([str(folder / "train.py"), f"--config_path={folder / CONFIG}", *words])
