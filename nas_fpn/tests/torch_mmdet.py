"""RetinaNet R50 NAS-FPN in PyTorch with MMDetection's parameter names, and its decoding and NMS, written from the paper
and from MMDetection's description, to check the converter with. Nothing here uses the suite."""

import math

import torch
from torch import nn
from torch.nn import functional

STRIDES = (8, 16, 32, 64, 128)


class Block(nn.Module):
    """torchvision's bottleneck: conv1, bn1 ... conv3, bn3, downsample.0 and .1; the stride is on conv2."""

    def __init__(self, inputs, width, stride, has_shortcut):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, width * 4, 1, bias=False), nn.BatchNorm2d(width * 4)
        if has_shortcut:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, width * 4, 1, stride, bias=False), nn.BatchNorm2d(width * 4)
            )

    def forward(self, x):
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn3(self.conv3(self.bn2(self.conv2(y)).relu()))
        return (y + (self.downsample(x) if hasattr(self, "downsample") else x)).relu()


class Backbone(nn.Module):
    """A ResNet as torchvision names it; `classifier` adds its fc."""

    def __init__(self, layers=(3, 4, 6, 3), width=64, classifier=False):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        inputs = width
        for stage, count in enumerate(layers):
            own = width * 2**stage
            blocks = []
            for block in range(count):
                blocks.append(Block(inputs, own, 2 if stage and block == 0 else 1, block == 0))
                inputs = own * 4
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        if classifier:
            self.fc = nn.Linear(inputs, 1000)

    def forward(self, x):
        x = self.layer1(functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1))
        c3 = self.layer2(x)
        c4 = self.layer3(c3)
        return c3, c4, self.layer4(c4)


class ConvBn(nn.Module):
    """mmcv's ConvModule: .conv and .bn."""

    def __init__(self, inputs, outputs, kernel, bias=False):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.bn(self.conv(x))


class Cell(nn.Module):
    """mmcv's merge cell with its convolution (bias and all) behind a ReLU."""

    def __init__(self, channels):
        super().__init__()
        self.out_conv = ConvBn(channels, channels, 3, bias=True)

    def forward(self, x):
        return self.out_conv(x.relu())


def resized(x, like):
    if x.shape[-1] == like.shape[-1]:
        return x
    if x.shape[-1] < like.shape[-1]:
        return functional.interpolate(x, size=like.shape[-2:], mode="nearest")
    ratio = x.shape[-1] // like.shape[-1]
    return functional.max_pool2d(x, ratio, ratio)


def gated(x1, x2, like):
    """mmcv's global pooling cell: the second input, plus the first weighted by the second's mean."""
    x1, x2 = resized(x1, like), resized(x2, like)
    return x2 + torch.sigmoid(functional.adaptive_avg_pool2d(x2, 1)) * x1


class Neck(nn.Module):
    CELLS = ("gp_64_4", "sum_44_4", "sum_43_3", "sum_34_4", "sum_55_5", "sum_77_7", "gp_75_6")

    def __init__(self, inputs, channels, stacks):
        super().__init__()
        self.lateral_convs = nn.ModuleList([ConvBn(count, channels, 1) for count in inputs])
        self.extra_downsamples = nn.ModuleList(
            [nn.Sequential(ConvBn(channels, channels, 1), nn.MaxPool2d(2, 2)) for _ in range(2)]
        )
        self.fpn_stages = nn.ModuleList(
            [nn.ModuleDict({name: Cell(channels) for name in self.CELLS}) for _ in range(stacks)]
        )

    def forward(self, features):
        p3, p4, p5 = (conv(x) for conv, x in zip(self.lateral_convs, features, strict=True))
        p6 = self.extra_downsamples[0](p5)
        p7 = self.extra_downsamples[1](p6)
        for stage in self.fpn_stages:
            p4_1 = stage["gp_64_4"](gated(p6, p4, p4))
            p4_2 = stage["sum_44_4"](p4_1 + p4)
            p3 = stage["sum_43_3"](resized(p4_2, p3) + p3)
            p4 = stage["sum_34_4"](resized(p3, p4) + p4_2)
            p5 = stage["sum_55_5"](p5 + gated(p4, p3, p5))
            p7 = stage["sum_77_7"](p7 + gated(p5, p4_2, p7))
            p6 = stage["gp_75_6"](gated(p7, p5, p6))
        return p3, p4, p5, p6, p7


class Head(nn.Module):
    """RetinaSepBNHead: the convolutions of all levels are those of the first; the state dict repeats them."""

    def __init__(self, channels, convs, classes, anchors=9):
        super().__init__()
        self.classes = classes
        self.cls_convs, self.reg_convs = self._towers(channels, convs), self._towers(channels, convs)
        self.retina_cls = nn.Conv2d(channels, anchors * classes, 3, padding=1)
        self.retina_reg = nn.Conv2d(channels, anchors * 4, 3, padding=1)

    @staticmethod
    def _towers(channels, convs):
        towers = nn.ModuleList([nn.ModuleList([ConvBn(channels, channels, 3) for _ in range(convs)]) for _ in STRIDES])
        for tower in towers[1:]:
            for index in range(convs):
                tower[index].conv = towers[0][index].conv
        return towers

    def forward(self, pyramid):
        outputs = []
        for level, x in enumerate(pyramid):
            scores = boxes = x
            for conv in self.cls_convs[level]:
                scores = conv(scores).relu()
            for conv in self.reg_convs[level]:
                boxes = conv(boxes).relu()
            outputs.append((self.retina_cls(scores), self.retina_reg(boxes)))
        return outputs


class Detector(nn.Module):
    def __init__(self, layers=(3, 4, 6, 3), width=64, channels=256, stacks=7, convs=4, classes=80):
        super().__init__()
        self.backbone = Backbone(layers, width)
        self.neck = Neck((width * 8, width * 16, width * 32), channels, stacks)
        self.bbox_head = Head(channels, convs, classes)

    def forward(self, images):
        """Returns P3 to P7, class logits [N, A, C] and deltas [N, A, 4], in MMDetection's order of anchors."""
        pyramid = self.neck(self.backbone(images))
        outputs = self.bbox_head(pyramid)
        count, classes = len(images), self.bbox_head.classes
        logits = [scores.permute(0, 2, 3, 1).reshape(count, -1, classes) for scores, _ in outputs]
        deltas = [boxes.permute(0, 2, 3, 1).reshape(count, -1, 4) for _, boxes in outputs]
        return pyramid, torch.cat(logits, 1), torch.cat(deltas, 1)


def randomise(module, seed=0):
    """Gives every weight, bias and statistic a random value that keeps the signal's size; returns the module in eval
    mode."""
    generator = torch.Generator().manual_seed(seed)

    def normal(tensor, scale):
        return torch.randn(tensor.shape, generator=generator) * scale

    def uniform(tensor, low, high):
        return torch.rand(tensor.shape, generator=generator) * (high - low) + low

    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                part.weight.copy_(normal(part.weight, part.weight[0].numel() ** -0.5))
                if part.bias is not None:
                    part.bias.copy_(normal(part.bias, 0.3))
            elif isinstance(part, nn.BatchNorm2d):
                part.weight.copy_(uniform(part.weight, 0.6, 1.2))
                part.bias.copy_(normal(part.bias, 0.2))
                part.running_mean.copy_(normal(part.running_mean, 0.2))
                part.running_var.copy_(uniform(part.running_var, 0.5, 1.5))
    return module.eval()


def anchors_of(height, width):
    """MMDetection's AnchorGenerator: per cell ratio by ratio, three sizes each; centres at (column, row) * stride."""
    levels = []
    for stride in STRIDES:
        cell = []
        for ratio in (0.5, 1.0, 2.0):
            for step in range(3):
                side = 4 * stride * 2 ** (step / 3)
                w, h = side / math.sqrt(ratio), side * math.sqrt(ratio)
                cell.append((-w / 2, -h / 2, w / 2, h / 2))
        rows, columns = torch.meshgrid(
            torch.arange(height // stride) * stride, torch.arange(width // stride) * stride, indexing="ij"
        )
        shifts = torch.stack([columns, rows, columns, rows], -1).reshape(-1, 1, 4)
        levels.append((shifts + torch.tensor(cell)).reshape(-1, 4))
    return levels


def detect(logits, deltas, *, size, scale, score_thr, nms_pre, iou_thr, max_per_img):
    """Detections of one image as MMDetection v3's predict gives them: boxes [D, 4], scores [D], labels [D].

    `size` is (height, width) of the network's input, all of it picture; `scale` divides the boxes at the end.
    """
    found = []
    start = 0
    for anchors in anchors_of(*size):
        part = slice(start, start + len(anchors))
        start += len(anchors)
        scores = logits[part].sigmoid()
        anchor, label = torch.nonzero(scores > score_thr, as_tuple=True)
        score, order = scores[anchor, label].sort(descending=True, stable=True)
        order, score = order[:nms_pre], score[:nms_pre]
        anchor, label = anchor[order], label[order]
        found.append((decode(anchors[anchor], deltas[part][anchor], size) / scale, score, label))
    boxes, scores, labels = (torch.cat(parts) for parts in zip(*found, strict=True))
    kept = nms_by_class(boxes, scores, labels, iou_thr)[:max_per_img]
    return boxes[kept], scores[kept], labels[kept]


def decode(anchors, deltas, size):
    """MMDetection's DeltaXYWHBBoxCoder with means 0 and deviations 1, clipped to the input."""
    limit = abs(math.log(16 / 1000))
    width, height = anchors[:, 2] - anchors[:, 0], anchors[:, 3] - anchors[:, 1]
    x = (anchors[:, 0] + anchors[:, 2]) / 2 + deltas[:, 0] * width
    y = (anchors[:, 1] + anchors[:, 3]) / 2 + deltas[:, 1] * height
    width = width * deltas[:, 2].clamp(-limit, limit).exp()
    height = height * deltas[:, 3].clamp(-limit, limit).exp()
    left, right = (x - width / 2).clamp(0, size[1]), (x + width / 2).clamp(0, size[1])
    top, bottom = (y - height / 2).clamp(0, size[0]), (y + height / 2).clamp(0, size[0])
    return torch.stack([left, top, right, bottom], 1)


def nms_by_class(boxes, scores, labels, iou_thr):
    """Greedy: the best box stays, those of its class that overlap it by more than iou_thr go, and so on."""
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    left = scores.argsort(descending=True, stable=True)
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        shared = (
            (torch.minimum(boxes[best, 2:], boxes[left, 2:]) - torch.maximum(boxes[best, :2], boxes[left, :2]))
            .clamp(min=0)
            .prod(1)
        )
        iou = shared / (areas[best] + areas[left] - shared)
        left = left[~((iou > iou_thr) & (labels[left] == labels[best]))]
    return kept
