"""Videos in and out as a stream of frames, and the search for what infer.py reads."""
