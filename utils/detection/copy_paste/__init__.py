"""Copy-paste: objects of one training picture laid on another (Ghiasi et al., CVPR 2021)."""
