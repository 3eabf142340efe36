"""The network in the paper's order: backbone, pyramid, proposals, sampling, RoI head, losses."""
