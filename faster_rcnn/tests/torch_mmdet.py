"""The two stages of MMDetection v3's Faster R-CNN in PyTorch, on top of the dense part of torch_reference.py, written
from the papers and from MMDetection's description to check the converter with. Nothing here uses the suite."""

import math

import torch
from torch.nn import functional

STRIDES = (4, 8, 16, 32, 64)
RCNN_STDS = (0.1, 0.1, 0.2, 0.2)


def anchors_of(height, width, scale=8, ratios=(0.5, 1.0, 2.0)):
    """Anchors of each level, [h * w * 3, 4]: centred on (column, row) * stride, of area (scale * stride) squared."""
    levels = []
    for stride in STRIDES:
        rows, columns = math.ceil(height / stride), math.ceil(width / stride)
        y, x = torch.meshgrid(torch.arange(rows) * stride, torch.arange(columns) * stride, indexing="ij")
        sides = [(scale * stride / math.sqrt(ratio) / 2, scale * stride * math.sqrt(ratio) / 2) for ratio in ratios]
        cell = torch.tensor([(-w, -h, w, h) for w, h in sides])
        levels.append((torch.stack([x, y, x, y], -1).reshape(-1, 1, 4) + cell).reshape(-1, 4))
    return levels


def decode(boxes, deltas, size, stds=(1.0, 1.0, 1.0, 1.0)):
    """DeltaXYWHBBoxCoder: deltas [..., 4] to boxes, clipped to size (height, width)."""
    limit = abs(math.log(16 / 1000))
    dx, dy, dw, dh = (deltas * torch.tensor(stds, dtype=deltas.dtype)).unbind(-1)
    left, top, right, bottom = boxes.unbind(-1)
    x, y = (left + right) / 2 + dx * (right - left), (top + bottom) / 2 + dy * (bottom - top)
    width, height = ((right - left) * dw.clamp(-limit, limit).exp(), (bottom - top) * dh.clamp(-limit, limit).exp())
    return torch.stack(
        [
            (x - width / 2).clamp(0, size[1]),
            (y - height / 2).clamp(0, size[0]),
            (x + width / 2).clamp(0, size[1]),
            (y + height / 2).clamp(0, size[0]),
        ],
        -1,
    )


def suppressed(boxes, scores, groups, threshold):
    """Greedy NMS within each group; returns the kept indices, best score first."""
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
        left = left[~((iou > threshold) & (groups[left] == groups[best]))]
    return kept


def proposals_of(objectness, deltas, size, content, *, nms_pre, max_num, threshold):
    """Proposals [P, 4] of one image with objectness [A] and deltas [A, 4]; `content` is (height, width) of the picture
    in the input of `size`."""
    boxes, scores, levels = [], [], []
    start = 0
    for level, anchors in enumerate(anchors_of(*size)):
        part = slice(start, start + len(anchors))
        start += len(anchors)
        best = objectness[part].argsort(descending=True, stable=True)[:nms_pre]
        boxes.append(decode(anchors[best].to(deltas.dtype), deltas[part][best], content))
        scores.append(objectness[part][best])
        levels.append(torch.full((len(best),), level))
    boxes, scores, levels = torch.cat(boxes), torch.cat(scores), torch.cat(levels)
    wide = (boxes[:, 2:] > boxes[:, :2]).all(1)
    boxes, scores, levels = boxes[wide], scores[wide], levels[wide]
    return boxes[suppressed(boxes, scores, levels, threshold)[:max_num]]


def levels_of(rois, finest=56):
    """Pyramid level of each RoI, 0 to 3."""
    side = (rois[:, 2:] - rois[:, :2]).prod(1).sqrt()
    return (side / finest + 1e-6).log2().floor().clamp(0, 3).long()


def roi_align(pyramid, rois, image, size=7):
    """RoIAlign with `aligned=True` and as many samples per cell as it has pixels, [R, C, size, size]; differentiable.

    Bilinear sampling is one matrix for the rows and one for the columns of a RoI.
    """
    pooled = []
    for roi, level in zip(rois, levels_of(rois).tolist(), strict=True):
        feature = pyramid[level][image]
        left, top, right, bottom = (roi / STRIDES[level] - 0.5).tolist()
        rows = sampling_matrix(top, bottom, feature.shape[1], size).to(feature.dtype)
        columns = sampling_matrix(left, right, feature.shape[2], size).to(feature.dtype)
        pooled.append(rows @ feature @ columns.T)
    return torch.stack(pooled)


def sampling_matrix(start, end, length, size):
    """Weights [size, length] with which each of `size` cells between start and end takes the values of a line."""
    matrix = torch.zeros(size, length, dtype=torch.float64)
    cell = (end - start) / size
    count = max(math.ceil(cell), 1)
    for index in range(size):
        for sample in range(count):
            at = start + cell * (index + (sample + 0.5) / count)
            if at < -1 or at > length:
                continue
            at = min(max(at, 0.0), length - 1.0)
            low = min(int(at), length - 1)
            matrix[index, low] += (1 - (at - low)) / count
            matrix[index, min(low + 1, length - 1)] += (at - low) / count
    return matrix


def head_outputs(network, pyramid, rois):
    """Class logits [R, C + 1] and deltas [R, C, 4] of RoIs given as a list with the [R_i, 4] of each image."""
    pooled = [roi_align(pyramid[:4], boxes, image) for image, boxes in enumerate(rois)]
    return network.roi_head.bbox_head(torch.cat(pooled))


def detect(
    network,
    images,
    contents,
    scale,
    *,
    nms_pre,
    max_proposals,
    rpn_threshold,
    score_threshold,
    threshold,
    max_boxes,
):
    """Detections of each image as predict of MMDetection v3 gives them: boxes [D, 4], scores [D] and labels [D].

    `contents` has (height, width) of each picture in the input; `scale` divides the boxes at the end.
    """
    size = images.shape[2:]
    pyramid, objectness, deltas = network(images)
    found = []
    for image, content in enumerate(contents):
        rois = proposals_of(
            objectness[image],
            deltas[image],
            size,
            content,
            nms_pre=nms_pre,
            max_num=max_proposals,
            threshold=rpn_threshold,
        )
        logits, offsets = network.roi_head.bbox_head(roi_align(pyramid[:4], rois, image))
        scores = logits.softmax(1)[:, :-1]
        boxes = decode(rois[:, None], offsets, content, RCNN_STDS) / scale
        roi, label = torch.nonzero(scores > score_threshold, as_tuple=True)
        boxes, scores = boxes[roi, label], scores[roi, label]
        kept = suppressed(boxes, scores, label, threshold)[:max_boxes]
        found.append((boxes[kept], scores[kept], label[kept]))
    return found


def smooth_l1(difference, beta):
    """Squares below beta, lines above."""
    size = difference.abs()
    return torch.where(size < beta, 0.5 * size**2 / beta, size - 0.5 * beta)


def losses(network, images, rpn_sample, roi_sample):
    """The six losses of MMDetection's training for samples that are given, by the documented names.

    `rpn_sample` is (anchor index [N, S], label [N, S], deltas [N, S, 4]), `roi_sample` (rois [N, R, 4], label [N, R],
    deltas [N, R, 4]); label -1 is an empty slot, the last class background. Beta is 1/9 and 1, as the page has it.
    """
    pyramid, objectness, deltas = network(images)
    index, label, wanted = rpn_sample
    rows = torch.arange(len(images))[:, None]
    used, positive = label >= 0, label == 1
    number = used.sum()
    rpn_cls = (
        functional.binary_cross_entropy_with_logits(
            objectness[rows, index][used], positive[used].to(objectness.dtype), reduction="sum"
        )
        / number
    )
    rpn_reg = smooth_l1(deltas[rows, index][positive] - wanted[positive], 1 / 9).sum() / number

    rois, label, wanted = roi_sample
    used = label >= 0
    logits, offsets = head_outputs(network, pyramid, [boxes[mask] for boxes, mask in zip(rois, used, strict=True)])
    label, wanted = label[used], wanted[used]
    rcnn_cls = functional.cross_entropy(logits, label, reduction="sum") / len(label)
    positive = label < offsets.shape[1]
    of_class = offsets[positive, label[positive]]
    rcnn_reg = smooth_l1(of_class - wanted[positive], 1.0).sum() / len(label)
    return {
        "total_loss": rpn_cls + rpn_reg + rcnn_cls + rcnn_reg,
        "rpn_loss": rpn_cls + rpn_reg,
        "rcnn_loss": rcnn_cls + rcnn_reg,
        "rpn_cls_loss": rpn_cls,
        "rpn_reg_loss": rpn_reg,
        "rcnn_cls_loss": rcnn_cls,
        "rcnn_reg_loss": rcnn_reg,
    }
