"""`python -m mszoo` is the command `mszoo`."""

from mszoo.utils.cli.__main__ import run

if __name__ == "__main__":
    run()
