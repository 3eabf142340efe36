"""Puts a picture into the new data set: as a link, a second name of the same file, or a copy."""

import os
from pathlib import Path
from typing import Literal, TypeAlias

from utils.forms.content import Picture
from utils.images import read_bytes
from utils.model_utils.errors import BadStateError, os_errors_as
from utils.model_utils.files import write_file
from utils.words import counted

How: TypeAlias = Literal["link", "hardlink", "copy"]


class Placing:
    """Places pictures, and notes where one had to be copied though links were asked for.

    Args:
        how: what is asked for.
    """

    def __init__(self, how: How) -> None:
        self.how = how
        self.num_copied_instead = 0

    def place(self, picture: Picture, target: Path) -> None:
        """Puts a picture where it belongs; folders are made.

        Raises:
            MissingPathError: it is not there any more, or cannot be read.
            BadStateError: nothing can be written there.
        """
        if picture.path is None:
            write_file(target, picture.read_inline() if picture.read_inline else b"", what="picture")
            return
        if self.how != "copy" and self._link(picture.path, target):
            return
        self.num_copied_instead += self.how != "copy"
        write_file(target, read_bytes(picture.path), what="picture")

    def _link(self, source: Path, target: Path) -> bool:
        """Returns whether the file system takes a link."""
        with os_errors_as(BadStateError, f"folder '{target.parent}' cannot be made", ": choose another --out"):
            target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if self.how == "link":
                os.symlink(source.resolve(), target)
            else:
                os.link(source.resolve(), target)
        except OSError:
            return False
        return True

    def note(self) -> str:
        """Returns a sentence where links were not possible, else ""."""
        if not self.num_copied_instead:
            return ""
        kind = "links" if self.how == "link" else "hard links to another disk"
        return f"the file system of --out takes no {kind}; {counted(self.num_copied_instead, 'picture')} copied instead"
