"""Writing a trained network as a file for inference: MindIR, AIR or ONNX, checked, with a description beside it.

`export.export_network(network, inputs, path, file_format, ...)` writes the model; `description.ModelDescription` is the
JSON beside it, from which a program knows how to feed the model and what comes out.
"""
