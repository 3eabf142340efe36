"""What the command `data` does to a data set of one's own: convert, check, show."""
