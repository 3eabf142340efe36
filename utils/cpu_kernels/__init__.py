"""Operators that networks are built from, with fast kernels and their gradients where the device is a CPU."""
