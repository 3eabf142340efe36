"""Makes a checkpoint of this suite from weights of timm, Res2Net, MindSpore's Res2Net or MMDetection.

python convert_checkpoint.py --ckpt_file=FILE [--output=FILE.ckpt]
"""

from src.config import load
from utils.model_utils.command import run_command


def main() -> None:
    """Reads the configuration, converts, says what became of every tensor."""
    config = load(program="convert_checkpoint.py")
    from src.convert import convert  # once the arguments are known to be good: MindSpore takes seconds to import

    convert(config)


if __name__ == "__main__":
    run_command(main, "convert_checkpoint.py")
