"""Where utils keeps programs and libraries that it has built for this user, and that no one else can put some there."""

import grp
import os
import pwd
import stat
from pathlib import Path

from utils.model_utils.errors import BadStateError, os_errors_as

CACHE_NAME = "mindspore-vision-model-zoo"
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def cache_folder(room: str) -> Path:
    """Returns where a room of utils keeps what it has built for this user: a folder of this name in the user's cache.

    That is `mindspore-vision-model-zoo` in $XDG_CACHE_HOME, or in ~/.cache.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / CACHE_NAME / room


def make_cache_folder(folder: Path) -> None:
    """Makes a folder of the cache and those above it where they are missing, for this user alone.

    What lies in it is loaded and run, under names that anybody can compute.

    Args:
        folder: of `cache_folder`, or in one.

    Raises:
        BadStateError: a folder of the cache, or the one that the cache lies in, is another user's or can be written by
            one; or it cannot be made.
    """
    base = next((parent.parent for parent in folder.parents if parent.name == CACHE_NAME), folder.parent)
    chain = [parent for parent in (*reversed(folder.parents), folder) if parent.is_relative_to(base)]
    advice = ": set XDG_CACHE_HOME to a folder that you may write to"
    with os_errors_as(BadStateError, f"cache folder '{folder}' cannot be made", advice):
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        for each in chain:
            each.mkdir(mode=0o700, exist_ok=True)
            fault = _fault_of(each)
            if fault:
                raise BadStateError(
                    f"cache folder '{each}' {fault}, who could put programs there that run as you: make it yours alone "
                    "(chown, chmod go-w), or set XDG_CACHE_HOME to a folder that is"
                )


def _fault_of(folder: Path) -> str:
    """Returns what is wrong with a folder, or with the link in its place; "" where nothing is."""
    link, target = folder.lstat(), folder.stat()
    strangers = {each.st_uid for each in (link, target)} - {0, os.geteuid()}
    if strangers:
        return f"belongs to user {strangers.pop()}"
    writers = target.st_mode & OTHERS_WRITE
    if writers == stat.S_IWGRP and _is_group_of_one(target.st_gid):
        return ""
    is_for_all = target.st_mode & stat.S_ISVTX and CACHE_NAME not in folder.parts  # like /tmp, where each has his own
    if not writers or is_for_all:
        return ""
    return f"has mode {stat.S_IMODE(target.st_mode):04o} and can be written by others"


def _is_group_of_one(group_id: int) -> bool:
    """Whether a group is the user's own, as many systems make one for each user."""
    try:
        group, user = grp.getgrgid(group_id), pwd.getpwuid(os.geteuid())
    except KeyError:  # of a container, without a name
        return False
    return group_id == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
