"""Image files of a data set before they are used."""
