"""The keys of the network and of its two stages: shapes, anchors, sampling, proposals, RoIs, losses."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from utils.detection.keys import nearest_multiples
from utils.model_utils.config.base import Config, Contradiction, InactiveKey, Positive, PositiveNumber

from .variants import EXPANSION, FINEST_STRIDE, NUM_STAGES, RCNN_TARGET_STDS, RES2NET_LAYERS, ROI_STRIDES, SIZE_MULTIPLE

FourNumbers = tuple[float, float, float, float]
FourPositiveNumbers = tuple[PositiveNumber, PositiveNumber, PositiveNumber, PositiveNumber]


class NetworkKeys(Config):
    """Input, Res2Net, feature pyramid and the two heads."""

    GROUP: ClassVar[str] = "Network"
    FIXED_BY_WEIGHTS: ClassVar[tuple[str, ...]] = (
        "backbone",
        "res2net_layers",
        "res2net_width",
        "res2net_base_width",
        "res2net_stage1_pool",
        "norm_eps",
        "fpn_out_channels",
        "fpn_num_outs",
        "anchor_scales",
        "anchor_ratios",
        "anchor_strides",
        "rpn_feat_channels",
        "roi_size",
        "roi_align_featmap_strides",
        "roi_align_finest_scale",
        "rcnn_fc_out_channels",
    )
    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = (
        "img_height",
        "img_width",
        "frozen_stages",
        "norm_statistics",
        "norm_momentum",
    )
    img_height: int = Field(768, ge=1, description="height of the network's input in pixels, a multiple of 32")
    img_width: int = Field(1280, ge=1, description="width of the network's input in pixels, a multiple of 32")
    backbone: Literal["res2net_50", "res2net_101", "res2net_152"] = Field(
        "res2net_50", description="depth of the Res2Net, where res2net_layers does not say it"
    )
    res2net_layers: tuple[Positive, Positive, Positive, Positive] | None = Field(
        None, description="blocks of the four Res2Net stages; null takes those of backbone"
    )
    res2net_width: int = Field(
        64, ge=4, multiple_of=4, description="channels of the stem; the stages give 4, 8, 16, 32 times it"
    )
    res2net_base_width: int = Field(
        26, ge=1, description="channels of one of the four splits of a first-stage block; doubled from stage to stage"
    )
    res2net_stage1_pool: bool | None = Field(
        None,
        description="average-pool the last split in the first block of stage 1, as ImageNet weights of timm want; "
        "null takes it from the checkpoint, false where that does not say",
    )
    frozen_stages: int = Field(
        1,
        ge=-1,
        le=4,
        description="Res2Net parts that are not trained: 0 and -1 none, 1 the stem and the first stage, ...",
    )
    norm_statistics: Literal["frozen", "trained"] = Field(
        "frozen",
        description="statistics of BatchNorm: frozen, those of pre_trained, for fine-tuning; trained, those of the "
        "batch, for training from random weights",
    )
    norm_momentum: float = Field(
        0.9,
        ge=0,
        lt=1,
        description="share of the old running mean that a trained BatchNorm keeps at a step (PyTorch says 1 minus it)",
    )
    norm_eps: float = Field(1e-5, gt=0, description="added to the variance in BatchNorm")
    fpn_out_channels: int = Field(256, ge=1, description="channels of the feature pyramid")
    fpn_num_outs: int = Field(5, ge=4, le=7, description="levels of the pyramid, the finest of stride 4")
    anchor_scales: tuple[PositiveNumber, ...] = Field(
        (8.0,), min_length=1, description="sizes of the anchors of a level in strides of the level"
    )
    anchor_ratios: tuple[PositiveNumber, ...] = Field(
        (0.5, 1.0, 2.0), min_length=1, description="height/width of the anchors"
    )
    anchor_strides: tuple[Positive, ...] = Field(
        (4, 8, 16, 32, 64), min_length=1, description="strides of the levels in pixels: 4, 8, ..., fpn_num_outs of them"
    )
    rpn_feat_channels: int = Field(256, ge=1, description="channels of the RPN's shared convolution")
    roi_size: int = Field(7, ge=1, description="side of the grid that a RoI is pooled to")
    roi_sampling_ratio: int = Field(
        0, ge=0, description="samples per side of a cell of that grid; 0: as many as the cell has pixels of the level"
    )
    roi_align_featmap_strides: tuple[Positive, ...] = Field(
        ROI_STRIDES,
        min_length=1,
        description="strides of the levels that RoIs are pooled from, the first of anchor_strides",
    )
    roi_align_finest_scale: int = Field(
        56, ge=1, description="RoIs of less than twice this size in pixels are pooled from the finest level"
    )
    rcnn_fc_out_channels: int = Field(1024, ge=1, description="channels of the two layers of the RoI head")

    @field_validator("img_height", "img_width")
    @classmethod
    def _check_size(cls, value: int, info: ValidationInfo) -> int:
        if value % SIZE_MULTIPLE:
            raise ValueError(
                f"{info.field_name} is {value}, which is no multiple of {SIZE_MULTIPLE}, the stride of the coarsest "
                f"backbone output: the nearest to use: {nearest_multiples(value, SIZE_MULTIPLE)}"
            )
        return value

    @property
    def layers(self) -> tuple[int, int, int, int]:
        """Blocks of the four stages."""
        return self.res2net_layers or RES2NET_LAYERS[self.backbone]

    @property
    def stage_channels(self) -> tuple[int, ...]:
        """Channels of the backbone's outputs C2 to C5."""
        return tuple(self.res2net_width * EXPANSION * 2**stage for stage in range(NUM_STAGES))

    @property
    def anchors_per_cell(self) -> int:
        """Number of anchors at one place of a level."""
        return len(self.anchor_scales) * len(self.anchor_ratios)

    @property
    def level_sizes(self) -> tuple[tuple[int, int], ...]:
        """(height, width) of the levels P2, P3, ...; from P6 on half of the one before, rounded up."""
        from utils.detection.anchors import level_sizes  # numpy: --help does without it

        return level_sizes(self.img_height, self.img_width, self.anchor_strides)

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields the shapes that do not fit each other."""
        yield from super().contradictions()
        strides = tuple(FINEST_STRIDE * 2**level for level in range(self.fpn_num_outs))
        if self.anchor_strides != strides:
            yield Contradiction(
                ("anchor_strides", "fpn_num_outs"),
                f"anchor_strides is {list(self.anchor_strides)} and fpn_num_outs {self.fpn_num_outs}, whose levels "
                f"have the strides {list(strides)}: set anchor_strides to these",
            )
        pooled = self.roi_align_featmap_strides
        if pooled != strides[: len(pooled)]:
            yield Contradiction(
                ("roi_align_featmap_strides", "anchor_strides"),
                f"roi_align_featmap_strides is {list(pooled)}, wanted the first of the strides {list(strides)}, "
                f"e.g. {list(ROI_STRIDES)}",
            )

    @classmethod
    def inactive_keys(cls) -> dict[str, InactiveKey]:
        """Adds the keys that follow from others here."""
        from_strides = "follows from img_height, img_width and anchor_strides"
        of_pyramid = InactiveKey("follows from fpn_out_channels", lambda config: config.fpn_out_channels)
        return super().inactive_keys() | {
            "feature_shapes": InactiveKey(from_strides, lambda config: config.level_sizes),
            "num_anchors": InactiveKey("follows from the anchor keys", lambda config: config.anchors_per_cell),
            "num_bboxes": InactiveKey("follows from the size and the anchor keys", _num_anchors),
            "res2net_block": InactiveKey("follows from backbone and res2net_layers", lambda config: config.layers),
            "res2net_in_channels": InactiveKey(
                "follows from res2net_width", lambda config: (config.res2net_width, *config.stage_channels[:-1])
            ),
            "res2net_out_channels": InactiveKey("follows from res2net_width", lambda config: config.stage_channels),
            "fpn_in_channels": InactiveKey("follows from res2net_width", lambda config: config.stage_channels),
            "rpn_in_channels": of_pyramid,
            "rpn_cls_out_channels": InactiveKey("is built in: objectness by a sigmoid", lambda _: 1),
            "use_sigmoid_cls": InactiveKey("is built in", lambda _: True),
            "rpn_head_use_sigmoid": InactiveKey("is built in", lambda _: True),
            "rpn_head_weight": InactiveKey("rpn_loss_cls_weight and rpn_loss_reg_weight have its place"),
            "activate_num_classes": InactiveKey("is built in: object or background", lambda _: 2),
            "roi_layer": InactiveKey("roi_size and roi_sampling_ratio have its place"),
            "roi_align_out_channels": of_pyramid,
            "rcnn_num_layers": InactiveKey("is built in: the layers of the RoI head", lambda _: 2),
            "rcnn_in_channels": of_pyramid,
        }


def _num_anchors(config: NetworkKeys) -> int:
    from utils.detection.anchors import anchors_per_level  # numpy: --help does without it

    return sum(anchors_per_level(config.img_height, config.img_width, config.anchor_strides, config.anchors_per_cell))


class RpnKeys(Config):
    """First stage: assignment, sampling, loss and proposals."""

    GROUP: ClassVar[str] = "Region proposals"
    FIXED_BY_WEIGHTS: ClassVar[tuple[str, ...]] = ("rpn_target_means", "rpn_target_stds")
    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = (
        "pos_iou_thr",
        "neg_iou_thr",
        "min_pos_iou",
        "num_expected_pos",
        "num_expected_neg",
        "rpn_allowed_border",
        "crowd_ignore_ioa",
        "rpn_reg_loss",
        "rpn_reg_beta",
        "rpn_loss_cls_weight",
        "rpn_loss_reg_weight",
        "rpn_proposal_nms_pre",
        "rpn_proposal_max_num",
        "rpn_proposal_nms_thr",
        "rpn_proposal_min_bbox_size",
    )
    pos_iou_thr: float = Field(0.7, gt=0, le=1, description="IoU from which an anchor takes a ground-truth box")
    neg_iou_thr: float = Field(
        0.3, ge=0, le=1, description="IoU below which an anchor is background; between it and pos_iou_thr it is ignored"
    )
    min_pos_iou: float = Field(
        0.3, ge=0, le=1, description="IoU from which the best anchor of a box takes it all the same"
    )
    num_expected_pos: int = Field(128, ge=0, description="most anchors of an image that are sampled as objects")
    num_expected_neg: int = Field(
        256, ge=1, description="anchors sampled of an image in all: what the objects leave is background"
    )
    rpn_allowed_border: int = Field(
        -1, ge=-1, description="anchors that reach more pixels than this out of the picture are ignored; -1: none is"
    )
    crowd_ignore_ioa: float = Field(
        0.5,
        gt=0,
        le=1,
        description="share of an anchor or proposal inside a crowd region from which it is neither object nor "
        "background",
    )
    rpn_target_means: FourNumbers = Field(
        (0.0, 0.0, 0.0, 0.0), description="taken off the anchors' deltas of x, y, width and height"
    )
    rpn_target_stds: FourPositiveNumbers = Field(
        (1.0, 1.0, 1.0, 1.0), description="divide the anchors' deltas of x, y, width and height"
    )
    rpn_reg_loss: Literal["smooth_l1", "l1"] = Field("smooth_l1", description="loss of the anchors' deltas")
    rpn_reg_beta: float = Field(
        1 / 9, gt=0, description="difference at which the RPN's smooth_l1 turns from a square into a line"
    )
    rpn_loss_cls_weight: float = Field(1.0, ge=0, description="factor on the RPN's objectness loss")
    rpn_loss_reg_weight: float = Field(1.0, ge=0, description="factor on the RPN's box loss")
    rpn_proposal_nms_pre: int = Field(
        2000, ge=1, description="training: anchors of a level that enter NMS, highest scores first"
    )
    rpn_proposal_max_num: int = Field(2000, ge=1, description="training: most proposals of an image")
    rpn_proposal_nms_thr: float = Field(
        0.7, gt=0, le=1, description="training: IoU above which the lower of two proposals of a level is dropped"
    )
    rpn_proposal_min_bbox_size: float = Field(
        0.0, ge=0, description="training: proposals with a side of at most so many pixels are dropped"
    )
    rpn_nms_pre: int = Field(1000, ge=1, description="inference: anchors of a level that enter NMS")
    rpn_max_num: int = Field(1000, ge=1, description="inference: most proposals of an image")
    rpn_nms_thr: float = Field(
        0.7, gt=0, le=1, description="inference: IoU above which the lower of two proposals of a level is dropped"
    )
    rpn_min_bbox_min_size: float = Field(
        0.0, ge=0, description="inference: proposals with a side of at most so many pixels are dropped"
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields the thresholds and counts that do not fit each other."""
        yield from super().contradictions()
        yield from _check_sampling(self, "")

    @classmethod
    def inactive_keys(cls) -> dict[str, InactiveKey]:
        """Adds the keys that follow from others here."""
        by_level = InactiveKey("is built in: NMS by level", lambda _: False)
        return super().inactive_keys() | {
            "rpn_proposal_nms_across_levels": by_level,
            "rpn_nms_across_levels": by_level,
            "rpn_proposal_nms_post": InactiveKey("rpn_proposal_max_num has its place"),
            "rpn_nms_post": InactiveKey("rpn_max_num has its place"),
        }


class RcnnKeys(Config):
    """Second stage: assignment and sampling of the proposals, loss."""

    GROUP: ClassVar[str] = "RoI head"
    FIXED_BY_WEIGHTS: ClassVar[tuple[str, ...]] = ("rcnn_target_means", "rcnn_target_stds")
    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = (
        "pos_iou_thr_stage2",
        "neg_iou_thr_stage2",
        "min_pos_iou_stage2",
        "num_expected_pos_stage2",
        "num_expected_neg_stage2",
        "rcnn_reg_loss",
        "rcnn_reg_beta",
        "rcnn_loss_cls_weight",
        "rcnn_loss_reg_weight",
    )
    pos_iou_thr_stage2: float = Field(0.5, gt=0, le=1, description="IoU from which a proposal takes a box")
    neg_iou_thr_stage2: float = Field(0.5, ge=0, le=1, description="IoU below which a proposal is background")
    min_pos_iou_stage2: float = Field(
        0.5, ge=0, le=1, description="IoU from which the best proposal of a box takes it all the same"
    )
    num_expected_pos_stage2: int = Field(128, ge=0, description="most proposals of an image sampled as objects")
    num_expected_neg_stage2: int = Field(
        512, ge=1, description="proposals sampled of an image in all: what the objects leave is background"
    )
    rcnn_target_means: FourNumbers = Field(
        (0.0, 0.0, 0.0, 0.0), description="taken off the proposals' deltas of x, y, width and height"
    )
    rcnn_target_stds: FourPositiveNumbers = Field(
        RCNN_TARGET_STDS, description="divide the proposals' deltas of x, y, width and height"
    )
    rcnn_reg_loss: Literal["smooth_l1", "l1"] = Field("smooth_l1", description="loss of the proposals' deltas")
    rcnn_reg_beta: float = Field(
        1.0, gt=0, description="difference at which the head's smooth_l1 turns from a square into a line"
    )
    rcnn_loss_cls_weight: float = Field(1.0, ge=0, description="factor on the head's class loss")
    rcnn_loss_reg_weight: float = Field(1.0, ge=0, description="factor on the head's box loss")

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields the thresholds and counts that do not fit each other."""
        yield from super().contradictions()
        yield from _check_sampling(self, "_stage2")

    @classmethod
    def inactive_keys(cls) -> dict[str, InactiveKey]:
        """Adds the keys that follow from others here."""
        sampled = "follows from num_expected_neg_stage2, the RoIs sampled in all"
        return super().inactive_keys() | {
            "num_bboxes_stage2": InactiveKey(
                "follows from rpn_proposal_max_num", lambda config: config.rpn_proposal_max_num
            ),
            "num_expected_total_stage2": InactiveKey(sampled, lambda config: config.num_expected_neg_stage2),
            "roi_sample_num": InactiveKey("num_expected_neg_stage2 has its place: no slot is masked out"),
        }


def _check_sampling(config: RpnKeys | RcnnKeys, stage: str) -> Iterator[Contradiction]:
    """Yields thresholds and counts of one stage that do not fit; `stage` is the end of its keys' names."""
    low, high = f"neg_iou_thr{stage}", f"pos_iou_thr{stage}"
    if getattr(config, low) > getattr(config, high):
        yield Contradiction(
            (low, high),
            f"{low} {getattr(config, low)} is above {high} {getattr(config, high)}, a box would be object and "
            f"background: lower {low}",
        )
    objects, total = f"num_expected_pos{stage}", f"num_expected_neg{stage}"
    if getattr(config, objects) > getattr(config, total):
        yield Contradiction(
            (objects, total),
            f"{objects} {getattr(config, objects)} is above {total} {getattr(config, total)}, the number sampled in "
            f"all: lower {objects}",
        )
