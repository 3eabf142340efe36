"""The checks of a detection data set, all faults in one pass; what the readers refuse is noted and left out."""
