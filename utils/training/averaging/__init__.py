"""The average of checkpoints of a run, whose weights are one network."""
