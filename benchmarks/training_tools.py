"""What the tools in training give a detector: mAP, AP50 and processor seconds beside the same training without them.

    python benchmarks/training_tools.py SUITE --data=FOLDER [--config=custom] [--seeds 1 2 3] [--tools=NAME,...]
        [-- --key=value...]

For each seed the suite's train.py runs once as config/CONFIG.yaml has it, in the row `none`, and once with each tool,
one after the other; the last evaluation of a run counts. The gain is that of a run over `none` of the same seed. Means
and standard deviations are over the seeds. What follows `--` goes to all runs.
"""

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # this folder has files with the names of suites

from benchmarks.defaults import METRICS, SECONDS, Row, parse_trainings, train
from benchmarks.scaling import DATA_FLAGS
from benchmarks.test_time import PLAIN, chosen_tools, spread
from utils.model_utils.command import run_command

TOOLS: Mapping[str, Sequence[str]] = {
    PLAIN: (),
    "repeat_threshold": ("--repeat_threshold=1",),  # small sets have no rarer classes: these are not in every picture
    "large_scale_jitter": ("--scale_range=[0.1,2.0]",),
    "mild_scale_jitter": ("--scale_range=[0.5,1.5]",),
    "copy_paste": ("--copy_paste=0.5",),
}
DETECTORS = tuple(suite for suite in sorted(DATA_FLAGS) if "AP50" in METRICS[suite])


def main() -> None:
    """Reads the command line, trains and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", choices=DETECTORS)
    parser.add_argument("--tools", default=",".join(TOOLS), help=f"some of {', '.join(TOOLS)}, with commas (all)")
    arguments, keys = parse_trainings(parser)
    tools = chosen_tools(arguments.tools, TOOLS)
    rows: dict[str, list[Row]] = {tool: [] for tool in tools}
    for seed in arguments.seeds:
        for tool in tools:
            rows[tool].append(train(ROOT, arguments.suite, arguments.config, [*keys, f"--seed={seed}", *TOOLS[tool]]))
            print(f"seed {seed}, {tool}: {rows[tool][-1]}", file=sys.stderr, flush=True)
    print(format_table(rows))


def format_table(rows: Mapping[str, Sequence[Row]]) -> str:
    """Returns a table of Markdown, a row for each tool."""
    lines = ["| tool | mAP | gain of mAP | AP50 | gain of AP50 | processor seconds |", "|---|---|---|---|---|---|"]
    for tool, found in rows.items():
        cells = []
        for metric in ("mAP", "AP50"):
            values, plain = ([row[metric] for row in each] for each in (found, rows[PLAIN]))
            gains = [one - other for one, other in zip(values, plain, strict=True)]
            cells += [spread(values), spread(gains, "+.4f") if tool != PLAIN else ""]
        cells.append(f"{statistics.fmean(row[SECONDS] for row in found):.0f}")
        lines.append(f"| {tool} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    run_command(main, "training_tools.py")  # SIGTERM too ends what it has started
