"""Exports a checkpoint as MindIR, AIR or ONNX, checks the file and describes it in a JSON beside it.

python export.py --ckpt_file=FILE --file_name=NAME --file_format=MINDIR --config_path=FILE
"""

from src.config import load
from utils.model_utils.command import run_command


def main() -> None:
    """Reads the configuration, exports, checks."""
    config = load(program="export.py")
    from src.export import export  # once the arguments are known to be good: MindSpore takes seconds to import

    export(config)


if __name__ == "__main__":
    run_command(main, "export.py")
