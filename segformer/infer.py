"""Predicts images and videos, and writes the classes as grey, coloured and overlaid pictures.

python infer.py --config_path=FILE --infer_ckpt_path=FILE --data_path=PICTURES --infer_output_path=FOLDER
"""

from src.config import load
from utils.model_utils.command import run_command


def main() -> None:
    """Reads the configuration, predicts, writes the pictures."""
    config = load(program="infer.py")
    from src.infer import infer  # once the arguments are known to be good: MindSpore takes seconds to import

    infer(config)


if __name__ == "__main__":
    run_command(main, "infer.py")
