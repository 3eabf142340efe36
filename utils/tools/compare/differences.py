"""Numbers of runs as rows, and the keys in which their configurations differ."""

from collections.abc import Sequence

from utils.model_utils.config.help_text import show_value
from utils.tools.compare.reading import Run, number_of

Number = float | int | None
NOT_COMPARED = ("run_dir", "overwrite", "resume")  # where a run lies says nothing about it
ABSENT, DIGITS = "–", 4  # behind the point: runs often differ in the third


def number_rows(runs: Sequence[Run]) -> list[tuple[str, list[Number]]]:
    """Returns name and values of each number that a run has; None where another has none."""
    tables = [_numbers(run) for run in runs]
    names = list(dict.fromkeys(name for table in tables for name in table))
    return [(name, [table.get(name) for table in tables]) for name in names]


def class_rows(runs: Sequence[Run]) -> list[tuple[str, list[Number]]]:
    """Returns name, and AP or IoU by run, of each class of evaluations."""
    tables = [run.classes() for run in runs]
    names = list(dict.fromkeys(name for table in tables for name in table))
    return [(name, [table.get(name) for table in tables]) for name in names]


def key_rows(runs: Sequence[Run]) -> tuple[list[tuple[str, list[str]]], int]:
    """Returns each key whose values differ, with them, and the number of keys that not all runs have.

    Runs without a configuration have no say, and a dash.
    """
    configured = [run for run in runs if run.keys]
    if len(configured) < 2:
        return [], 0
    names = list(dict.fromkeys(name for run in configured for name in run.keys if name not in NOT_COMPARED))
    common = [name for name in names if all(name in run.keys for run in configured)]
    rows = [
        (name, [show_value(run.keys[name]) if run.keys else ABSENT for run in runs])
        for name in common
        if any(run.keys[name] != configured[0].keys[name] for run in configured)
    ]
    return rows, len(names) - len(common)


def _loss_words(name: str) -> str:
    return name if "loss" in name else f"loss {name}"


def _numbers(run: Run) -> dict[str, Number]:
    epochs, best = run.epochs(), run.best()
    numbers: dict[str, Number] = {}
    if run.rows:
        last = run.rows[-1]
        numbers |= {"epochs": last["epoch"], "steps": last["global_step"]}
    if epochs:
        losses = epochs[-1]["losses"]
        numbers |= {f"{_loss_words(name)} (last epoch)": number_of(value) for name, value in losses.items()}
        seconds = [number_of(row.get("seconds")) for row in epochs]
        numbers["seconds of training"] = sum(value for value in seconds if value is not None)
        numbers["images per second (last epoch)"] = number_of(epochs[-1].get("images_per_second"))
    if best is not None:
        numbers["epoch of the best evaluation"] = best["epoch"]
        numbers |= {f"best {name}": number_of(value) for name, value in best["metrics"].items()}
    numbers |= {name: value for name, value in run.result.items() if number_of(value) is not None}
    return numbers
