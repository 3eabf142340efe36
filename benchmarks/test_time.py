"""What the tools at test time give: mAP, AP50 and seconds per picture of trained detectors, each with and without.

    python benchmarks/test_time.py CHECKPOINT... --coco_root=DATA [--tools=flip_mean,soft_gaussian] [--key=value...]

The checkpoints are of one suite, for example of three seeds of one training. Each is evaluated with each tool on the
same pictures, in one process, as eval.py does; keys are those of eval.py. `none` is plain suppression, whatever tools
the configuration of the checkpoint has. Means and standard deviations are over the checkpoints; the gain is that of
each checkpoint over itself without a tool, which is steadier than the values. Seconds are those in the network and in
the selection, without reading pictures and compiling.
"""

import argparse
import importlib
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)  # this folder has files with the names of suites

from utils.api.files.opening import suite_of
from utils.model_utils.command import run_command
from utils.model_utils.errors import BadValueError, unknown_word
from utils.training.record.logging_setup import set_up_logging

PLAIN = "none"
TOOLS: Mapping[str, Mapping[str, object]] = {
    PLAIN: {
        "flip_test": False,
        "flip_merge": "nms",
        "nms_method": "hard",
        "nms_across_classes": False,
        "soft_nms_min_score": None,
    },
    "flip_nms": {"flip_test": True},
    "flip_mean": {"flip_test": True, "flip_merge": "mean"},
    "soft_linear": {"nms_method": "soft_linear"},
    "soft_gaussian": {"nms_method": "soft_gaussian"},
    "soft_gaussian_low": {"nms_method": "soft_gaussian", "soft_nms_min_score": 0.001},
    "across_classes": {"nms_across_classes": True},
    "flip_nms_soft_gaussian": {"flip_test": True, "nms_method": "soft_gaussian"},
}


@dataclass(frozen=True)
class Measured:
    """An evaluation.

    Attributes:
        precision: mAP.
        precision_50: AP50.
        seconds: of a picture.
    """

    precision: float
    precision_50: float
    seconds: float


def main() -> None:
    """Reads the arguments, measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", type=Path, metavar="CHECKPOINT")
    parser.add_argument("--tools", default=",".join(TOOLS), help=f"some of {', '.join(TOOLS)}, with commas (all)")
    arguments, keys = parser.parse_known_args()
    tools = chosen_tools(arguments.tools, TOOLS)
    suites = {suite_of(path) for path in arguments.checkpoints}
    if len(suites) > 1:
        raise BadValueError(f"the checkpoints are of {' and '.join(sorted(suites))}: give those of one suite")
    set_up_logging()
    rows: dict[str, list[Measured]] = {tool: [] for tool in tools}
    for path in arguments.checkpoints:
        for tool, one in measure(next(iter(suites)), path, tools, keys).items():
            rows[tool].append(one)
    print(format_table(rows))


def chosen_tools(text: str, tools: Mapping[str, object]) -> tuple[str, ...]:
    """Returns `PLAIN` and the tools that `text` names, with commas.

    Raises:
        BadValueError: there is no such tool.
    """
    chosen = tuple(dict.fromkeys((PLAIN, *text.split(","))))
    for tool in chosen:
        if tool not in tools:
            raise BadValueError(unknown_word("tool", tool, tools))
    return chosen


def measure(suite: str, path: Path, tools: Sequence[str], keys: Sequence[str]) -> dict[str, Measured]:
    """Evaluates a checkpoint with each tool.

    Args:
        suite: of the checkpoint.
        path: of it.
        tools: names of `TOOLS`.
        keys: arguments of eval.py.
    """
    from utils.model_utils.device_adapter import set_up_device

    build = importlib.import_module(f"{suite}.src.build")
    typed = importlib.import_module(f"{suite}.src.config").load([*keys, f"--checkpoint_path={path}"], "eval.py")
    config, stored = build.open_checkpoint(typed, path)
    set_up_device(config.device_target, config.device_id, seed=config.seed)
    network, classes = build.load_detector(config, stored)
    split = build.open_evaluation_split(config, classes, f"'{path}'")
    found = {}
    for tool in tools:
        changed = config.model_copy(update={**TOOLS[PLAIN], **TOOLS[tool]})
        evaluation = build.build_evaluator(changed, network, split).evaluate()
        seconds = (evaluation.network_seconds + evaluation.selection_seconds) / split.records.num_images
        precision, precision_50 = (float(value) for value in evaluation.result.stats[:2])
        found[tool] = Measured(precision, precision_50, seconds)
    return found


def format_table(rows: Mapping[str, Sequence[Measured]]) -> str:
    """Returns a table of Markdown, a row for each tool."""
    lines = ["| tool | mAP | gain of mAP | AP50 | seconds per picture |", "|---|---|---|---|---|"]
    for tool, found in rows.items():
        gains = [one.precision - plain.precision for one, plain in zip(found, rows[PLAIN], strict=True)]
        cells = [
            spread([one.precision for one in found]),
            spread(gains, "+.4f") if tool != PLAIN else "",
            spread([one.precision_50 for one in found]),
            f"{statistics.mean(one.seconds for one in found):.3f}",
        ]
        lines.append(f"| {tool} | {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(values: Sequence[float], form: str = ".4f") -> str:
    """Returns mean and standard deviation; of one value that alone."""
    deviation = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):{form}}{deviation}"


if __name__ == "__main__":
    run_command(main, "test_time.py")
