"""The conversion command: weights of PyTorch or MindSpore in, a checkpoint of this suite and a report out."""

from dataclasses import replace
from pathlib import Path

from utils.detection.data.coco_names import COCO_CATEGORY_IDS, COCO_CLASSES
from utils.model_utils.config.loading import dump_config, require
from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.conversion_command import choose_output, write_converted
from utils.training.record.logging_setup import set_up_logging

from . import build
from .config import FasterRcnnConfig
from .variants import RES2NET_LAYERS
from .weight_files import Res2NetContent, read_weights, recognise

ADVICE = (
    "give the keys of its network: res2net_width, fpn_out_channels, rpn_feat_channels, rcnn_fc_out_channels, "
    "roi_size, anchor_ratios, anchor_scales"
)


def convert(config: FasterRcnnConfig) -> Path:
    """Converts `checkpoint_path` and prints the report; returns the file written.

    Raises:
        UserError: the file cannot be read, does not fit a Faster R-CNN with Res2Net, or the output is in the way.
    """
    set_up_logging()
    source = require(config, "checkpoint_path", "file")
    output = choose_output(config.output, source, Path(config.run_dir), config.overwrite)
    weights, stored_pool = read_weights(source, build.SUITE)
    content = recognise(config, weights, stored_pool)
    config = with_content(config, weights.path, content)
    names = class_names(config, content.num_classes)
    report = write_converted(
        output,
        weights,
        replace(content, notes=(*_notes(config, content), *content.notes)),
        build.build_network(config, content.num_classes or 1),
        flag="--output",
        suite=build.SUITE,
        config_text=dump_config(config),
        advice=ADVICE,
        class_names=names,
        category_ids=COCO_CATEGORY_IDS if names == COCO_CLASSES else (),
    )
    print(report)
    print(_next_step(config, content, output))
    return output


def with_content(config: FasterRcnnConfig, path: Path, content: Res2NetContent) -> FasterRcnnConfig:
    """Returns the configuration of the network that the file is of.

    Raises:
        BadValueError: its depth is none of the published ones and not the configured one, or `res2net_stage1_pool` is
            set to something else than what its network has.
    """
    if config.res2net_stage1_pool not in (None, content.pools_stage1):
        raise BadValueError(
            f"res2net_stage1_pool is {str(config.res2net_stage1_pool).lower()}, and '{path}' is of a network with "
            f"{str(content.pools_stage1).lower()}: leave it out, the file decides"
        )
    backbone = next((name for name, layers in RES2NET_LAYERS.items() if layers == content.layers), None)
    if backbone is None and config.res2net_layers != content.layers:
        raise BadValueError(
            f"'{path}' has {list(content.layers)} blocks in its stages, which is none of {', '.join(RES2NET_LAYERS)}: "
            f"it is incomplete or another network; if it is meant, set --res2net_layers={list(content.layers)}"
        )
    update: dict[str, object] = {"res2net_stage1_pool": content.pools_stage1}
    if backbone is not None:
        update |= {"backbone": backbone, "res2net_layers": None}
    if content.num_classes is not None:
        update["num_classes"] = content.num_classes
        if len(config.coco_classes or ()) != content.num_classes:
            update["coco_classes"] = None
    return config.model_copy(update=update)


def class_names(config: FasterRcnnConfig, num_classes: int | None) -> tuple[str, ...]:
    """Returns the names of the classes of a detector: the configured ones, COCO's where it has as many, else none.

    Raises:
        BadValueError: `coco_classes` has a category id; there is no annotation file that it could be looked up in.
    """
    if num_classes is None:
        return ()
    if config.coco_classes:
        ids = [entry for entry in config.coco_classes if type(entry) is int]
        if ids:
            raise BadValueError(
                f"coco_classes has the category id {ids[0]}, wanted the names of the classes: list names"
            )
        return tuple(config.coco_classes)
    return COCO_CLASSES if num_classes == len(COCO_CLASSES) else ()


def _notes(config: FasterRcnnConfig, content: Res2NetContent) -> list[str]:
    pool = "average-pools" if content.pools_stage1 else "passes on"
    depth = "" if config.res2net_layers else f"{config.backbone}, "
    notes = [
        f"backbone: {depth}{list(content.layers)} blocks",
        f"res2net_stage1_pool: {str(content.pools_stage1).lower()}, stage 1's first block {pool} its last split "
        "in the network of these weights; stored in the checkpoint",
    ]
    if content.num_classes is not None:
        names = class_names(config, content.num_classes)
        known = f", {names[0]} to {names[-1]}" if names else ", whose names the file does not say: set coco_classes"
        notes.append(f"classes: {content.num_classes}{known}")
    notes.append("terms: the converted weights keep those of the file (Res2Net's own ImageNet weights: CC BY-NC-SA)")
    return notes


def _next_step(config: FasterRcnnConfig, content: Res2NetContent, output: Path) -> str:
    keys = f"--res2net_layers={list(content.layers)}" if config.res2net_layers else f"--backbone={config.backbone}"
    if content.part:
        return f"written: {output} (the {content.part}: train.py {keys} --pre_trained={output})"
    keys += f" --num_classes={content.num_classes}"
    return f"written: {output} (the whole detector: eval.py {keys} --checkpoint_path={output})"
