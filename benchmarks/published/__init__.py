"""What benchmarks/parity.py is made of: the other programs with the published networks, and the commands here."""
