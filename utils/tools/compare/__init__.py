"""Runs side by side: their numbers, their curves, and the keys in which they differ."""
