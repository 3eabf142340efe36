"""Lists, shows and gets weights that others have published, as checkpoints of the suites.

python -m utils.tools.models list [WORD]
python -m utils.tools.models show NAME
python -m utils.tools.models get NAME [--file PATH] [--folder FOLDER] [--overwrite]
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from utils.installation import console_command
from utils.model_utils.command import run_command
from utils.model_utils.errors import BadValueError
from utils.model_utils.guards.arguments import SentenceParser
from utils.models.listing import list_lines, show_lines
from utils.models.table import TABLE, find_model, read_table

FOLDER = Path("weights")


def main(arguments: Sequence[str] | None = None, table: Path = TABLE) -> None:
    """Does what the command line asks for.

    Args:
        arguments: of the command line; None for those of the process.
        table: of the published weights.

    Raises:
        UserError: the entry is not there, or cannot be had.
    """
    parsed = _parser().parse_args(arguments)
    models = read_table(table)
    if parsed.action == "list":
        found = [
            model
            for model in models.values()
            if parsed.word.lower() in f"{model.suite} {model.name} {model.title}".lower()
        ]
        if not found:
            raise BadValueError(
                f"no published weights have '{parsed.word}' in name, title or suite: leave it out for all"
            )
        print("\n".join(list_lines(found)))
        return
    model = find_model(parsed.name, models)
    if parsed.action == "show":
        print("\n".join(show_lines(model)))
        return
    from utils.models.fetching import get  # what talks to the network is not needed for a list

    get(model, parsed.folder, parsed.file, parsed.overwrite)


def _parser() -> argparse.ArgumentParser:
    parser = SentenceParser(
        prog=console_command("models"),
        description="Published weights that the converters here read: where they lie, their terms, and as checkpoints.",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser(
        "list", help="all of them, or those with WORD in name, title or suite", allow_abbrev=False
    )
    listing.add_argument(
        "word", nargs="?", default="", metavar="WORD", help="e.g. segformer, backbone names, cityscapes"
    )
    showing = actions.add_parser("show", help="all that is known of one", allow_abbrev=False)
    getting = actions.add_parser("get", help="download, check and convert one", allow_abbrev=False)
    for each in (showing, getting):
        each.add_argument("name", metavar="NAME", help="as `list` has it")
    getting.add_argument(
        "--file", type=Path, metavar="PATH", help="the file, or the folder of several, where it is there already"
    )
    getting.add_argument(
        "--folder",
        type=Path,
        default=FOLDER,
        metavar="FOLDER",
        help=f"takes the checkpoint, NAME.ckpt, and the downloaded files, in NAME/; '{FOLDER}' by default",
    )
    getting.add_argument("--overwrite", action="store_true", help="replace the checkpoint where it is there")
    return parser


if __name__ == "__main__":
    run_command(main, "models")
