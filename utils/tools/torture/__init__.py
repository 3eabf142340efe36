"""Tries to lose a training: kills, a full disk, two runs at once, workers that die; and how a long one wears."""
