"""The files that eval.py, infer.py and the Python API run: checkpoints and exported models."""
