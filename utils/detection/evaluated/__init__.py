"""Splits that a detector is evaluated on, of MindRecord files or of image files."""
