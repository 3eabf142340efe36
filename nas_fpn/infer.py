"""Detects in pictures and videos, and draws what was found.

python infer.py --config_path=FILE --image_path=PICTURES --checkpoint_path=FILE --infer_output_path=FOLDER
"""

from src.config import load
from utils.model_utils.command import run_command


def main() -> None:
    """Reads the configuration, detects, writes pictures, videos and detections."""
    config = load(program="infer.py")
    from src.infer import infer  # once the arguments are known to be good: MindSpore takes seconds to import

    infer(config)


if __name__ == "__main__":
    run_command(main, "infer.py")
