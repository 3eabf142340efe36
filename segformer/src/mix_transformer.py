"""Mix Transformer, the encoder of SegFormer (Xie et al. 2021, section 3.1 and table 6).

Names of parameters are a file format:
    stages.S.patch_embed.{conv,norm}, stages.S.blocks.B.{attention_norm,mlp_norm},
    stages.S.blocks.B.attention.{query,key,value,output,reduction,reduction_norm},
    stages.S.blocks.B.mlp.{expand,position,contract}, stages.S.norm
with S in 0..3; each ends in .weight and .bias, a norm in .gamma and .beta.
"""

import math

from mindspore import Tensor, nn

from utils.cpu_kernels.attention import TokenAttention
from utils.cpu_kernels.convolution import Convolution
from utils.cpu_kernels.depthwise_gelu import DepthwiseGelu
from utils.cpu_kernels.layer_norm import LayerNorm

from .layers import NORM_EPS, convolution, convolution_init, linear, scaled, to_map, to_tokens
from .variants import ATTENTION_HEADS, MLP_RATIO, PATCH_KERNELS, PATCH_STRIDES, REDUCTIONS


class PatchEmbed(nn.Cell):
    """Overlapping patches as tokens: a convolution with stride, then a layer norm.

    Args:
        in_channels: channels of the map.
        channels: channels of the tokens.
        kernel: size of a patch; padding is half of it.
        stride: distance of patches.
        norm_eps: of the layer norm.
    """

    def __init__(self, in_channels: int, channels: int, kernel: int, stride: int, norm_eps: float = NORM_EPS) -> None:
        super().__init__()
        self.conv = Convolution(
            in_channels,
            channels,
            kernel,
            stride,
            has_bias=True,
            weight_init=convolution_init(kernel, channels),
            bias_init="zeros",
        )
        self.norm = LayerNorm(channels, norm_eps)

    def construct(self, feature: Tensor) -> tuple[Tensor, tuple[int, ...]]:
        """float32[N, in, H, W] -> tokens float32[N, h * w, channels] and (h, w) = ceil of (H, W) / stride."""
        feature = self.conv(feature)
        return self.norm(to_tokens(feature)), feature.shape[2:]


class EfficientAttention(nn.Cell):
    """Self-attention to keys and values of a map that is `reduction` times smaller each way (eq. 1 and 2).

    Args:
        channels: channels of the tokens, a multiple of `num_heads`.
        num_heads: attention heads.
        reduction: kernel and stride of the convolution before keys and values; 1 for none.
        norm_eps: of the layer norm after that convolution.
    """

    def __init__(self, channels: int, num_heads: int, reduction: int, norm_eps: float = NORM_EPS) -> None:
        super().__init__()
        if channels % num_heads:
            raise ValueError(f"channels ({channels}) must be a multiple of num_heads ({num_heads})")
        self.reduces = reduction > 1
        self.query = linear(channels, channels)
        self.key = linear(channels, channels)
        self.value = linear(channels, channels)
        self.output = linear(channels, channels)
        self.attend = TokenAttention(num_heads, 1.0 / math.sqrt(channels // num_heads))
        if self.reduces:
            self.reduction = convolution(channels, channels, reduction, reduction)
            self.reduction_norm = LayerNorm(channels, norm_eps)

    def construct(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """float32[N, H * W, C] of a map of size (H, W) -> float32[N, H * W, C]."""
        source = tokens
        if self.reduces:
            source = self.reduction_norm(to_tokens(self.reduction(to_map(tokens, size))))
        return self.output(self.attend(self.query(tokens), self.key(source), self.value(source)))


class MixMlp(nn.Cell):
    """Two linear layers around a depthwise 3x3 convolution, which sees positions by its zero padding (eq. 3).

    Args:
        channels: channels of the tokens.
        hidden_channels: channels between the linear layers.
    """

    def __init__(self, channels: int, hidden_channels: int) -> None:
        super().__init__()
        self.expand = linear(channels, hidden_channels)
        self.position = DepthwiseGelu(hidden_channels, convolution_init(3))
        self.contract = linear(hidden_channels, channels)

    def construct(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """float32[N, H * W, C] of a map of size (H, W) -> float32[N, H * W, C]."""
        return self.contract(self.position(self.expand(tokens), size))


class Block(nn.Cell):
    """Attention and MLP, each on normalised tokens and added to them.

    Args:
        channels: channels of the tokens.
        num_heads: attention heads.
        reduction: reduction of the attention.
        index: number of the block in the encoder; its columns of the path scales are 2 * index and 2 * index + 1.
        norm_eps: of the layer norms.
    """

    def __init__(self, channels: int, num_heads: int, reduction: int, index: int, norm_eps: float = NORM_EPS) -> None:
        super().__init__()
        self.index = index
        self.attention_norm = LayerNorm(channels, norm_eps)
        self.attention = EfficientAttention(channels, num_heads, reduction, norm_eps)
        self.mlp_norm = LayerNorm(channels, norm_eps)
        self.mlp = MixMlp(channels, channels * MLP_RATIO)

    def construct(self, tokens: Tensor, size: tuple[int, int], path_scale: Tensor | None = None) -> Tensor:
        """float32[N, H * W, C] of a map of size (H, W) -> float32[N, H * W, C]."""
        attended = self.attention(self.attention_norm(tokens), size)
        tokens = tokens + scaled(attended, path_scale, 2 * self.index)
        mixed = self.mlp(self.mlp_norm(tokens), size)
        return tokens + scaled(mixed, path_scale, 2 * self.index + 1)


class Stage(nn.Cell):
    """Patch embedding, blocks and a layer norm.

    Args:
        patch_embed: the patch embedding.
        channels: channels of the tokens.
        blocks: the blocks.
        norm_eps: of the layer norm.
    """

    def __init__(self, patch_embed: PatchEmbed, channels: int, blocks: list[Block], norm_eps: float = NORM_EPS) -> None:
        super().__init__()
        self.patch_embed = patch_embed
        self.blocks = nn.CellList(blocks)
        self.norm = LayerNorm(channels, norm_eps)

    def construct(self, feature: Tensor, path_scale: Tensor | None = None) -> Tensor:
        """float32[N, in, H, W] -> float32[N, channels, h, w]."""
        tokens, size = self.patch_embed(feature)
        for block in self.blocks:
            tokens = block(tokens, size, path_scale)
        return to_map(self.norm(tokens), size)


class MixTransformer(nn.Cell):
    """The encoder: image to features at strides 4, 8, 16 and 32.

    Args:
        widths: channels of the four stages.
        depths: blocks of the four stages.
        norm_eps: what every layer norm adds to the variance.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int],
        depths: tuple[int, int, int, int],
        norm_eps: float = NORM_EPS,
    ) -> None:
        super().__init__()
        self.num_blocks = sum(depths)
        stages = []
        for stage, (channels, depth) in enumerate(zip(widths, depths, strict=True)):
            first = sum(depths[:stage])
            in_channels = widths[stage - 1] if stage else 3
            patch_embed = PatchEmbed(in_channels, channels, PATCH_KERNELS[stage], PATCH_STRIDES[stage], norm_eps)
            blocks = [
                Block(channels, ATTENTION_HEADS[stage], REDUCTIONS[stage], first + number, norm_eps)
                for number in range(depth)
            ]
            stages.append(Stage(patch_embed, channels, blocks, norm_eps))
        self.stages = nn.CellList(stages)

    def construct(self, images: Tensor, path_scale: Tensor | None = None) -> tuple[Tensor, ...]:
        """Computes the four features.

        Args:
            images: float32[N, 3, H, W]; any size of which a quarter has 8 pixels (29 on).
            path_scale: float32[N, 2 * num_blocks], what each block's attention branch and MLP branch is multiplied
                with: 0 where it is dropped, else 1 / (1 - its rate). None for inference.

        Returns:
            float32[N, widths[i], ceil(H / 2^(i+2)), ceil(W / 2^(i+2))] for i in 0..3.
        """
        feature = images
        features: tuple[Tensor, ...] = ()
        for stage in self.stages:
            feature = stage(feature, path_scale)
            features += (feature,)
        return features
