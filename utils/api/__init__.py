"""Models to use from Python: `load` a checkpoint or an exported model, `train` and `evaluate` by the suites' commands.

    from utils.api import load

    model = load("best.ckpt")
    result = model("photo.jpg")
    result.save("found.jpg")

Import it before MindSpore computes anything: it sets a variable that is read once, by the first convolution or matrix
product. Importing it takes no time; MindSpore is imported by `load`.
"""

from utils.api.commands import Evaluation, Training, evaluate, train
from utils.api.loading import load

__all__ = ["Evaluation", "Training", "evaluate", "load", "train"]
