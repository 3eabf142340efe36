"""What stands in annotation files: checked, and put into one plain form for training and evaluation alike."""
