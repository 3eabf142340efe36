"""Where the data of a command lie, as its configuration and the data set say together."""
