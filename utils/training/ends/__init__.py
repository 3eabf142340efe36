"""How a run may end before its last epoch, and whether it came to what was expected of it."""
