"""The shapes that keys and networks share: depths of Res2Net, sizes of its stages, strides. No MindSpore import."""

RES2NET_LAYERS = {"res2net_50": (3, 4, 6, 3), "res2net_101": (3, 4, 23, 3), "res2net_152": (3, 8, 36, 3)}
NUM_STAGES = 4
SCALES = 4  # splits of a block's channels (the s of Gao et al. 2019), the same at all three depths
EXPANSION = 4  # the stages put out so many times the channels of the stem, twice as many from stage to stage
FINEST_STRIDE = 4  # of the first stage and of P2; each further level has twice the stride
SIZE_MULTIPLE = 32  # stride of the coarsest backbone output
ROI_STRIDES = (4, 8, 16, 32)  # of the levels that RoIs are pooled from, P2 to P5 (Lin et al. 2017, section 4.2)
RCNN_TARGET_STDS = (0.1, 0.1, 0.2, 0.2)  # of the RoI head's targets, as in MMDetection
