"""Trains Faster R-CNN with Res2Net and a feature pyramid.

python train.py --config_path=FILE --coco_root=FOLDER --run_dir=FOLDER
"""

from src.config import load
from utils.launch.self_start import start_or_join
from utils.model_utils.command import run_command


def main() -> None:
    """Reads the configuration and trains."""
    config = load(program="train.py")
    start_or_join(config, __file__)
    from src.train import train  # once the arguments are known to be good: MindSpore takes seconds to import

    train(config)


if __name__ == "__main__":
    run_command(main, "train.py")
