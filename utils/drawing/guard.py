"""Pictures are extras: what goes wrong while one is drawn or written is said, and the command goes on."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from utils.model_utils.errors import UserError, first_line

logger = logging.getLogger(__name__)


@contextmanager
def guard_drawing(what: str) -> Iterator[None]:
    """Turns any failure of the block into one warning; numbers belong before the block, never into it.

    What can fail is not ours to list: a font, a class name, matplotlib's settings, memory, a full disk.

    Args:
        what: the picture, e.g. "the curves in 'run/curves.png'".
    """
    try:
        yield
    except Exception as error:
        reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {first_line(error)}"
        logger.warning("%s could not be drawn, all numbers are there: %s", what, reason)
        logger.debug("a picture could not be drawn", exc_info=True)
