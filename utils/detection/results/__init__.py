"""What detectors find: metrics, result files, pictures, and the evaluation and inference that make them."""
