"""What data sets take on the disk."""
