"""How commands end."""

import subprocess
import sys

CLOSED = """
import sys
from utils.model_utils.command import run_command

def main():
    for _ in range(100000):
        print("a line of help")

run_command(main, "train.py")
"""


def test_a_reader_that_goes_away_is_no_fault_of_the_program():
    """`train.py --help | head` closes the pipe after ten lines."""
    command = [sys.executable, "-c", CLOSED]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 141
    assert process.stderr.read() == ""
