"""Data sets in the forms in which annotation tools leave them, and how they become the forms that the suites read."""
