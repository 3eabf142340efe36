"""One file for each form: from the files of a data set to pictures with their objects."""
