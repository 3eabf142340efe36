"""From the keys of a configuration, or from the description of an exported model, to the rule of a selection."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from utils.detection.data.class_names import list_names
from utils.detection.test_time.keys import KEYS, TestTimeKeys
from utils.detection.test_time.selection import SuppressionRule
from utils.exporting.description import ModelDescription
from utils.model_utils.config.base import Given, Origin
from utils.model_utils.config.loading import build, join_problems
from utils.model_utils.errors import BadValueError


def suppression_rule(
    tools: TestTimeKeys, labels: tuple[int, ...] | None, *, min_score: float, nms_threshold: float, max_boxes: int
) -> SuppressionRule:
    """Returns what the keys ask for.

    Args:
        tools: the keys.
        labels: indices of the classes that are wanted; None for all.
        min_score: the suite's lowest score.
        nms_threshold: its IoU of suppression.
        max_boxes: its number of boxes of a picture.
    """
    merge = tools.flip_merge if tools.flip_test else ""
    # Soft suppression leaves several boxes of an object, and the mean pairs each with one of them by chance: on BCCD
    # mAP falls by 0.014 instead of rising by 0.017.
    method = "hard" if merge == "mean" else tools.nms_method
    lowered = tools.soft_nms_min_score if method != "hard" else None
    return SuppressionRule(
        min_score=min_score if lowered is None else lowered,
        nms_threshold=nms_threshold,
        max_boxes=max_boxes,
        method=method,
        sigma=tools.soft_nms_sigma,
        across_classes=tools.nms_across_classes,
        labels=labels,
        merge=merge,
    )


def wanted_labels(tools: TestTimeKeys, class_names: Sequence[str]) -> tuple[int, ...] | None:
    """Returns the indices of `only_classes`, ascending; None where all are wanted.

    Raises:
        BadValueError: it has a name that is none of the detector's.
    """
    wanted = tools.only_classes
    if unknown := _unknown(wanted, class_names):
        raise BadValueError(
            f"only_classes has {list_names(unknown)}, and the detector knows {list_names(class_names)}: take names of "
            "these, or leave only_classes out"
        )
    return _labels(wanted, class_names)


def described_labels(description: ModelDescription) -> tuple[int, ...] | None:
    """Returns the same of the description of an exported model.

    Raises:
        BadValueError: it has a name that is none of the model's, or a value that cannot be.
    """
    wanted, class_names = tools_of(description).only_classes, description.class_names
    if unknown := _unknown(wanted, class_names):
        raise BadValueError(
            f"'{description.file}' lists {list_names(unknown)} in only_classes, and the model knows "
            f"{list_names(class_names)}: take names of these"
        )
    return _labels(wanted, class_names)


def _unknown(wanted: Sequence[str] | None, class_names: Sequence[str]) -> list[str]:
    return [name for name in wanted or () if name not in class_names]


def _labels(wanted: Sequence[str] | None, class_names: Sequence[str]) -> tuple[int, ...] | None:
    return None if wanted is None else tuple(index for index, name in enumerate(class_names) if name in wanted)


def as_described(tools: TestTimeKeys, keys: Sequence[str] = KEYS) -> dict[str, str | bool | float | list[str]]:
    """Returns for the description of an exported model what of `keys` is not as usual."""
    usual = TestTimeKeys.model_fields
    values = {key: getattr(tools, key) for key in keys if getattr(tools, key) != usual[key].default}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def tools_of(description: ModelDescription) -> TestTimeKeys:
    """Returns the keys that the description of an exported model has; the others are as usual.

    Raises:
        BadValueError: a value cannot be.
    """
    origin = Origin(f"settings of '{description.file}'")
    values: Mapping[str, object] = description.postprocessing
    given = {key: Given(key, values[key], origin) for key in KEYS if key in values}
    problems: list[str] = []
    built = build(TestTimeKeys, given, Path(), problems, [])
    if built is None:
        raise BadValueError(join_problems(problems))
    return built
