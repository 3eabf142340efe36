"""How large a network is, and what a picture costs in it."""
