"""What the build.py of both detectors make alike."""
