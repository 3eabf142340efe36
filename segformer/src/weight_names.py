"""What other programs call the weights of this network, and how they lay some of them together.

Four namings of the encoder: the first release's, which is also that of its ImageNet backbones; MMSegmentation's;
transformers' files'; and that of the modules of transformers 5. Three of the paper's head, one of MMSegmentation's.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from utils.training.checkpoints.conversion_command import Naming
from utils.training.checkpoints.weight_conversion import WeightSource, batch_norm_sources, convolution_sources

from .variants import NUM_STAGES

_NORMS = ("attention_norm", "attention.reduction_norm", "mlp_norm")

_REDUCTION = "attention.sequence_reduction"  # in transformers 5
# Own name of each part of a block, and those of the four namings of the encoder, in the order of `ENCODERS`.
_PARTS = (
    ("attention_norm", "norm1", "norm1", "layer_norm_1", "layernorm_before"),
    ("attention.query", "attn.q", "attn.attn.in_proj[query]", "attention.self.query", "attention.q_proj"),
    ("attention.key", "attn.kv[key]", "attn.attn.in_proj[key]", "attention.self.key", "attention.k_proj"),
    ("attention.value", "attn.kv[value]", "attn.attn.in_proj[value]", "attention.self.value", "attention.v_proj"),
    ("attention.reduction", "attn.sr", "attn.sr", "attention.self.sr", f"{_REDUCTION}.sequence_reduction"),
    ("attention.reduction_norm", "attn.norm", "attn.norm", "attention.self.layer_norm", f"{_REDUCTION}.layer_norm"),
    ("attention.output", "attn.proj", "attn.attn.out_proj", "attention.output.dense", "attention.o_proj"),
    ("mlp_norm", "norm2", "norm2", "layer_norm_2", "layernorm_after"),
    ("mlp.expand", "mlp.fc1", "ffn.layers.0", "mlp.dense1", "mlp.fc1"),
    ("mlp.position", "mlp.dwconv.dwconv", "ffn.layers.1", "mlp.dwconv.dwconv", "mlp.dwconv.dwconv"),
    ("mlp.contract", "mlp.fc2", "ffn.layers.4", "mlp.dense2", "mlp.fc2"),
)
_OWN, *_OF_NAMINGS = zip(*_PARTS, strict=True)
RELEASE_PARTS, MMSEGMENTATION_PARTS, TRANSFORMERS_PARTS, MODULES_PARTS = (
    dict(zip(_OWN, names, strict=True)) for names in _OF_NAMINGS
)


@dataclass(frozen=True, kw_only=True)
class EncoderNaming(Naming):
    """One way to name the encoder's weights.

    Attributes:
        patch_conv: convolution of a patch embedding.
        patch_norm: norm after it.
        stage_norm: norm at the end of a stage.
        parts: own name inside a block to the name there.
        norm_eps: what its program adds to the variance in layer norms.
        divisor: to multiples of which its publisher rounds up the sides of pictures, on ADE20K.
    """

    patch_conv: str
    patch_norm: str
    stage_norm: str
    parts: Mapping[str, str]
    norm_eps: float = 1e-5
    divisor: int = 1

    @property
    def first(self) -> str:
        """The first patch embedding."""
        return self.patch_conv.format(stage=0, number=1)

    def sources(self, prefix: str, depths: Sequence[int]) -> dict[str, WeightSource]:
        """Returns the source of every parameter of the encoder, `depths` blocks in its stages."""
        sources: dict[str, WeightSource] = {}
        for stage, depth in enumerate(depths):
            own, at = f"backbone.stages.{stage}", {"stage": stage, "number": stage + 1}
            sources |= convolution_sources(
                f"{own}.patch_embed.conv", prefix + self.patch_conv.format(**at), has_bias=True
            )
            sources |= _norm_sources(f"{own}.patch_embed.norm", prefix + self.patch_norm.format(**at))
            for block in range(depth):
                sources |= self._block_sources(
                    f"{own}.blocks.{block}",
                    prefix + self.block.format(**at, block=block),
                    reduces=stage < NUM_STAGES - 1,
                )
            sources |= _norm_sources(f"{own}.norm", prefix + self.stage_norm.format(**at))
        return sources

    def _block_sources(self, own: str, foreign: str, reduces: bool) -> dict[str, WeightSource]:
        sources: dict[str, WeightSource] = {}
        for part, name in self.parts.items():
            if part in _NORMS and (reduces or part != "attention.reduction_norm"):
                sources |= _norm_sources(f"{own}.{part}", f"{foreign}.{name}")
            elif part not in _NORMS and (reduces or part != "attention.reduction"):
                sources |= convolution_sources(f"{own}.{part}", f"{foreign}.{name}", has_bias=True)
        return sources

    def widths(self, prefix: str, arrays: Mapping[str, np.ndarray]) -> tuple[int, ...]:
        """Returns the channels of the stages that a file has."""
        names = [
            prefix + self.patch_conv.format(stage=stage, number=stage + 1) + ".weight" for stage in range(NUM_STAGES)
        ]
        return tuple(arrays[name].shape[0] for name in names if name in arrays and arrays[name].ndim)


@dataclass(frozen=True)
class HeadNaming:
    """One way to name the head's weights; `{level}` counts from 0, `{number}` from 1.

    Attributes:
        projection: linear layer of a level.
        fuse: linear layer over all levels.
        norm: batch norm after it.
        classifier: the last layer.
        dropped: further names that may be in a file, as `convert_weights` takes them.
        kind: which head it is, a value of the key `head`.
    """

    projection: str
    fuse: str
    norm: str
    classifier: str
    dropped: Mapping[str, str]
    kind: ClassVar[str] = "paper"

    def is_in(self, names: Iterable[str]) -> bool:
        """Whether a file has it."""
        return self.projection.format(level=0, number=1) + ".weight" in set(names)

    def sources(self) -> dict[str, WeightSource]:
        """Returns the source of every parameter of the head."""
        sources: dict[str, WeightSource] = {}
        for level in range(NUM_STAGES):
            foreign = self.projection.format(level=level, number=level + 1)
            sources |= self.projection_sources(f"head.projections.{level}", foreign)
        return {
            **sources,
            **convolution_sources("head.fuse", self.fuse),
            **batch_norm_sources("head.norm", self.norm),
            **convolution_sources("head.classifier", self.classifier, has_bias=True),
        }

    def projection_sources(self, own: str, foreign: str) -> dict[str, WeightSource]:
        """Returns the source of every parameter of a level."""
        return convolution_sources(own, foreign, has_bias=True)


class MMSegmentationHeadNaming(HeadNaming):
    """The names of MMSegmentation's head: convolution, batch norm and ReLU are a module each time."""

    kind = "mmsegmentation"

    def projection_sources(self, own: str, foreign: str) -> dict[str, WeightSource]:
        """Returns the source of every parameter of a level; `foreign` is its convolution."""
        module = foreign.removesuffix(".conv")
        return convolution_sources(f"{own}.conv", foreign) | batch_norm_sources(f"{own}.norm", f"{module}.bn")


RELEASE = EncoderNaming(
    title="the names of the first release (mit_b*.pth)",
    prefixes=("", "backbone.", "encoder."),
    patch_conv="patch_embed{number}.proj",
    patch_norm="patch_embed{number}.norm",
    stage_norm="norm{number}",
    block="block{number}.{block}",
    parts=RELEASE_PARTS,
    dropped={
        r"head\.(weight|bias)": "head.*, the classifier of ImageNet",
        r"(decoder|segmentation_head|classification_head)\..*": "the decoder of segmentation_models_pytorch, another "
        "network than the head here",
    },
    divisor=32,
)
MMSEGMENTATION = EncoderNaming(
    title="MMSegmentation's names",
    prefixes=("", "backbone."),
    patch_conv="layers.{stage}.0.projection",
    patch_norm="layers.{stage}.0.norm",
    stage_norm="layers.{stage}.2",
    block="layers.{stage}.1.{block}",
    parts=MMSEGMENTATION_PARTS,
    norm_eps=1e-6,
)
TRANSFORMERS = EncoderNaming(
    title="transformers' names",
    prefixes=("segformer.", ""),
    patch_conv="encoder.patch_embeddings.{stage}.proj",
    patch_norm="encoder.patch_embeddings.{stage}.layer_norm",
    stage_norm="encoder.layer_norm.{stage}",
    block="encoder.block.{stage}.{block}",
    parts=TRANSFORMERS_PARTS,
    dropped={r"classifier\.(weight|bias)": "classifier.*, that of ImageNet"},
)
TRANSFORMERS_MODULES = EncoderNaming(
    title="the names of transformers 5's modules",
    prefixes=("segformer.", ""),
    patch_conv="stages.{stage}.patch_embeddings.proj",
    patch_norm="stages.{stage}.patch_embeddings.layer_norm",
    stage_norm="stages.{stage}.layer_norm",
    block="stages.{stage}.blocks.{block}",
    parts=MODULES_PARTS,
    dropped=TRANSFORMERS.dropped,
)
OF_TRANSFORMERS = (TRANSFORMERS, TRANSFORMERS_MODULES)
ENCODERS = (RELEASE, MMSEGMENTATION, TRANSFORMERS, TRANSFORMERS_MODULES)

_HEAD = "decode_head."
_TRANSFORMERS_HEAD: dict[str, Any] = {
    "fuse": f"{_HEAD}linear_fuse",
    "norm": f"{_HEAD}batch_norm",
    "classifier": f"{_HEAD}classifier",
    "dropped": {},
}
HEAD_NAMINGS = (
    HeadNaming(
        projection=f"{_HEAD}linear_c{{number}}.proj",
        fuse=f"{_HEAD}linear_fuse.conv",
        norm=f"{_HEAD}linear_fuse.bn",
        classifier=f"{_HEAD}linear_pred",
        dropped={r"decode_head\.conv_seg\.(weight|bias)": "decode_head.conv_seg.*, a layer that the head never uses"},
    ),
    HeadNaming(projection=f"{_HEAD}linear_c.{{level}}.proj", **_TRANSFORMERS_HEAD),
    HeadNaming(projection=f"{_HEAD}linear_projections.{{level}}.proj", **_TRANSFORMERS_HEAD),
    MMSegmentationHeadNaming(
        projection=f"{_HEAD}convs.{{level}}.conv",
        fuse=f"{_HEAD}fusion_conv.conv",
        norm=f"{_HEAD}fusion_conv.bn",
        classifier=f"{_HEAD}conv_seg",
        dropped={},
    ),
)
ANY_HEAD = {r"decode_head\..*": "decode_head.*, left out as --backbone_only asks"}

# Linear layers that a file keeps in one array, first axis: end of its name, whether weight or bias, what it holds.
_STACKED = re.compile(r"(.*\.(?:attn\.kv|attn\.attn\.in_proj))[._](weight|bias)")
_ROWS = {"attn.kv": ("key", "value"), "attn.attn.in_proj": ("query", "key", "value")}
_CONVOLUTIONS_1X1 = re.compile(r".*\.ffn\.layers\.[04]\.weight")


def in_single_layers(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Takes stacked linear layers apart (`attn.kv.weight` to `attn.kv[key].weight` and so on).

    MMSegmentation's 1x1 convolutions, float[out, in, 1, 1], become the linear layers that they are, float[out, in]. An
    array that does not have such a shape is left as it is, and named as left over later.
    """
    single: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        stacked = _STACKED.fullmatch(name)
        rows = next((rows for end, rows in _ROWS.items() if stacked and stacked[1].endswith(end)), ())
        if stacked and rows and array.ndim and array.shape[0] % len(rows) == 0:
            parts = np.split(array, len(rows))
            single |= {f"{stacked[1]}[{row}].{stacked[2]}": part for row, part in zip(rows, parts, strict=True)}
        elif _CONVOLUTIONS_1X1.fullmatch(name) and array.shape[2:] == (1, 1):
            single[name] = array[:, :, 0, 0]
        else:
            single[name] = array
    return single


def _norm_sources(own: str, foreign: str) -> dict[str, WeightSource]:
    return {f"{own}.gamma": WeightSource((f"{foreign}.weight",)), f"{own}.beta": WeightSource((f"{foreign}.bias",))}
