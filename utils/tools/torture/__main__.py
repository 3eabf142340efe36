"""Tries to lose a small training of a suite, and says how often it was lost.

python -m utils.tools.torture SUITE|all [--minutes 10] [--tries N] [--kinds KIND,...] [--seed 1] [--output FILE]
python -m utils.tools.torture SUITE|all --soak
"""

import argparse
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from utils.installation import work_folder
from utils.model_utils.command import run_command
from utils.model_utils.errors import BadStateError, BadValueError, os_errors_as, short
from utils.model_utils.files import check_writable_folder
from utils.model_utils.guards.numbers import is_whole_number, number_or_nan
from utils.tools.torture import full_disk, kills, soak, two_runs, worker_deaths
from utils.tools.torture.bench import MOST_HURTS, Bench, Try, taken_folder
from utils.tools.torture.report import facts_of_this_run, line_of, table_of, write_figures, write_report
from utils.tools.torture.small_suites import ALL, DATA_NAME, SUITES, SmallSuite, chosen_suites, draw_data
from utils.tools.torture.watched import StuckError

KINDS: dict[str, Callable[[Bench], Try]] = {
    kills.KIND: kills.try_kills,
    full_disk.KIND: full_disk.try_full_disk,
    two_runs.KIND: two_runs.try_two_runs,
    worker_deaths.KIND: worker_deaths.try_worker_deaths,
    kills.LONG_KIND: kills.try_long_training,
}
# How often a kind is drawn once each was tried: a kill is soon made and has many moments, two runs take long.
WEIGHTS = {kills.KIND: 4, full_disk.KIND: 3, two_runs.KIND: 1, worker_deaths.KIND: 3}
ALONE = {kills.LONG_KIND: 1}  # made where --kinds names it only
PICTURES = (6, 3)  # of training and of evaluation: three steps of two
RUNS = work_folder() / "runs" / "torture"
EXIT_LOST = 1


def main() -> int:
    """Reads the command line; returns 1 where something was lost."""
    arguments = _parser().parse_args()
    suites = chosen_suites(arguments.suite)
    kinds = _chosen_kinds(arguments.kinds, suites)
    work = (arguments.work or RUNS).absolute()
    output = arguments.output or work / f"{arguments.suite}{'-soak' * arguments.soak}.json"
    facts = facts_of_this_run(suite=arguments.suite, seed=arguments.seed)
    with os_errors_as(BadStateError, f"'{work}' cannot be used", "; choose another folder with --work"):
        work.mkdir(parents=True, exist_ok=True)
    check_writable_folder(output.absolute().parent, "--output")
    if arguments.soak:
        return _soak(suites, work, output, facts, arguments)
    return _torture(suites, kinds, work, output, facts, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m utils.tools.torture", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("suite", metavar="SUITE", help=f"one of {', '.join(SUITES)}, or {ALL}")
    parser.add_argument(
        "--minutes",
        type=_minutes,
        default=10.0,
        help="until so many are over new tries begin, at least one (default: 10)",
    )
    parser.add_argument("--tries", type=_count, metavar="N", help="tries of each suite at most")
    parser.add_argument(
        "--hurts", type=_count, default=MOST_HURTS, help=f"of one training at most (default: {MOST_HURTS})"
    )
    parser.add_argument(
        "--kinds", help=f"some of: {', '.join(KINDS)}; with commas between them (default: all but the last)"
    )
    parser.add_argument("--epochs", type=_count, default=1000, help=f"of a {kills.LONG_KIND} (default: 1000)")
    parser.add_argument(
        "--seed", type=int, default=1, help="another one draws other moments in another order (default: 1)"
    )
    parser.add_argument(
        "--soak",
        action="store_true",
        help="one long training whose memory, files, threads and children are watched",
    )
    parser.add_argument("--steps", type=_count, default=soak.STEPS, help=f"of a soak (default: {soak.STEPS})")
    parser.add_argument(
        "--images", type=_count, default=soak.IMAGES, help=f"that a soak evaluates (default: {soak.IMAGES})"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="JSON file with every try (default: in the folder of --work)"
    )
    parser.add_argument(
        "--work",
        type=Path,
        metavar="FOLDER",
        help="of the trainings; what was lost stays there (default: runs/torture)",
    )
    return parser


def _count(text: str) -> int:
    """Returns a number of things.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not (is_whole_number(text) and len(text) <= 9 and int(text)):
        raise argparse.ArgumentTypeError(f"{short(text)} is not a whole number from 1 to 999999999")
    return int(text)


def _minutes(text: str) -> float:
    """Returns a time that lets at least one try begin.

    Raises:
        ArgumentTypeError: it is none.
    """
    minutes = number_or_nan(text)
    if not minutes > 0:
        raise argparse.ArgumentTypeError(f"{short(text)} is not a number of minutes above 0")
    return minutes


def _chosen_kinds(text: str | None, suites: Sequence[SmallSuite]) -> list[str]:
    """Returns the kinds that are asked for.

    Raises:
        BadValueError: there is no such kind, or none that can be tried, so that nothing would be said to have survived.
    """
    names = list(WEIGHTS) if text is None else [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in KINDS]
    if unknown:
        raise BadValueError(f"--kinds names '{unknown[0]}', wanted some of: {', '.join(KINDS)}")
    if not any(_possible(names, suite) for suite in suites):
        raise BadValueError(
            f"'{two_runs.KIND}' needs MindRecord files, of which {suites[0].name} has none: add another to --kinds"
        )
    return names


def _possible(kinds: Sequence[str], suite: SmallSuite) -> list[str]:
    return [kind for kind in kinds if kind != two_runs.KIND or suite.records]


def _torture(
    suites: list[SmallSuite],
    kinds: list[str],
    work: Path,
    output: Path,
    facts: dict[str, object],
    arguments: argparse.Namespace,
) -> int:
    """Makes tries of each suite in turn until the time is over; shows what they came to, also where it is stopped."""
    began, tries = time.monotonic(), []
    try:
        limit = began + 60 * arguments.minutes
        by_suite = [_tries_of(suite, kinds, work, limit, arguments) for suite in suites]
        for tried in _in_turn(by_suite):
            tries.append(tried)
            print(line_of(tried), flush=True)
            write_report(output, tries, facts)
    finally:
        print(f"\n{table_of(tries)}\n\n{len(tries)} tries in {time.monotonic() - began:.0f} s: {output}", flush=True)
    return EXIT_LOST if any(tried.lost for tried in tries) else 0


def _in_turn(sources: list[Iterator[Try]]) -> Iterator[Try]:
    """Yields one of each source, again and again, until all have ended."""
    while sources:
        for source in list(sources):
            if (tried := next(source, None)) is None:
                sources.remove(source)
            else:
                yield tried


def _tries_of(
    suite: SmallSuite, kinds: list[str], work: Path, limit: float, arguments: argparse.Namespace
) -> Iterator[Try]:
    """Yields the tries of a suite as they end; the folder of one that was lost stays."""
    draws = random.Random(f"{arguments.seed} {suite.name}")
    possible = _possible(kinds, suite)
    with taken_folder(work / f"{suite.name}-tries") as folder:
        draw_data(folder / DATA_NAME, [suite], *PICTURES)
        bench, made = Bench(suite, folder, draws, arguments.hurts, arguments.epochs), 0
        queue = draws.sample(possible, len(possible))
        while possible and (not made or time.monotonic() < limit) and made != arguments.tries:
            kind = queue.pop() if queue else draws.choices(possible, [(WEIGHTS | ALONE)[name] for name in possible])[0]
            began = time.monotonic()
            try:
                tried = KINDS[kind](bench)
            except StuckError as error:
                tried = bench.stuck_try(kind, error)
            tried.seconds = round(time.monotonic() - began, 1)
            made += 1
            if not tried.lost:
                bench.remove(tried)
            yield tried


def _soak(
    suites: list[SmallSuite], work: Path, output: Path, facts: dict[str, object], arguments: argparse.Namespace
) -> int:
    """Makes a long training of each suite; shows and writes its figures."""
    found: dict[str, dict[str, object]] = {}
    for suite in suites:
        with taken_folder(work / f"{suite.name}-soak") as here:
            draw_data(here / DATA_NAME, [suite], *soak.pictures(arguments.steps, arguments.images))
            samples = soak.run_soak(suite, here, here / "log")
        found[suite.name] = soak.judge(samples, arguments.steps)
        print(f"{suite.name}: {soak.line_of(found[suite.name])}", flush=True)
        write_figures(output, {**facts, "steps": arguments.steps, "images": arguments.images, "soak": found})
    return EXIT_LOST if any(figures["lost"] for figures in found.values()) else 0


if __name__ == "__main__":
    run_command(main, "torture")
