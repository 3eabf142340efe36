"""The export command: checkpoint in; model file, compared with the network, and its description out."""

import logging
from collections.abc import Sequence
from functools import partial

import mindspore as ms
import numpy as np
from mindspore import nn

from utils.cpu_kernels.roi_align import STOCK_SAMPLING_RATIO
from utils.detection.builders.exports import say_exported_size
from utils.detection.test_time.keys import KEYS
from utils.detection.test_time.rules import as_described
from utils.exporting.export import export_network, file_formats, leave_description
from utils.exporting.files import export_path
from utils.exporting.onnx_form import OPSET, OnnxForm, can_rewrite
from utils.model_utils.config.loading import require
from utils.model_utils.device_adapter import set_up_device
from utils.model_utils.moxing_adapter import open_job
from utils.training.record.logging_setup import set_up_logging
from utils.words import counted

from . import build
from .config import FasterRcnnConfig
from .models.exported import EXPORTED_TOOLS

logger = logging.getLogger(__name__)

BLOCK = 32  # pixels of a side of the probe's blocks: small enough for many, large enough to be objects
PROBE_SCALES = (0.5, 0.8)  # input pixels for an original one, vertically and horizontally


def export(config: FasterRcnnConfig) -> None:
    """Exports `checkpoint_path` to `file_name` (in `run_dir`) as `file_format`; `file_name`.json describes it.

    The file is compared with a network of MindSpore's own operators, of which alone it can be made.

    Raises:
        UserError: the checkpoint or a path cannot be used, or the format cannot hold the network.
    """
    set_up_logging()
    with open_job(config) as folder:
        config, stored = build.open_checkpoint(config, require(config, "checkpoint_path", "file"))
        path = export_path(folder, config.file_name)
        device = set_up_device(config.device_target, config.device_id, seed=config.seed)
        formats = file_formats(config.file_format, config.with_onnx, device.target)
        network, classes = build.load_detector(config, stored)
        say_exported_size(config, build.input_settings(config).size)
        if idle := as_described(config, [key for key in KEYS if key not in EXPORTED_TOOLS]):
            logger.warning(
                "%s: no effect in the exported model, whose graph suppresses within each class",
                " and ".join(idle),
            )
        sample = partial(probe, config.img_height, config.img_width)
        log_probe(build.build_export(config, network, len(classes.names)), sample(config.export_batch_size))
        for file_format in formats:
            onnx = onnx_form(config)
            is_exact = file_format == "ONNX" and can_rewrite() and onnx.roi_sampling_ratio is not None
            if not is_exact and config.roi_sampling_ratio == 0:
                _say_sampling(file_format)
            model = export_network(
                build.build_export(config, network, len(classes.names)),
                build.input_descriptions(config),
                path,
                file_format,
                output_names=build.OUTPUT_NAMES,
                reference=build.build_inference(config, network) if is_exact else None,
                sample=sample,
                onnx=onnx,
            )
            leave_description(model, build.describe_model(config, classes, model))


def onnx_form(config: FasterRcnnConfig) -> OnnxForm:
    """Returns what an ONNX file is like: with the network's samples if the opset has RoiAlign with aligned pixels."""
    return OnnxForm(config.onnx_opset, config.roi_sampling_ratio if config.onnx_opset >= OPSET else None)


def _say_sampling(file_format: str) -> None:
    logger.info(
        "%s: regions are pooled with %d x %d samples in a cell, since MindSpore's operator cannot take as many as a "
        "cell has pixels; eval.py --roi_sampling_ratio=%d evaluates this network",
        file_format,
        *(STOCK_SAMPLING_RATIO,) * 3,
    )


def probe(height: int, width: int, batch_size: int) -> list[np.ndarray]:
    """Draws the inputs that network and file are compared on: blocks of colours, whose edges look like objects.

    Returns:
        float32[N, 3, height, width], normalised pictures with padding below; and float32[N, 4], their metas.
    """
    draws = np.random.default_rng(0)
    blocks = draws.standard_normal((batch_size, 3, -(-height // BLOCK), -(-width // BLOCK))).astype(np.float32)
    images = np.kron(2 * blocks, np.ones((1, 1, BLOCK, BLOCK), np.float32))[:, :, :height, :width]
    images += 0.2 * draws.standard_normal(images.shape).astype(np.float32)
    content = max(BLOCK, height - BLOCK), width
    images[:, :, content[0] :] = 0
    sizes = [round(side / scale) for side, scale in zip(content, PROBE_SCALES, strict=True)]
    return [np.ascontiguousarray(images), np.tile(np.array([*sizes, *PROBE_SCALES], np.float32), (batch_size, 1))]


def log_probe(network: nn.Cell, arrays: Sequence[np.ndarray]) -> None:
    """Says how much the comparison is worth: a network that finds nothing has only zeros to compare."""
    scores = network.set_train(False)(*map(ms.Tensor, arrays))[1].asnumpy()
    count = int((scores > 0).sum())
    if count:
        logger.info("%s on the drawn picture to compare with", counted(count, "detection"))
    else:
        logger.warning(
            "the network finds nothing on the drawn picture: that the file finds nothing either is all that "
            "can be compared; a lower --test_score_thr lets it find more"
        )
