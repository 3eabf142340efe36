"""From pictures with their objects to the two layouts that the suites read."""
