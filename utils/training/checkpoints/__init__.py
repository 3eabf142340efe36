"""Checkpoints: files of weights and of where a run stands, written, found, read and matched to a network."""
