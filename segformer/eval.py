"""Evaluates a checkpoint on every image of the evaluation split and prints the IoU of each class.

python eval.py --config_path=FILE --eval_ckpt_path=FILE --data_path=FOLDER
"""

from src.config import load
from utils.model_utils.command import run_command


def main() -> None:
    """Reads the configuration, builds the network, evaluates, writes what was found."""
    config = load(program="eval.py")
    from src.evaluate import evaluate  # once the arguments are known to be good: MindSpore takes seconds to import

    evaluate(config)


if __name__ == "__main__":
    run_command(main, "eval.py")
