"""Epochs that are more than each image once: rare classes more often, and images that get objects of others."""
