"""The commands that train on a converted data set."""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path

from utils.forms.content import DataSet
from utils.installation import ROOT
from utils.models.conversion import shown_command

DETECTORS, SEGMENTER = ("nas_fpn", "faster_rcnn"), "segformer"
CONFIG = Path("config", "custom.yaml")  # of each suite, for data of one's own
BATCH, EPOCHS = 2, 12  # of SegFormer's, whose rate rises for 100 steps
FEWEST_STEPS = 200
_PLAIN_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NO_WORDS = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")  # YAML takes them for something else


def next_commands(target: str, out: Path, data: DataSet) -> list[str]:
    """Returns a line that says what comes next, and the commands, as they are typed where the conversion was."""
    place = str(out.absolute())
    has_val = any(picture.split == "val" for picture in data.pictures)
    rest = [] if has_val else ["--run_eval=False"]
    if target == "coco":
        words = {suite: [f"--coco_root={place}", *rest] for suite in DETECTORS}
    else:
        names = f"--class_names=[{', '.join(map(_yaml_word, data.class_names))}]"
        words = {
            SEGMENTER: [f"--data_path={place}", f"--class_num={len(data.class_names)}", names, *_epochs(data), *rest]
        }
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


def _yaml_word(name: str) -> str:
    is_plain = _PLAIN_WORD.fullmatch(name) is not None and name.lower() not in _NO_WORDS
    return name if is_plain else json.dumps(name, ensure_ascii=False)
