"""The shapes that keys and networks share: depths of Res2Net, sizes of its stages, strides. No MindSpore import."""

RES2NET_LAYERS = {"res2net_50": (3, 4, 6, 3), "res2net_101": (3, 4, 23, 3), "res2net_152": (3, 8, 36, 3)}
NUM_STAGES = 4
BLOCK_SPLITS = 4  # of the channels of a block: the scale s of Gao et al. 2019, the same at all three depths
EXPANSION = 4  # the stages put out so many times the channels of the stem, twice as many from stage to stage
FINEST_STRIDE = 4  # of the first stage and of P2; each further level has twice the stride
SIZE_MULTIPLE = 32  # stride of the coarsest backbone output
