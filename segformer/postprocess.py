"""Scores the result files of an exported model and prints the IoU of each class and their mean.

python postprocess.py --anno_path=FOLDER [--result_path=./result_Files] [--mindir_path=FILE] [--run_dir=FOLDER]
"""

from src.score import score
from utils.exporting.postprocess_command import read_arguments
from utils.model_utils.command import run_command

PROGRAM = "postprocess.py"


def main() -> None:
    """Reads the arguments, scores what utils/cpp_infer has left."""
    score(read_arguments(PROGRAM, "Scores the result files of an exported network: IoU of each class and their mean."))


if __name__ == "__main__":
    run_command(main, PROGRAM)
