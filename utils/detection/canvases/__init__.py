"""One network, several sizes of input: which pictures share one, and a compiled graph for each that is in use."""
