"""Models to use from Python: `load` a checkpoint or an exported model, `train` and `evaluate` by the suites' commands.

    from utils.api import load

    model = load("best.ckpt")
    result = model("photo.jpg")
    result.save("found.jpg")

Import it before `mindspore`, or at least before anything else has imported that: it sets a variable that MindSpore
reads once. Importing it takes no time; MindSpore is imported by `load`.
"""

from utils.api.commands import Evaluation, Training, evaluate, train
from utils.api.loading import load

__all__ = ["Evaluation", "Training", "evaluate", "load", "train"]
