"""Makes models of files."""
