"""Data sets that the repository draws itself, so that every command can be tried without a download."""
