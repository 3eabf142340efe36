"""Makes a checkpoint of this suite from weights of PyTorch: the first release, MMSegmentation or transformers.

python tools/convert_model.py --pt_model_path=./pretrained/mit_b0.pth --ms_model_path=./pretrained/ms_pretrained_b0.ckpt
"""

import argparse
import sys
from pathlib import Path

SUITE = Path(__file__).resolve().parent.parent


def main() -> None:
    """Reads the command line, converts and prints what became of every tensor."""
    parser = argparse.ArgumentParser(
        prog="convert_model.py", description=__doc__.partition("\n\n")[0], allow_abbrev=False
    )
    parser.add_argument(
        "--pt_model_path",
        type=Path,
        required=True,
        metavar="PATH",
        help=".pth, .bin or .safetensors file, or a folder that save_pretrained of transformers wrote",
    )
    parser.add_argument("--ms_model_path", type=Path, required=True, metavar="FILE", help="checkpoint to write (.ckpt)")
    parser.add_argument("--backbone_only", action="store_true", help="take the encoder alone and leave the head out")
    parser.add_argument(
        "--ema", action="store_true", help="take the weights that were averaged over the steps where the file has both"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the checkpoint where it is there")
    arguments = parser.parse_args()
    from src.convert_model import convert  # once the arguments are known to be good: MindSpore takes seconds to import

    print(
        convert(
            arguments.pt_model_path,
            arguments.ms_model_path,
            backbone_only=arguments.backbone_only,
            averaged=arguments.ema,
            overwrite=arguments.overwrite,
        )
    )


if __name__ == "__main__":
    sys.path.insert(0, str(SUITE))
    import src  # noqa: F401  (finds utils)
    from utils.model_utils.command import run_command

    run_command(main, "convert_model.py")
