"""The levels that keys and networks share. No MindSpore import."""

MIN_LEVEL = 3
MAX_LEVEL = 7
LEVELS = tuple(range(MIN_LEVEL, MAX_LEVEL + 1))  # P3 to P7
STRIDES = tuple(2**level for level in LEVELS)  # input pixels for one of the level
SIZE_MULTIPLE = STRIDES[-1]
EXPANSION = 4  # a bottleneck block puts out so many times the channels of its 3x3 convolution
