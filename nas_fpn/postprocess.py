"""Scores the result files of an exported model and prints the COCO metrics.

python postprocess.py --anno_path=FILE [--result_path=./result_Files] [--mindir_path=FILE] [--run_dir=FOLDER]
"""

from src.score import score
from utils.exporting.postprocess_command import read_arguments
from utils.model_utils.command import run_command

PROGRAM = "postprocess.py"


def main() -> None:
    """Reads the arguments, scores what utils/cpp_infer has left."""
    score(read_arguments(PROGRAM, "Scores the result files of an exported model: COCO metrics."))


if __name__ == "__main__":
    run_command(main, PROGRAM)
