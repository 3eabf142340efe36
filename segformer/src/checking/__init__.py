"""The checks of a data set for segmentation, all faults in one pass."""
