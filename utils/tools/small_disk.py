"""A disk of so many kilobytes: a tmpfs, whose mounting needs root."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path


def mount_fault(folder: Path) -> str:
    """Returns why no small disk can be had here, "" where one can."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with small_disk(folder, 64):
            return ""
    except (OSError, subprocess.CalledProcessError) as error:
        return f"a tmpfs cannot be mounted here, which needs root ({error})"


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int, files: int = 1000) -> Iterator[None]:
    """Makes a folder a disk of its own, with nothing on it, that takes so many files and folders."""
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k,nr_inodes={files + 1}", "tmpfs", str(folder)]
    subprocess.run(["mount", *options], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)


def resize(folder: Path, kilobytes: int) -> None:
    """Gives a small disk another size."""
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", str(folder)], check=True, capture_output=True)
