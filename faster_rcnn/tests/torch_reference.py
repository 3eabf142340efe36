"""An independent PyTorch formulation of the dense network, with MMDetection v3's parameter names.

Written from the papers and from the names in MMDetection's configuration `faster_rcnn_r2_101_fpn`; nothing of the
MindSpore network is used here.
"""

import torch
from torch import nn
from torch.nn import functional


class Bottle2neck(nn.Module):
    def __init__(self, inputs, planes, width, scales, stride, is_first, pools):
        super().__init__()
        self.scales, self.width, self.is_first, self.pools = scales, width, is_first, pools
        self.conv1 = nn.Conv2d(inputs, width * scales, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width * scales)
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, stride, 1, bias=False) for _ in range(scales - 1))
        self.bns = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(scales - 1))
        self.conv3 = nn.Conv2d(width * scales, planes * 4, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * 4)
        self.pool = nn.AvgPool2d(3, stride, 1)
        self.downsample = None
        if is_first:
            self.downsample = nn.Sequential(
                nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False),
                nn.Conv2d(inputs, planes * 4, 1, bias=False),
                nn.BatchNorm2d(planes * 4),
            )

    def forward(self, x):
        splits = torch.split(self.bn1(self.conv1(x)).relu(), self.width, 1)
        results = []
        for split, conv, norm in zip(splits, self.convs, self.bns, strict=False):
            chained = results and not self.is_first
            results.append(norm(conv(results[-1] + split if chained else split)).relu())
        results.append(self.pool(splits[-1]) if self.pools else splits[-1])
        out = self.bn3(self.conv3(torch.cat(results, 1)))
        return (out + (x if self.downsample is None else self.downsample(x))).relu()


class Backbone(nn.Module):
    def __init__(self, layers, width, base_width, scales, stage1_pool):
        super().__init__()
        half = width // 2
        self.stem = nn.Sequential(
            nn.Conv2d(3, half, 3, 2, 1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(),
            nn.Conv2d(half, half, 3, 1, 1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(),
            nn.Conv2d(half, width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        inputs = width
        for stage, blocks in enumerate(layers):
            planes, modules = width * 2**stage, []
            for block in range(blocks):
                first, stride = block == 0, 2 if block == 0 and stage > 0 else 1
                pools = first and (stride == 2 or stage1_pool)
                modules.append(Bottle2neck(inputs, planes, base_width * 2**stage, scales, stride, first, pools))
                inputs = planes * 4
            setattr(self, f"layer{stage + 1}", nn.Sequential(*modules))

    def forward(self, x):
        x = functional.max_pool2d(self.stem(x), 3, 2, 1)
        features = []
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
            features.append(x)
        return features


class ConvModule(nn.Module):
    def __init__(self, inputs, outputs, kernel):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)

    def forward(self, x):
        return self.conv(x)


class Fpn(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.lateral_convs = nn.ModuleList(ConvModule(inputs, out_channels, 1) for inputs in in_channels)
        self.fpn_convs = nn.ModuleList(ConvModule(out_channels, out_channels, 3) for _ in in_channels)

    def forward(self, features):
        merged = [conv(x) for conv, x in zip(self.lateral_convs, features, strict=True)]
        for level in range(len(merged) - 1, 0, -1):
            size = merged[level - 1].shape[2:]
            merged[level - 1] = merged[level - 1] + functional.interpolate(merged[level], size=size, mode="nearest")
        outputs = [conv(x) for conv, x in zip(self.fpn_convs, merged, strict=True)]
        return [*outputs, functional.max_pool2d(outputs[-1], 1, 2)]


class RpnHead(nn.Module):
    def __init__(self, in_channels, feat_channels, anchors_per_cell):
        super().__init__()
        self.rpn_conv = nn.Conv2d(in_channels, feat_channels, 3, padding=1)
        self.rpn_cls = nn.Conv2d(feat_channels, anchors_per_cell, 1)
        self.rpn_reg = nn.Conv2d(feat_channels, anchors_per_cell * 4, 1)

    def forward(self, pyramid):
        scores, deltas = [], []
        for x in pyramid:
            x = self.rpn_conv(x).relu()
            scores.append(self.rpn_cls(x).permute(0, 2, 3, 1).reshape(len(x), -1))
            deltas.append(self.rpn_reg(x).permute(0, 2, 3, 1).reshape(len(x), -1, 4))
        return torch.cat(scores, 1), torch.cat(deltas, 1)


class BboxHead(nn.Module):
    def __init__(self, in_channels, roi_size, fc_channels, num_classes):
        super().__init__()
        self.shared_fcs = nn.ModuleList(
            [nn.Linear(in_channels * roi_size**2, fc_channels), nn.Linear(fc_channels, fc_channels)]
        )
        self.fc_cls = nn.Linear(fc_channels, num_classes + 1)
        self.fc_reg = nn.Linear(fc_channels, num_classes * 4)

    def forward(self, pooled):
        x = pooled.flatten(1)
        for layer in self.shared_fcs:
            x = layer(x).relu()
        return self.fc_cls(x), self.fc_reg(x).reshape(len(x), -1, 4)


class RoiHead(nn.Module):
    def __init__(self, bbox_head):
        super().__init__()
        self.bbox_head = bbox_head


class ReferenceNetwork(nn.Module):
    """Backbone, neck, RPN and box head; `eval()` uses the moving statistics, as MMDetection's `norm_eval=True`."""

    def __init__(
        self,
        layers=(3, 4, 6, 3),
        width=64,
        base_width=26,
        scales=4,
        *,
        channels=256,
        roi_size=7,
        fc_channels=1024,
        num_classes=80,
        anchors_per_cell=3,
        stage1_pool=False,
    ):
        super().__init__()
        self.backbone = Backbone(layers, width, base_width, scales, stage1_pool)
        self.neck = Fpn([width * 4 * 2**stage for stage in range(4)], channels)
        self.rpn_head = RpnHead(channels, channels, anchors_per_cell)
        self.roi_head = RoiHead(BboxHead(channels, roi_size, fc_channels, num_classes))

    def forward(self, images):
        """Returns the pyramid P2 to P6, objectness [N, A] and deltas [N, A, 4]."""
        pyramid = self.neck(self.backbone(images))
        return pyramid, *self.rpn_head(pyramid)


def randomise(network, seed=0):
    """Gives every weight and statistic a random value at which no branch is multiplied away."""
    generator = torch.Generator().manual_seed(seed)

    def draw(shape, low=None, high=None):
        if low is not None:
            return torch.rand(shape, generator=generator) * (high - low) + low
        return torch.randn(shape, generator=generator)

    with torch.no_grad():
        for name, value in network.state_dict().items():
            if "num_batches" in name:
                continue
            if value.dim() > 1:
                value.copy_(draw(value.shape) * (value[0].numel() ** -0.5))
            elif "running_var" in name or (name.endswith("weight") and value.dim() == 1):
                value.copy_(draw(value.shape, 0.7, 1.4))
            else:
                value.copy_(draw(value.shape) * 0.1)
    return network
