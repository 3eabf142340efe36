"""Rank tables as objects and as files, and the addresses in them."""
