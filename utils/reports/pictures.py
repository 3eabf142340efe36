"""Pictures within a page; a click shows one large."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO

import numpy as np
from PIL import Image

QUALITY = 82  # of JPEG: names on boxes stay legible, and a picture of 1,200 x 500 has some 150 kB
LONGEST_SIDE = 1280  # pixels of a picture in a page, as wide as most windows


@dataclass(frozen=True)
class Shot:
    """A picture of a page.

    Attributes:
        jpeg: bytes of the file.
        title: what it is, plain text.
        note: what there is to see, plain text.
    """

    jpeg: bytes
    title: str
    note: str = ""


def small_jpeg(image: np.ndarray) -> bytes:
    """Returns a picture uint8[H, W, 3] RGB as a JPEG file, made smaller where it is larger than a window."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return buffer.getvalue()


def gallery(shots: Sequence[Shot]) -> str:
    """Returns pictures, each above its title and note."""
    return f'<div class="gallery">{"".join(map(_figure, shots))}</div>'


def _figure(shot: Shot) -> str:
    data = base64.b64encode(shot.jpeg).decode("ascii")
    title, note = escape(shot.title), escape(shot.note)
    return (
        f'<figure><button type="button" class="zoom"><img loading="lazy" alt="{title}" '
        f'src="data:image/jpeg;base64,{data}"></button>'
        f"<figcaption><b>{title}</b> {note}</figcaption></figure>"
    )
