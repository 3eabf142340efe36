"""The three suites say little twice: blocks of equal lines between their src folders are counted."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("faster_rcnn/src", "nas_fpn/src", "segformer/src")
MOST_BLOCKS = 10  # what is left are the doors of src and the order of a command's steps
OPTIONS = (
    "--disable=all",
    "--enable=duplicate-code",
    "--min-similarity-lines=6",
    "--ignore-imports=y",
    "--ignore-comments=y",
    "--ignore-docstrings=y",
)


def test_few_blocks_of_six_equal_lines_stand_in_two_suites():
    command = [sys.executable, "-m", "pylint", "--rcfile=/dev/null", *OPTIONS, *SOURCES]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert "Your code has been rated" in ended.stdout, ended.stdout + ended.stderr
    blocks = re.findall(r"R0801: .*\n==.*\n==.*", ended.stdout)
    assert len(blocks) <= MOST_BLOCKS, ended.stdout
