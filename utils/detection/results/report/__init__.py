"""What went wrong in an evaluation of a detector, class by class and picture by picture, as one page."""
