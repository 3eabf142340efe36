"""One random network of transformers under the names of other programs, written down apart from the converter's."""

import re

import torch

RELEASE_RULES = (
    (r"^segformer\.encoder\.", "backbone."),
    (r"patch_embeddings\.(\d)\.layer_norm", lambda m: f"patch_embed{int(m[1]) + 1}.norm"),
    (r"patch_embeddings\.(\d)", lambda m: f"patch_embed{int(m[1]) + 1}"),
    (r"backbone\.layer_norm\.(\d)", lambda m: f"backbone.norm{int(m[1]) + 1}"),
    (r"block\.(\d)", lambda m: f"block{int(m[1]) + 1}"),
    (r"layer_norm_(\d)", r"norm\1"),
    (r"attention\.self\.layer_norm", "attn.norm"),
    (r"attention\.self\.query", "attn.q"),
    (r"attention\.self\.", "attn."),
    (r"attention\.output\.dense", "attn.proj"),
    (r"mlp\.dense", "mlp.fc"),
    (r"linear_c\.(\d)", lambda m: f"linear_c{int(m[1]) + 1}"),
    (r"linear_fuse\.weight", "linear_fuse.conv.weight"),
    (r"decode_head\.batch_norm", "decode_head.linear_fuse.bn"),
    (r"decode_head\.classifier", "decode_head.linear_pred"),
)


def file_names(model):
    """The weights by the names that transformers' files have, of whatever version."""
    renames = (
        (r"segformer\.stages\.(\d)\.patch_embeddings\.", r"segformer.encoder.patch_embeddings.\1."),
        (r"segformer\.stages\.(\d)\.blocks\.", r"segformer.encoder.block.\1."),
        (r"segformer\.stages\.(\d)\.layer_norm", r"segformer.encoder.layer_norm.\1"),
        (r"attention\.q_proj", "attention.self.query"),
        (r"attention\.k_proj", "attention.self.key"),
        (r"attention\.v_proj", "attention.self.value"),
        (r"attention\.o_proj", "attention.output.dense"),
        (r"sequence_reduction\.sequence_reduction", "self.sr"),
        (r"attention\.sequence_reduction\.layer_norm", "attention.self.layer_norm"),
        (r"mlp\.fc", "mlp.dense"),
        ("layernorm_before", "layer_norm_1"),
        ("layernorm_after", "layer_norm_2"),
        ("linear_projections", "linear_c"),
    )
    return {_renamed(name, renames): value for name, value in model.state_dict().items()}


def release(model):
    """The whole network of the first release: keys and values in one layer, and a layer that nothing uses."""
    weights = {_renamed(name, RELEASE_RULES): value for name, value in file_names(model).items()}
    for name in [name for name in weights if ".attn.key." in name]:
        pair = weights.pop(name), weights.pop(name.replace("key", "value"))
        weights[name.replace("key", "kv")] = torch.cat(pair)
    return weights | {
        "decode_head.conv_seg.weight": torch.zeros(19, 128, 1, 1),
        "decode_head.conv_seg.bias": torch.zeros(19),
    }


def release_backbone(model):
    """The encoder of the first release with its classifier of ImageNet."""
    weights = {
        name.removeprefix("backbone."): value for name, value in release(model).items() if name.startswith("backbone.")
    }
    return weights | {"head.weight": torch.zeros(1000, 256), "head.bias": torch.zeros(1000)}


MMSEGMENTATION_RULES = (
    (r"patch_embed(\d)\.proj", lambda m: f"layers.{int(m[1]) - 1}.0.projection"),
    (r"patch_embed(\d)", lambda m: f"layers.{int(m[1]) - 1}.0"),
    (r"backbone\.norm(\d)", lambda m: f"backbone.layers.{int(m[1]) - 1}.2"),
    (r"block(\d)", lambda m: f"layers.{int(m[1]) - 1}.1"),
    (r"attn\.proj", "attn.attn.out_proj"),
    (r"attn\.q\.", "attn.attn.in_proj_"),
    (r"mlp\.fc1", "ffn.layers.0"),
    (r"mlp\.dwconv\.dwconv", "ffn.layers.1"),
    (r"mlp\.fc2", "ffn.layers.4"),
)


def mmsegmentation_encoder(model):
    """The encoder as MMSegmentation names it."""
    encoder = {name: value for name, value in release(model).items() if name.startswith("backbone.")}
    weights = {}
    for name, value in encoder.items():
        if ".attn.q." in name:
            value = torch.cat([value, encoder[name.replace(".q.", ".kv.")]])
        elif re.search(r"fc[12]\.weight", name):
            value = value[:, :, None, None]
        if ".attn.kv." not in name:
            weights[_renamed(name, MMSEGMENTATION_RULES)] = value
    return weights


def _renamed(name, rules):
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name
