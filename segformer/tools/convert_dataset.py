"""Makes the labels that SegFormer trains on: *_gtFine_labelIds.png to *_gtFine_labelTrainIds.png.

python tools/convert_dataset.py data/cityscapes --nproc 8

Where there is no such file, *_gtFine_polygons.json is drawn. What is finished is skipped, so that the command can be
interrupted and given again.
"""

import argparse
import sys
from pathlib import Path

SUITE = Path(__file__).resolve().parent.parent
DEFAULT_DATA = SUITE / "data" / "cityscapes"


def main() -> None:
    """Reads the command line and converts."""
    parser = argparse.ArgumentParser(
        prog="convert_dataset.py", description=__doc__.partition("\n\n")[0], allow_abbrev=False
    )
    parser.add_argument(
        "data",
        type=Path,
        nargs="?",
        default=DEFAULT_DATA,
        metavar="DATA",
        help="folder that holds gtFine (default: data/cityscapes in the folder segformer)",
    )
    parser.add_argument("--nproc", type=int, default=8, help="processes, at most one per core (default: 8)")
    parser.add_argument(
        "--polygons",
        action="store_true",
        help="draw the polygons even if there are labelIds; the two differ in 0.3 to 0.6 percent of the pixels",
    )
    from utils.model_utils.guards.pixel_limit import add_limit_argument, set_most_megapixels

    add_limit_argument(parser)
    arguments = parser.parse_args()
    set_most_megapixels(arguments.max_image_megapixels)
    from src.labels.conversion import convert_labels, format_report  # once the arguments are known to be good
    from utils.training.record.logging_setup import set_up_logging

    set_up_logging()
    report = convert_labels(arguments.data, arguments.nproc, prefers_polygons=arguments.polygons)
    print(format_report(report))
    report.check()


if __name__ == "__main__":
    sys.path.insert(0, str(SUITE))
    import src  # noqa: F401  (finds utils)
    from utils.model_utils.command import run_command

    run_command(main, "convert_dataset.py")
