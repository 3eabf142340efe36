"""What data sets of all suites have in common."""
