"""MMSegmentation's SegFormer in PyTorch, written down apart from the suite: its head around transformers' encoder.

The same classes of mmsegmentation 1.2.2 itself give the same logits; it is not installed where these tests run.
"""

import torch
from torch import nn

from segformer.src.variants import MIT_VARIANTS
from segformer.tests.foreign_files import mmsegmentation_encoder
from segformer.tests.transformers_reference import reference


class ConvModule(nn.Module):
    """1x1 convolution without bias, batch norm, ReLU."""

    def __init__(self, in_channels, channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, feature):
        return torch.relu(self.bn(self.conv(feature)))


class Head(nn.Module):
    """Project, enlarge, concatenate from the largest, fuse, classify; the names are those of the files."""

    def __init__(self, widths, channels, num_classes):
        super().__init__()
        self.convs = nn.ModuleList([ConvModule(width, channels) for width in widths])
        self.fusion_conv = ConvModule(4 * channels, channels)
        self.conv_seg = nn.Conv2d(channels, num_classes, 1)

    def forward(self, features, channel_scale=1.0):
        size = features[0].shape[2:]
        levels = [
            nn.functional.interpolate(conv(feature), size, mode="bilinear", align_corners=False)
            for conv, feature in zip(self.convs, features, strict=True)
        ]
        return self.conv_seg(self.fusion_conv(torch.cat(levels, dim=1)) * channel_scale)


def random_head(widths, channels, num_classes, seed=3):
    """Returns a head whose every weight and statistic is random."""
    head = Head(widths, channels, num_classes)
    generator = torch.Generator().manual_seed(seed)
    for name, value in head.state_dict().items():
        if value.ndim > 1:
            value.normal_(0.0, value[0].numel() ** -0.5, generator=generator)
        elif name.endswith(("bn.weight", "running_var")):
            value.uniform_(0.7, 1.4, generator=generator)
        elif value.is_floating_point():
            value.normal_(0.0, 0.1, generator=generator)
    return head


class Network(nn.Module):
    """transformers' encoder with the epsilon of MMSegmentation's layer norms, and `Head`."""

    def __init__(self, backbone, num_classes=19):
        super().__init__()
        self.model = reference(backbone)
        for module in self.model.modules():
            if isinstance(module, nn.LayerNorm):
                module.eps = 1e-6
        self.head = random_head(MIT_VARIANTS[backbone].widths, 256, num_classes).eval()

    def forward(self, images):
        features = self.model.segformer(images, output_hidden_states=True).hidden_states
        return self.head(features)

    def file_content(self):
        """Returns the state dict under MMSegmentation's names."""
        head = {f"decode_head.{name}": value for name, value in self.head.state_dict().items()}
        return mmsegmentation_encoder(self.model) | head
