"""What a run leaves behind: its folder, log, metrics, curves, progress lines and profile."""
