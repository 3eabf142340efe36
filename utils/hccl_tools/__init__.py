"""Rank tables, the lists of servers and devices of a distributed job: make, merge, check, and translate for msrun."""
