"""Labels: the classes, the files that hold them, and how they are made of Cityscapes' annotations."""
