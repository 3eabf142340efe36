"""One training step: compiled graphs, sums over workers, optimizer and loss scale."""
