"""An independent PyTorch formulation of the network, written from the papers, to compare outputs and gradients with."""

import torch
from torch import nn
from torch.nn import functional


class ReferenceNetwork(nn.Module):
    """The same function as `RetinaNetNasFpn`, evaluated from a dictionary of its MindSpore parameters by name."""

    def __init__(self, weights, layers, stack_times, num_convs, num_classes, train):
        super().__init__()
        self.weights = {
            name: torch.tensor(value, requires_grad="moving" not in name) for name, value in weights.items()
        }
        self.layers, self.stack_times, self.num_convs = layers, stack_times, num_convs
        self.num_classes, self.train_mode = num_classes, train

    def conv(self, x, name, stride=1, bias=False):
        weight = self.weights[f"{name}.weight"]
        bias = self.weights[f"{name}.bias"] if bias else None
        return functional.conv2d(x, weight, bias, stride, weight.shape[-1] // 2)

    def norm(self, x, name):
        mean, variance = self.weights[f"{name}.moving_mean"].clone(), self.weights[f"{name}.moving_variance"].clone()
        return functional.batch_norm(
            x, mean, variance, self.weights[f"{name}.gamma"], self.weights[f"{name}.beta"], self.train_mode, 0.1, 1e-5
        )

    def conv_norm(self, x, name, stride=1):
        return self.norm(self.conv(x, f"{name}.conv", stride), f"{name}.norm")

    def bottleneck(self, x, name, stride):
        out = self.conv_norm(x, f"{name}.reduce").relu()
        out = self.conv_norm(out, f"{name}.spatial", stride).relu()
        out = self.conv_norm(out, f"{name}.expand")
        has_shortcut = f"{name}.shortcut.conv.weight" in self.weights
        return (out + (self.conv_norm(x, f"{name}.shortcut", stride) if has_shortcut else x)).relu()

    def backbone(self, x):
        x = functional.max_pool2d(self.conv_norm(x, "backbone.stem", 2).relu(), 3, 2, 1)
        features = []
        for stage, blocks in enumerate(self.layers):
            for block in range(blocks):
                x = self.bottleneck(x, f"backbone.stages.{stage}.{block}", 2 if stage > 0 and block == 0 else 1)
            features.append(x)
        return features[1:]

    @staticmethod
    def resize(x, like):
        if x.shape[-1] < like.shape[-1]:
            return functional.interpolate(x, size=like.shape[-2:], mode="nearest")
        factor = x.shape[-1] // like.shape[-1]
        return functional.max_pool2d(x, factor, factor)

    def stack(self, p3, p4, p5, p6, p7, name):
        """The seven cells spelled out as in figure 6f of the paper."""

        def attention(first, second, like):
            first, second = self.resize(first, like), self.resize(second, like)
            return first + second * torch.sigmoid(first.mean((2, 3), keepdim=True))

        def out(x, row):
            return self.conv_norm(x.relu(), f"{name}.merges.{row}.out_conv")

        a4 = out(attention(p4, p6, p4), 0)
        b4 = out(p4 + a4, 1)
        out3 = out(p3 + self.resize(b4, p3), 2)
        out4 = out(b4 + self.resize(out3, p4), 3)
        out5 = out(attention(out3, out4, p5) + p5, 4)
        out7 = out(attention(b4, out5, p7) + p7, 5)
        out6 = out(attention(out5, out7, p6), 6)
        return out3, out4, out5, out6, out7

    def neck(self, features):
        pyramid = [self.conv_norm(x, f"neck.laterals.{index}") for index, x in enumerate(features)]
        for index in range(2):
            pyramid.append(functional.max_pool2d(self.conv_norm(pyramid[-1], f"neck.downsamples.{index}"), 2))
        for index in range(self.stack_times):
            pyramid = self.stack(*pyramid, f"neck.stacks.{index}")
        return pyramid

    def tower(self, x, name, level):
        for index in range(self.num_convs):
            x = self.norm(self.conv(x, f"{name}.convs.{index}"), f"{name}.norms.{level}.{index}").relu()
        return x

    def forward(self, images):
        logits, deltas = [], []
        for level, x in enumerate(self.neck(self.backbone(images))):
            scores = self.conv(self.tower(x, "head.class_tower", level), "head.classify", bias=True)
            boxes = self.conv(self.tower(x, "head.box_tower", level), "head.regress", bias=True)
            logits.append(scores.permute(0, 2, 3, 1).reshape(len(images), -1, self.num_classes))
            deltas.append(boxes.permute(0, 2, 3, 1).reshape(len(images), -1, 4))
        return torch.cat(logits, 1), torch.cat(deltas, 1)
