"""One command for all: what `mszoo` runs where the package is installed, and `python -m utils.cli` in a clone."""
