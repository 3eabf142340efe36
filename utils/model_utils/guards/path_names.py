"""What no file system takes for a name, found before a path is used: there it would be a traceback, or no file."""

import os

MOST_NAME_BYTES = 255  # of Linux's file systems
MOST_PATH_BYTES = 4095  # Linux's PATH_MAX, without the zero at the end


def path_fault(text: str) -> str:
    """Returns why a text can be no path, e.g. "has a NUL character"; "" where it can."""
    fault = text_fault(text)
    if fault:
        return fault
    content = os.fsencode(text)
    longest = max(map(len, content.split(b"/")))
    if longest > MOST_NAME_BYTES:
        return f"has a name of {longest} bytes, at most {MOST_NAME_BYTES} are possible"
    if len(content) > MOST_PATH_BYTES:
        return f"has {len(content)} bytes, at most {MOST_PATH_BYTES} are possible"
    return ""


def text_fault(text: str) -> str:
    """Returns why a text cannot be a part of a path; "" where it can.

    Half a surrogate pair that stands for a byte of a name that is no UTF-8 (U+DC80 to U+DCFF) is fine.
    """
    if "\0" in text:
        return "has a NUL character"
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return "has half of a surrogate pair, which no name can hold"
    return ""
