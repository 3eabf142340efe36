"""Pictures of detections: how boxes are drawn, from which score, and the sheets of an evaluation."""
