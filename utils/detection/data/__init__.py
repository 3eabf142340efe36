"""Data sets of detectors: annotation files, their records, MindRecord files, splits and class names."""
