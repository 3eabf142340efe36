"""The names under which a key may be given, and what is said of one that is not there."""

import difflib

from utils.model_utils.config.base import Config
from utils.model_utils.config.command_line import CONFIG_PATH
from utils.model_utils.errors import short

# Documented names, misspelt ones among them, and the key that each stands for where the suite has it.
ALIASES = {
    "_config_path": CONFIG_PATH,
    "ann_file": "anno_path",
    "base_lr": "lr",
    "checkpoint": "checkpoint_path",
    "checkpoint_path": "save_checkpoint_path",  # a folder in SegFormer's page; elsewhere a file, and then a key itself
    "ckpt_file": "checkpoint_path",
    "dataset_path": "data_path",
    "distribute": "run_distribute",
    "instances_set": "instance_set",
    "match_thershold": "match_threshold",
    "mindrecord_dr": "mindrecord_dir",
    "nms_thershold": "nms_threshold",
    "pretrained_ckpt_path": "pre_trained",
    "save_checkpoint_epoch_interval": "save_checkpoint_epochs",
    "train_log_interval": "log_interval",
    "workers": "num_parallel_workers",
}


def right_name(schema: type[Config], name: str) -> str:
    """Returns the key that a name stands for in a schema: itself, or the key that it is an alias of."""
    key = ALIASES.get(name, name)
    is_known = key == CONFIG_PATH or key in schema.model_fields
    return key if name not in schema.model_fields and is_known else name


def unknown_key(schema: type[Config], key: str) -> str:
    """Returns what is said of a key that a schema does not have: the nearest one."""
    known = [*schema.model_fields, *schema.inactive_keys()]
    names = {**{name: name for name in known}, **{alias: right_name(schema, alias) for alias in ALIASES}}
    near = difflib.get_close_matches(key.lower(), names, n=1, cutoff=0.5)
    hint = f"the nearest known one is '{names[near[0]]}'" if near else "--help=all lists the known ones"
    return f"unknown key {short(key)}: {hint}"
