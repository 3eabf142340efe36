"""Weights that others have published: where they lie, under what terms, and how they become checkpoints of a suite."""
