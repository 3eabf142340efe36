"""What a detector is fed: the pictures of a batch with their boxes, classes and sizes of boxes counted."""
