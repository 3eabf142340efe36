"""What is looked at before anything is done with it: texts, names, sizes and folders that others may have made."""
