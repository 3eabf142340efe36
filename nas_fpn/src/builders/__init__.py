"""Turns the configuration into objects, one idea in each file; `build.py` hands their names on."""
