"""Finds the weights in what a training program has saved: their dictionary, averaged ones, the prefix of all names."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.model_utils.errors import BadValueError
from utils.words import agreed, counted

# Names under which training programs keep the weights in a larger dictionary.
WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "net", "weights")
# Names under which they keep weights that were averaged over the steps beside them.
AVERAGES = ("state_dict_ema", "model_ema", "model_ema_state_dict", "ema_state_dict", "ema")
AVERAGE_BUFFER = "ema_"  # MMCV 1 keeps the average of a.b.weight as the buffer ema_a_b_weight of the same network
# What stands before all names: of torch's DataParallel, and of a network that is an attribute of a Lightning module.
PARALLEL_PREFIX = "module."
ATTRIBUTE_PREFIXES = ("model.", "net.")
COMPILED_MARK = "_orig_mod."  # what torch.compile puts before the names of a network or of a part of it
MOST_CONFIG_CHARACTERS = 1 << 18  # MMDetection's longest have a tenth of it
LIGHTNING_MARK = "pytorch-lightning_version"
MMENGINE_MARKS = ("message_hub", "mmengine_version")  # keys of its checkpoints and of their `meta`


@dataclass(frozen=True)
class FoundState:
    """The weights in a file.

    Attributes:
        state: name to whatever stands for its values.
        wrapper: key of the dictionary in which they lay, "" where they lay open.
        notes: what a report should say about them.
        is_averaged: they are the averaged ones.
    """

    state: Mapping[str, Any]
    wrapper: str = ""
    notes: tuple[str, ...] = ()
    is_averaged: bool = False


def find_state(content: object, averaged: bool, flag: str) -> FoundState | None:
    """Returns the dictionary of weights in what was saved, None where there is no dictionary of names.

    Args:
        content: what was saved.
        averaged: take the averaged weights where the file has both.
        flag: the argument that asks for them, for the notes.
    """
    if not isinstance(content, Mapping):
        return None
    wrapper = _first_mapping(content, WRAPPERS)
    average = _first_mapping(content, AVERAGES)
    notes: tuple[str, ...] = ()
    is_averaged = False
    if average and wrapper and average == "ema_state_dict" and _is_of_mmengine(content):
        notes = (
            f"averages: MMEngine stores the averaged weights as '{wrapper}', which are taken; '{average}' has those of "
            "the last step",
        )
        is_averaged = True
    elif average and (averaged or not wrapper):
        wrapper, is_averaged = average, True
        notes = (f"averages: the averaged weights of the file are taken, its '{average}'",)
    elif average:
        notes = (f"averages: the file has averaged weights too, '{average}'{_advice(flag)}",)
    state = content[wrapper] if wrapper else content
    if not all(isinstance(name, str) for name in state):
        return None
    if LIGHTNING_MARK in content:
        state, more = _network_of_lightning(state)
        notes += more
    return FoundState(state, wrapper, notes, is_averaged)


def bare_names(state: Mapping[str, object]) -> dict[str, object]:
    """Returns the weights without the prefixes that all of their names have, and without torch.compile's mark."""
    state = {name.replace(COMPILED_MARK, ""): value for name, value in state.items()}
    prefixes = (PARALLEL_PREFIX, *ATTRIBUTE_PREFIXES)
    while prefix := next((each for each in prefixes if state and all(name.startswith(each) for name in state)), ""):
        state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def split_averages(found: FoundState, averaged: bool, flag: str, path: Path) -> FoundState:
    """Takes MMCV's buffers with the averages out of the weights, or puts them in the weights' place.

    Args:
        found: the weights, by bare names.
        averaged: take the averages.
        flag: the argument that asks for them, for messages.
        path: the file, likewise.

    Raises:
        BadValueError: averages are asked for and the file has none.
    """
    state = dict(found.state)
    buffers = {name: AVERAGE_BUFFER + name.replace(".", "_") for name in state if not name.startswith(AVERAGE_BUFFER)}
    buffers = {name: buffer for name, buffer in buffers.items() if buffer in state}
    if averaged and not buffers and not found.is_averaged:
        raise BadValueError(f"'{path}' has no averaged weights; leave {flag} out")
    if not buffers:
        return found
    values = {name: state.pop(buffer) for name, buffer in buffers.items()}
    # MMCV's hook exchanges both before it evaluates; a file that is saved then has the averages under the plain names.
    doubt = "MMCV 1 saves the two exchanged where its hook comes before that of the checkpoints: evaluate both"
    are = agreed(len(values), "is", "are")
    if averaged:
        state |= values
        note = f"averages: {counted(len(values), 'weight')} {are} taken from the buffers {AVERAGE_BUFFER}*; {doubt}"
    else:
        note = f"averages: {counted(len(values), 'buffer')} {AVERAGE_BUFFER}* {are} left out{_advice(flag)}; {doubt}"
    return FoundState(state, found.wrapper, (*found.notes, note), averaged)


def stored_class_names(content: object) -> tuple[str, ...]:
    """Returns the names of the classes beside the weights: `meta.dataset_meta.classes` (v3), else `meta.CLASSES` (v2).

    A text alone is the name of one class: a pair of brackets without a comma makes none a tuple. Names of another kind
    and repeated ones are no names.
    """
    meta = content.get("meta") if isinstance(content, Mapping) else None
    if not isinstance(meta, Mapping):
        return ()
    of_data = meta.get("dataset_meta")
    entries = {**meta, **(of_data if isinstance(of_data, Mapping) else {})}
    names = next((entries[key] for key in ("classes", "CLASSES") if entries.get(key)), ())
    names = (names,) if isinstance(names, str) else names
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        return ()
    return tuple(names) if len(set(names)) == len(names) else ()


def _advice(flag: str) -> str:
    return f", which {flag} takes" if flag else ""


def stored_config(content: object) -> dict[str, object]:
    """Returns the configuration of OpenMMLab's programs beside the weights, `meta.cfg` (v3) or `meta.config` (v2).

    It is a text in Python's form, of which plain values, `dict(...)` and earlier names are taken; what says anything
    else stands as None. Nothing is run. Empty where there is none, or no such text.
    """
    meta = content.get("meta") if isinstance(content, Mapping) else None
    texts = [meta.get(key) for key in ("cfg", "config")] if isinstance(meta, Mapping) else []
    text = next((text for text in texts if isinstance(text, str)), "")
    try:
        lines = ast.parse(text[:MOST_CONFIG_CHARACTERS]).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # a text that is no program, or a hostile one
        return {}
    values: dict[str, object] = {}
    for line in lines:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            values[line.targets[0].id] = _plain_value(line.value, values)
    return values


def _plain_value(node: ast.expr, known: Mapping[str, object]) -> object:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        return {each.arg: _plain_value(each.value, known) for each in node.keywords if each.arg}
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {key.value: _plain_value(value, known) for key, value in pairs if isinstance(key, ast.Constant)}
    if isinstance(node, ast.List | ast.Tuple):
        return [_plain_value(each, known) for each in node.elts]
    if isinstance(node, ast.Name):
        return known.get(node.id)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _first_mapping(content: Mapping[object, object], keys: tuple[str, ...]) -> str:
    return next((key for key in keys if isinstance(content.get(key), Mapping)), "")


def _is_of_mmengine(content: Mapping[object, object]) -> bool:
    meta = content.get("meta")
    return any(mark in each for mark in MMENGINE_MARKS for each in (content, meta) if isinstance(each, Mapping))


def _network_of_lightning(state: Mapping[str, object]) -> tuple[Mapping[str, object], tuple[str, ...]]:
    """Returns the weights of the network in a Lightning module, without those of its losses and constants."""
    prefix = next((each for each in ATTRIBUTE_PREFIXES if any(name.startswith(each) for name in state)), "")
    others = [name for name in state if not name.startswith(prefix)]
    if not others:
        return state, ()
    count = counted(len(others), "tensor")
    note = f"left out: {count} of the Lightning module beside '{prefix[:-1]}', first '{others[0]}'"
    return {name: value for name, value in state.items() if name.startswith(prefix)}, (note,)
