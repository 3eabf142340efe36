"""What a row of metrics.jsonl comes to in a logger: names in groups, and finite numbers."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

_NO_NAME = re.compile(r"[^-\w./]")  # what names may not have; TensorBoard's own writer warns of each
_OF_STEPS = {
    "learning_rate": "train",
    "grad_norm": "train",
    "loss_scale": "train",
    "images_per_second": "speed",
    "step_ms": "speed",
    "data_ms": "speed",
}
_TABLES = {"step": ("losses", "train"), "epoch": ("losses", "epoch"), "evaluation": ("metrics", "evaluation")}
EVALUATION_GROUPS = ("evaluation/", "classes_")  # first letters of the names that an evaluation gives


def scalars_of(row: Mapping[str, Any]) -> dict[str, float]:
    """Returns the numbers of a row by name, e.g. `train/loss`, `evaluation/mAP`, `classes_IoU/traffic_light`.

    Numbers that are not defined or not finite are left out.
    """
    key, group = _TABLES[row["kind"]]
    found = dict(_named(group, row.get(key, {})))
    if row["kind"] == "step":
        found |= {f"{group}/{name}": row[name] for name, group in _OF_STEPS.items() if name in row}
    for metric, values in row.get("per_class", {}).items():
        found |= dict(_named(f"classes_{clean(metric)}", values))
    return {name: float(value) for name, value in found.items() if value is not None and math.isfinite(value)}


def clean(name: str) -> str:
    """Returns a name with underscores in place of what names of loggers may not have, such as spaces."""
    return _NO_NAME.sub("_", name).strip("/") or "_"


def _named(group: str, values: Mapping[str, float | None]) -> Iterable[tuple[str, float | None]]:
    """Yields the values under clean names of a group; two that become one get a number: "a_b", "a_b_2"."""
    taken: set[str] = set()
    for name, value in values.items():
        stem = own = clean(name).replace("/", "_")
        number = 1
        while own in taken:
            number += 1
            own = f"{stem}_{number}"
        taken.add(own)
        yield f"{group}/{own}", value
