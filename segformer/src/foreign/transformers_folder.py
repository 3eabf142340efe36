"""A folder that save_pretrained of transformers wrote: weights in one file or several, and what lies beside them."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from utils.model_utils.errors import BadValueError, MissingPathError
from utils.model_utils.guards.json_text import parse_json
from utils.training.checkpoints.foreign_weights import ForeignWeights, read_foreign_weights
from utils.words import counted

from ..variants import ATTENTION_HEADS, MLP_RATIO, PATCH_KERNELS, PATCH_STRIDES, REDUCTIONS

MODEL_TYPE = "segformer"
# Names of the weights in such a folder, in the order in which they are looked for; .index.json names several files.
FOLDER_FILES = ("model.safetensors", "pytorch_model.bin")
INDEX_FILES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
PROCESSOR_FILE = "preprocessor_config.json"
# What config.json of such a folder must say, where it says anything; sizes are read from the weights themselves.
_FIXED_SETTINGS = {
    "hidden_act": "gelu",
    "num_attention_heads": list(ATTENTION_HEADS),
    "sr_ratios": list(REDUCTIONS),
    "mlp_ratios": [MLP_RATIO] * 4,
    "patch_sizes": list(PATCH_KERNELS),
    "strides": list(PATCH_STRIDES),
    "num_channels": 3,
}


def read_folder(folder: Path) -> ForeignWeights:
    """Reads the weights of a folder, and the names of its classes.

    Raises:
        MissingPathError: there is no weights file in it, or one of several is missing.
        BadValueError: config.json is of another network, or a file is damaged.
    """
    present = [folder / name for name in (*FOLDER_FILES, *INDEX_FILES) if (folder / name).is_file()]
    if not present:
        raise MissingPathError(
            f"folder '{folder}' has neither {' nor '.join(FOLDER_FILES)}, nor {' nor '.join(INDEX_FILES)} for weights "
            "in several files; give a folder that save_pretrained of transformers wrote, or a file of weights"
        )
    settings = _read_settings(folder / "config.json")
    weights = _read_shards(present[0]) if present[0].name in INDEX_FILES else read_foreign_weights(present[0])
    return replace(weights, class_names=class_names(settings))


def processor_settings(folder: Path) -> Mapping[str, object] | None:
    """Returns what preprocessor_config.json of a folder says; None where there is none.

    Raises:
        BadValueError: it cannot be read.
    """
    path = folder / PROCESSOR_FILE
    return _read_object(path, "put it right, or take it away to have transformers' default") if path.is_file() else None


def class_names(settings: Mapping[str, object]) -> tuple[str, ...]:
    """Returns the names of `id2label`; empty where they are numbers only, or not one for each class."""
    labels = settings.get("id2label")
    if not isinstance(labels, Mapping) or set(labels) != {str(number) for number in range(len(labels))}:
        return ()
    names = [str(labels[str(number)]) for number in range(len(labels))]
    if all(re.fullmatch(r"LABEL_\d+", name) for name in names) or len(set(names)) < len(names):
        return ()
    return tuple(names)


def _read_settings(path: Path) -> Mapping[str, object]:
    """Returns config.json; refuses a network that differs in what its weights do not show."""
    if not path.is_file():
        raise MissingPathError(
            f"'{path}' is missing, wanted beside the weights in a folder of transformers; give the file of weights "
            "itself to do without it"
        )
    settings = _read_object(path, "copy or download it again")
    kind = settings.get("model_type", MODEL_TYPE)
    if kind != MODEL_TYPE:
        raise BadValueError(f"'{path}' is of a network '{kind}', wanted '{MODEL_TYPE}'; choose another folder")
    for key, wanted in _FIXED_SETTINGS.items():
        if settings.get(key, wanted) != wanted:
            raise BadValueError(
                f"'{path}' says {key} = {settings[key]}, and every published SegFormer has {wanted}; that network is "
                "not built here"
            )
    return settings


def _read_shards(index: Path) -> ForeignWeights:
    """Reads the files that an index names.

    Raises:
        MissingPathError: one of them is missing.
        BadValueError: the index or a file is damaged, or a file lacks what the index says of it.
    """
    places = _read_object(index, "copy or download it again").get("weight_map")
    if not isinstance(places, Mapping) or not places or not all(_is_plain_name(name) for name in places.values()):
        raise BadValueError(f"'{index}' has no weight_map of names and files beside it; copy or download it again")
    names = sorted(set(places.values()))
    missing = [name for name in names if not (index.parent / name).is_file()]
    if missing:
        raise MissingPathError(
            f"{len(missing)} of the {len(names)} files that '{index}' names are missing, first "
            f"'{index.parent / missing[0]}'; copy or download them too"
        )
    arrays: dict[str, np.ndarray] = {}
    for name in names:
        held = read_foreign_weights(index.parent / name).arrays
        absent = [tensor for tensor, place in places.items() if place == name and tensor not in held]
        if absent:
            raise BadValueError(
                f"'{index.parent / name}' lacks {counted(len(absent), 'tensor')} that '{index}' says it has, first "
                f"'{absent[0]}'; copy or download both again"
            )
        arrays |= held
    return ForeignWeights(index, arrays)


def _is_plain_name(name: object) -> bool:
    return isinstance(name, str) and name == Path(name).name


def _read_object(path: Path, advice: str) -> Mapping[str, object]:
    try:
        content = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadValueError(f"'{path}' is no JSON object of settings; {advice}") from error
    if not isinstance(content, dict):
        raise BadValueError(f"'{path}' is no JSON object of settings; {advice}")
    return content
