"""Evaluates a checkpoint on every image of the evaluation split and prints the COCO metrics.

python eval.py --config_path=FILE --coco_root=FOLDER --checkpoint_path=FILE
"""

from src.config import load
from utils.model_utils.command import run_command


def main() -> None:
    """Reads the configuration, builds the detector, evaluates, writes what was found."""
    config = load(program="eval.py")
    from src.evaluate import evaluate  # once the arguments are known to be good: MindSpore takes seconds to import

    evaluate(config)


if __name__ == "__main__":
    run_command(main, "eval.py")
