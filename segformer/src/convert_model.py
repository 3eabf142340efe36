"""Makes a checkpoint of this suite from a SegFormer or a Mix Transformer of PyTorch, and says what became of it."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from utils.model_utils.config.loading import dump_config
from utils.model_utils.errors import BadValueError, MissingPathError
from utils.model_utils.files import check_writable_folder
from utils.model_utils.guards.json_text import parse_json
from utils.training.checkpoints.conversion_command import COUNTERS, Content, check_output, write_converted
from utils.training.checkpoints.foreign_weights import read_foreign_weights

from .build import SUITE, build_network
from .config import SegformerConfig
from .variants import ATTENTION_HEADS, MIT_VARIANTS, MLP_RATIO, PATCH_KERNELS, PATCH_STRIDES, REDUCTIONS
from .weight_names import (
    ANY_HEAD,
    ENCODERS,
    HEAD_NAMINGS,
    MMSEGMENTATION_HEAD_MARK,
    EncoderNaming,
    HeadNaming,
    in_single_layers,
)

# Names of the weights in a folder of transformers, in the order in which they are looked for.
FOLDER_FILES = ("model.safetensors", "pytorch_model.bin")
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


@dataclass(frozen=True, kw_only=True)
class SegformerContent(Content):
    """What a file turned out to hold.

    Attributes:
        backbone: published size, "mit_b0" to "mit_b5".
        decoder_channels: width of the head; None without a head.
    """

    backbone: str
    decoder_channels: int | None = None


def convert(source: Path, output: Path, *, backbone_only: bool = False, overwrite: bool = False) -> str:
    """Converts a file, or a folder of transformers, and writes the checkpoint; returns the report.

    Args:
        source: .pth, .bin or .safetensors file, or a folder with config.json and one of them.
        output: checkpoint to write.
        backbone_only: leave the head out.
        overwrite: replace `output` where it is there.

    Raises:
        UserError: the source cannot be read or does not fit, or the output is in the way.
    """
    check_writable_folder(output.parent, "--ms_model_path")
    check_output(source, output, overwrite, "--ms_model_path", "--overwrite")
    weights = read_foreign_weights(find_weights(source))
    weights = replace(weights, arrays=in_single_layers(weights.arrays))
    content = recognise(weights.path, weights.arrays, backbone_only)
    head = {"class_num": content.num_classes, "decoder_channels": content.decoder_channels}
    config = SegformerConfig(backbone=content.backbone, **({} if content.part else head))
    report = write_converted(
        output,
        weights,
        content,
        build_network(config),
        flag="--ms_model_path",
        suite=SUITE,
        config_text=dump_config(config),
        advice="choose a whole file of a SegFormer, or convert its encoder alone with --backbone_only",
    )
    return f"{report}\n{_next_step(output, content)}"


def find_weights(source: Path) -> Path:
    """Returns the file of weights: the source itself, or the one in a folder of transformers.

    Raises:
        MissingPathError: there is nothing, or no such file in the folder.
        BadValueError: the folder's config.json is of another network.
    """
    if not source.is_dir():
        return source
    file = next((source / name for name in FOLDER_FILES if (source / name).is_file()), None)
    if file is None:
        raise MissingPathError(
            f"folder '{source}' has neither {' nor '.join(FOLDER_FILES)}; give a folder that save_pretrained of "
            "transformers wrote, or a file of weights"
        )
    _check_settings(source / "config.json")
    return file


def _check_settings(path: Path) -> None:
    """Refuses a folder whose network differs in what its weights do not show."""
    if not path.is_file():
        raise MissingPathError(
            f"'{path}' is missing, wanted beside the weights in a folder of transformers; give the file of weights "
            "itself to do without it"
        )
    try:
        settings = parse_json(path.read_bytes())
        kind = settings.get("model_type", SUITE)
    except (OSError, ValueError, AttributeError) as error:
        raise BadValueError(f"'{path}' is no JSON object of settings; copy or download it again") from error
    if kind != SUITE:
        raise BadValueError(f"'{path}' is of a network '{kind}', wanted '{SUITE}'; choose another folder")
    for key, wanted in _FIXED_SETTINGS.items():
        if settings.get(key, wanted) != wanted:
            raise BadValueError(
                f"'{path}' says {key} = {settings[key]}, and every published SegFormer has {wanted}; that network is "
                "not built here"
            )


def recognise(file: Path, arrays: dict[str, np.ndarray], backbone_only: bool = False) -> SegformerContent:
    """Tells what a file holds from its names and shapes.

    Args:
        file: for messages.
        arrays: of `in_single_layers`.
        backbone_only: pass over the head.

    Raises:
        BadValueError: it is of another network, of no published size, or has a head that does not fit here.
    """
    naming, prefix = _find_encoder(file, arrays)
    backbone = _find_size(file, naming.widths(prefix, arrays), naming.blocks_in(prefix, arrays))
    sources = naming.sources(prefix, MIT_VARIANTS[backbone].depths)
    dropped = COUNTERS | dict(naming.dropped)
    head = _find_head(file, arrays, backbone_only)
    title = f"{backbone.replace('mit_', 'MiT-').upper().replace('MIT', 'MiT')} in {naming.title}"
    if head is None:
        return SegformerContent(
            title=f"encoder of {title}",
            backbone=backbone,
            sources=sources,
            dropped=dropped | (ANY_HEAD if backbone_only else {}),
        )
    num_classes, decoder_channels = (_rows(file, arrays, f"{layer}.weight") for layer in (head.classifier, head.fuse))
    return SegformerContent(
        title=f"SegFormer with {title}, {num_classes} classes, head of {decoder_channels} channels",
        backbone=backbone,
        sources=sources | head.sources(),
        dropped=dropped | dict(head.dropped),
        num_classes=num_classes,
        decoder_channels=decoder_channels,
    )


def _find_encoder(file: Path, arrays: dict[str, np.ndarray]) -> tuple[EncoderNaming, str]:
    for naming in ENCODERS:
        prefix = naming.prefix_in(arrays)
        if prefix is not None:
            return naming, prefix
    raise BadValueError(
        f"'{file}' has {len(arrays)} tensors ({', '.join(list(arrays)[:3])} ...), and none has the name of a Mix "
        "Transformer's first layer in the first release (patch_embed1.proj.weight), MMSegmentation "
        "(layers.0.0.projection.weight) or transformers (encoder.patch_embeddings.0.proj.weight); choose another file"
    )


def _find_size(file: Path, widths: tuple[int, ...], depths: tuple[int, ...]) -> str:
    for name, variant in MIT_VARIANTS.items():
        if (variant.widths, variant.depths) == (widths, depths):
            return name
    raise BadValueError(
        f"'{file}' has an encoder with {list(widths)} channels and {list(depths)} blocks in its stages, which is none "
        f"of {', '.join(MIT_VARIANTS)}: it is incomplete, or of another size; choose another file"
    )


def _find_head(file: Path, arrays: dict[str, np.ndarray], backbone_only: bool) -> HeadNaming | None:
    if backbone_only:
        return None
    if MMSEGMENTATION_HEAD_MARK in arrays:
        raise BadValueError(
            f"'{file}' has MMSegmentation's head, a convolution with batch norm and ReLU for each level (531,731 "
            "weights with MiT-B1 and 19 classes) where the paper's has a linear layer (530,707): it computes something "
            "else and does not convert; take the encoder alone with --backbone_only, or a file of the first release or "
            "of transformers"
        )
    return next((head for head in HEAD_NAMINGS if head.is_in(arrays)), None)


def _rows(file: Path, arrays: dict[str, np.ndarray], name: str) -> int:
    if name not in arrays or not arrays[name].ndim:
        raise BadValueError(
            f"'{file}' has a head without {name}, so it is incomplete; choose a whole file, or convert its encoder "
            "alone with --backbone_only"
        )
    return arrays[name].shape[0]


def _next_step(output: Path, content: SegformerContent) -> str:
    if content.num_classes is None:
        return (
            f"written: {output} (the encoder: train.py --backbone={content.backbone} --pretrained_ckpt_path={output})"
        )
    backbone, width = content.backbone, content.decoder_channels
    head = f" --decoder_channels={width}" if width != MIT_VARIANTS[backbone].decoder_channels else ""
    return (
        f"written: {output} (the whole network: eval.py --backbone={backbone} --class_num={content.num_classes}{head} "
        f"--eval_ckpt_path={output})"
    )
