"""Makes a checkpoint of this suite from a SegFormer or a Mix Transformer of PyTorch, and says what became of it."""

import shlex
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from utils.model_utils.config.loading import dump_config
from utils.model_utils.errors import BadValueError
from utils.model_utils.files import check_writable_folder
from utils.training.checkpoints.conversion_command import COUNTERS, Content, check_output, write_converted
from utils.training.checkpoints.foreign_weights import read_foreign_weights

from .build import SUITE, build_network
from .config import SegformerConfig
from .foreign.recipes import Recipe, openmmlab_recipe, processor_recipe
from .foreign.transformers_folder import processor_settings, read_folder
from .variants import MIT_VARIANTS
from .weight_names import (
    ANY_HEAD,
    ENCODERS,
    HEAD_NAMINGS,
    OF_TRANSFORMERS,
    EncoderNaming,
    HeadNaming,
    in_single_layers,
)

MAX_CHARACTERS = 120  # of the names of classes in the report
_WHOSE = {"paper": "the paper's", "mmsegmentation": "MMSegmentation's"}


@dataclass(frozen=True, kw_only=True)
class SegformerContent(Content):
    """What a file turned out to hold.

    Attributes:
        backbone: published size, "mit_b0" to "mit_b5".
        naming: of its encoder.
        decoder_channels: width of the head; None without a head.
        head: kind of head.
    """

    backbone: str
    naming: EncoderNaming
    decoder_channels: int | None = None
    head: str = "paper"


def convert(
    source: Path, output: Path, *, backbone_only: bool = False, averaged: bool = False, overwrite: bool = False
) -> str:
    """Converts a file, or a folder of transformers, and writes the checkpoint; returns the report.

    Args:
        source: .pth, .bin or .safetensors file, or a folder with config.json and one of them.
        output: checkpoint to write.
        backbone_only: leave the head out.
        averaged: take the weights that were averaged over the steps where the file has both.
        overwrite: replace `output` where it is there.

    Raises:
        UserError: the source cannot be read or does not fit, or the output is in the way.
    """
    check_writable_folder(output.parent, "--ms_model_path")
    check_output(source, output, overwrite, "--ms_model_path", "--overwrite")
    if averaged and source.is_dir():
        raise BadValueError(f"folder '{source}' has no averaged weights; leave --ema out")
    weights = read_folder(source) if source.is_dir() else read_foreign_weights(source, averaged=averaged, flag="--ema")
    weights = replace(weights, arrays=in_single_layers(weights.arrays))
    content = recognise(weights.path, weights.arrays, backbone_only)
    names = weights.class_names if len(weights.class_names) == content.num_classes else ()
    recipe = find_recipe(source, content, names, weights.program_config)
    content = replace(content, notes=(*_class_notes(content, names), *content.notes, *recipe.notes))
    config = SegformerConfig.model_validate(
        {**network_keys(content), **recipe.keys, **({"class_names": names} if names else {})}
    )
    report = write_converted(
        output,
        weights,
        content,
        build_network(config),
        flag="--ms_model_path",
        suite=SUITE,
        config_text=dump_config(config),
        class_names=names,
        advice="choose a whole file of a SegFormer, or convert its encoder alone with --backbone_only",
    )
    return f"{report}\n{_next_step(output, content)}"


def _class_notes(content: SegformerContent, names: Sequence[str]) -> tuple[str, ...]:
    if content.num_classes is None:
        return ()
    listed = textwrap.shorten(", ".join(map(repr, names)), MAX_CHARACTERS, placeholder=" ...")
    return (f"classes: {content.num_classes}, {listed or 'whose names the file does not say'}",)


def network_keys(content: SegformerContent) -> dict[str, object]:
    """Returns the keys of the network that a file holds."""
    keys: dict[str, object] = {"backbone": content.backbone, "layer_norm_eps": content.naming.norm_eps}
    if content.num_classes is None:
        return keys
    return keys | {
        "class_num": content.num_classes,
        "decoder_channels": content.decoder_channels,
        "head": content.head,
    }


def find_recipe(source: Path, content: SegformerContent, names: Sequence[str], program: Mapping[str, object]) -> Recipe:
    """Returns at what sizes pictures are shown to weights by their publisher; nothing for an encoder alone.

    Raises:
        BadValueError: what a folder of transformers says of it cannot be read.
    """
    if content.num_classes is None:
        return Recipe()
    if content.naming in OF_TRANSFORMERS:
        return processor_recipe(processor_settings(source) if source.is_dir() else None)
    return openmmlab_recipe(source, content.num_classes, names, content.naming.divisor, program)


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
            naming=naming,
            sources=sources,
            dropped=dropped | (ANY_HEAD if backbone_only else {}),
        )
    num_classes, decoder_channels = (_rows(file, arrays, f"{layer}.weight") for layer in (head.classifier, head.fuse))
    return SegformerContent(
        title=f"SegFormer with {title}, {num_classes} classes, {_WHOSE[head.kind]} head of {decoder_channels} channels",
        backbone=backbone,
        naming=naming,
        head=head.kind,
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
    return next((head for head in HEAD_NAMINGS if head.is_in(arrays)), None)


def _rows(file: Path, arrays: dict[str, np.ndarray], name: str) -> int:
    if name not in arrays or not arrays[name].ndim:
        raise BadValueError(
            f"'{file}' has a head without {name}, so it is incomplete; choose a whole file, or convert its encoder "
            "alone with --backbone_only"
        )
    return arrays[name].shape[0]


def _next_step(output: Path, content: SegformerContent) -> str:
    file = shlex.quote(str(output))
    if content.num_classes is None:
        use = f"train.py --data_path=DATA --backbone={content.backbone} --pretrained_ckpt_path={file}"
        return f"written: {output} (the encoder: {use})"
    return f"written: {output} (the whole network: eval.py --data_path=DATA --eval_ckpt_path={file})"
