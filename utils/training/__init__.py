"""The training engine that every suite uses: step, loop, checkpoints, run folder, progress, curves."""
