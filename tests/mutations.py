"""Damaged copies of good files, drawn from a seed: what a cut transfer, a bad disk or a careless edit may leave.

They hold nothing that was made to harm: bytes are changed, cut, repeated and exchanged at random, and numbers in text
become longer than any reader keeps.
"""

import random
import re
from collections.abc import Iterator

NUMBERS = (b"-1", b"0", b"1e400", b"-1e400", b"NaN", b"9" * 20, b"9" * 400, b"9" * 5000, b"0.5", b"null", b'"x"', b"[]")
_NUMBER = re.compile(rb"-?\d+(\.\d+)?")


def mutations(good: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Yields `count` damaged copies of a file, the same for the same seed."""
    draw = random.Random(seed)
    ways = (_change_bytes, _cut, _repeat_part, _remove_part, _exchange_number, _exchange_parts)
    for _ in range(count):
        content = good
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            content = draw.choice(ways)(content, draw)
        yield content


def _place(content: bytes, draw: random.Random) -> tuple[int, int]:
    start = draw.randrange(len(content) + 1)
    return start, min(len(content), start + draw.choice((1, 2, 4, 16, 64)))


def _change_bytes(content: bytes, draw: random.Random) -> bytes:
    start, end = _place(content, draw)
    return content[:start] + draw.randbytes(end - start) + content[end:]


def _cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content) + 1)]


def _repeat_part(content: bytes, draw: random.Random) -> bytes:
    start, end = _place(content, draw)
    return content[:start] + content[start:end] * draw.choice((2, 3, 50)) + content[end:]


def _remove_part(content: bytes, draw: random.Random) -> bytes:
    start, end = _place(content, draw)
    return content[:start] + content[end:]


def _exchange_number(content: bytes, draw: random.Random) -> bytes:
    found = list(_NUMBER.finditer(content))
    if not found:
        return _change_bytes(content, draw)
    match = draw.choice(found)
    return content[: match.start()] + draw.choice(NUMBERS) + content[match.end() :]


def _exchange_parts(content: bytes, draw: random.Random) -> bytes:
    (start, end), (other, other_end) = _place(content, draw), _place(content, draw)
    return content[:start] + content[other:other_end] + content[end:]
