"""What runs networks: MindSpore, and OpenVINO and ONNX Runtime, which run exported files without it.

MindSpore is imported by `cell_network` and `mindir_network` alone.
"""
