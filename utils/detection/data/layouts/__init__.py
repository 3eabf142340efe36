"""Where the annotations and the images of a split lie, in the documented layout and in those of other programs."""
