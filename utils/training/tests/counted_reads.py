"""Counts how often a command reads checkpoints."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from utils.training.checkpoints import checkpoint


@contextmanager
def reads_once() -> Iterator[None]:
    """Asserts that what runs inside reads a checkpoint file once; nothing where it ends in an error."""
    opened: list[Path] = []
    plain_open = Path.open

    def noted(path: Path, *arguments: object, **options: object) -> object:
        if path.suffix == ".ckpt":
            opened.append(path)
        return plain_open(path, *arguments, **options)

    with (
        patch.object(Path, "open", noted),
        patch.object(checkpoint, "read_checkpoint_file", wraps=checkpoint.read_checkpoint_file) as read,
    ):
        yield
    assert (read.call_count, len(opened)) == (1, 1), opened
