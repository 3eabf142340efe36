"""Looks at the data set that a training would read, and says all that is wrong with it in one pass.

python -m utils.tools.data check SUITE [--json=FILE] [--examples=N] [--headers] [--strict] [--key=value]...

Exit codes: 0, no errors; 1, errors, or with --strict warnings; 2, there is nothing to look at, or the arguments are
wrong.
"""

import argparse
import logging
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from utils import images, progress
from utils.api.suites import SUITES, check_suite, open_build, open_config
from utils.checking.findings import ERROR, WARNING, Options, Report
from utils.checking.table import format_report
from utils.installation import console_command
from utils.model_utils.config.base import Config
from utils.model_utils.errors import BadValueError
from utils.model_utils.files import check_writable_folder, json_bytes, write_file
from utils.model_utils.guards.arguments import SentenceParser, whole_number

PROGRAM = "train.py"  # whose keys are taken, with its default configuration
CLEAN, FAULTY = 0, 1
JSON_VERSION = 1
SHOWN_LOGS = (images.__name__, progress.__name__)  # what the readers log is a finding, but for these

# Keys are those of train.py, so that a check is a training's command with another beginning.
DESCRIPTION = "Reads the data set as train.py of a suite would with the same keys, and lists all that is wrong with it."
EPILOG = (
    f"SUITE is one of {', '.join(SUITES)}; --key=value is any key of its train.py, such as --coco_root, --data_path "
    "and --config_path. Exit code 0: no errors; 1: errors, or with --strict warnings; 2: nothing to look at, or wrong "
    "arguments."
)


def main(arguments: Sequence[str]) -> int:
    """Looks at a data set and prints what is wrong with it.

    Args:
        arguments: of the command line, the suite first.

    Returns:
        The exit code.

    Raises:
        UserError: the arguments are wrong, or there is no data set where they say.
    """
    parser = _parser()
    if not arguments or arguments[0] in ("-h", "--help"):
        parser.print_help()
        return CLEAN
    suite, *others = arguments
    check_suite(suite)
    own, keys = parser.parse_known_args([suite, *others])
    target = Path(own.json) if own.json not in (None, "-") else None
    if target is not None:
        if target.is_dir():
            raise BadValueError(f"--json '{target}' is a folder: name a file")
        check_writable_folder(target.absolute().parent, "--json")
    config = open_config(suite).load(keys, PROGRAM)
    with _quiet_readers():
        report = open_build(suite).check_data(config, Options(own.examples, decode=not own.headers))
    _say(report, suite, config, to_stdout=own.json != "-")
    if own.json is not None:
        head = {"version": JSON_VERSION, "suite": suite, "config": config.config_name}
        content = json_bytes(report.as_json(head), indent=2)
        if target is None:
            print(content.decode())
        else:
            write_file(target, content, what="report")
    is_faulty = report.count(ERROR) or (own.strict and report.count(WARNING))
    return FAULTY if is_faulty else CLEAN


def _say(report: Report, suite: str, config: Config, *, to_stdout: bool) -> None:
    width = shutil.get_terminal_size((100, 24)).columns
    title = f"data set of {suite} with {config.config_name}.yaml"
    print(format_report(report, title, width), file=sys.stdout if to_stdout else sys.stderr, flush=True)


@contextmanager
def _quiet_readers() -> Iterator[None]:
    """Lets what the readers log be silent: it is a finding too."""
    root, level = logging.getLogger(), logging.getLogger().level
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.addFilter(lambda record: record.name in SHOWN_LOGS)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def _parser() -> argparse.ArgumentParser:
    parser = SentenceParser(
        prog=console_command("data", "check"),
        usage=f"{console_command('data', 'check')} SUITE [options] [--key=value]...",
        description=DESCRIPTION,
        epilog=EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument("suite", metavar="SUITE", help="suite that would train on it")
    parser.add_argument("--json", metavar="FILE", help="also write all findings as JSON; - for standard output")
    parser.add_argument(
        "--examples",
        type=whole_number(),
        default=3,
        metavar="N",
        help="show at most N examples of a finding; 3 by default",
    )
    parser.add_argument(
        "--headers",
        action="store_true",
        help="read only the headers of pictures: fast, but finds neither truncated nor repeated pictures",
    )
    parser.add_argument("--strict", action="store_true", help="warnings give exit code 1 too")
    return parser
