"""The conversion command: weights of PyTorch or MindSpore in, a checkpoint of this suite and a report out."""

import shlex
from dataclasses import replace
from pathlib import Path

from utils.detection.data.published_detector import converted_classes, with_recipe
from utils.model_utils.config.loading import dump_config, require
from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.conversion_command import choose_output, read_weights, write_converted
from utils.training.record.logging_setup import set_up_logging

from . import build
from .config import FasterRcnnConfig
from .stored_network import stored_stage1_pool
from .variants import RES2NET_LAYERS
from .weight_files import Res2NetContent, recognise

RECIPE = "default_config_mmdet.yaml"  # sizes, canvas and thresholds of MMDetection's detectors
THRESHOLDS = {  # own key to names in its test_cfg
    "test_score_thr": ("rcnn", "score_thr"),
    "test_iou_thr": ("rcnn", "nms", "iou_threshold"),
    "test_max_per_img": ("rcnn", "max_per_img"),
    "rpn_nms_pre": ("rpn", "nms_pre"),
    "rpn_max_num": ("rpn", "max_per_img"),
    "rpn_nms_thr": ("rpn", "nms", "iou_threshold"),
}
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
    weights, checkpoint = read_weights(source, build.SUITE, averaged=config.ema)
    content = recognise(config, weights, stored_stage1_pool(checkpoint) if checkpoint else None)
    notes: tuple[str, ...] = ()
    if not content.part:
        config, notes = with_recipe(config, weights, RECIPE, config.SIZE_MULTIPLE, THRESHOLDS)
    classes = converted_classes(config, config.coco_classes, content.num_classes, weights)
    config = with_content(config, weights.path, content)
    report = write_converted(
        output,
        weights,
        replace(content, notes=(*_notes(config, content), *classes.notes, *content.notes, *notes)),
        build.build_network(config, content.num_classes or 1),
        flag="--output",
        suite=build.SUITE,
        config_text=dump_config(config),
        advice=ADVICE,
        class_names=classes.names,
        category_ids=classes.category_ids,
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
            f"it is incomplete or another network; if it is meant, set {_layers_argument(content)}"
        )
    update: dict[str, object] = {"res2net_stage1_pool": content.pools_stage1}
    if backbone is not None:
        update |= {"backbone": backbone, "res2net_layers": None}
    if content.num_classes is not None:
        update["num_classes"] = content.num_classes
        if len(config.coco_classes or ()) != content.num_classes:
            update["coco_classes"] = None
    return config.model_copy(update=update)


def _notes(config: FasterRcnnConfig, content: Res2NetContent) -> list[str]:
    pool = "average-pools" if content.pools_stage1 else "passes on"
    depth = "" if config.res2net_layers else f"{config.backbone}, "
    notes = [
        f"backbone: {depth}{list(content.layers)} blocks",
        f"res2net_stage1_pool: {str(content.pools_stage1).lower()}, stage 1's first block {pool} its last split "
        "in the network of these weights; stored in the checkpoint",
    ]
    notes.append("terms: the converted weights keep those of the file (Res2Net's own ImageNet weights: CC BY-NC-SA)")
    return notes


def _next_step(config: FasterRcnnConfig, content: Res2NetContent, output: Path) -> str:
    file = shlex.quote(str(output))
    if not content.part:
        return f"written: {output} (the whole detector: eval.py --checkpoint_path={file} --coco_root=COCO)"
    keys = _layers_argument(content) if config.res2net_layers else f"--backbone={config.backbone}"
    return f"written: {output} (the {content.part}: train.py {keys} --coco_root=COCO --pre_trained={file})"


def _layers_argument(content: Res2NetContent) -> str:
    """Returns the argument without spaces, behind which a shell would begin the next one."""
    return f"--res2net_layers=[{','.join(map(str, content.layers))}]"
