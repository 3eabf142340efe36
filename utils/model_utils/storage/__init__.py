"""Object storage: clients, inputs of a job copied in, results copied out."""
