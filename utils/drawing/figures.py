"""matplotlib as the program uses it: no display, no global state, and nothing of the user's settings."""

import contextlib
import gc
import importlib.util
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BACKEND_VARIABLE, SETTINGS_VARIABLE = "MPLBACKEND", "MATPLOTLIBRC"


def import_matplotlib() -> ModuleType:
    """Imports matplotlib whatever the environment asks of it.

    A notebook exports MPLBACKEND for its own kernel, and the import refuses a backend that this environment does not
    have. A user's matplotlibrc may be damaged or ask for LaTeX.

    Raises:
        ImportError: it is not installed.
    """
    found = importlib.util.find_spec("matplotlib")
    if "matplotlib" in sys.modules or found is None or not found.origin:
        import matplotlib

        return matplotlib
    kept = {name: os.environ.pop(name, None) for name in (BACKEND_VARIABLE, SETTINGS_VARIABLE)}
    os.environ[SETTINGS_VARIABLE] = str(Path(found.origin).parent / "mpl-data" / "matplotlibrc")
    try:
        import matplotlib

        return matplotlib
    finally:
        del os.environ[SETTINGS_VARIABLE]
        os.environ.update({name: value for name, value in kept.items() if value is not None})


def draw_figure(draw: Callable[["Figure"], None], width: float, height: float, dpi: int) -> bytes:
    """Returns a figure as the bytes of a PNG file.

    Args:
        draw: fills the empty figure, which has a constrained layout.
        width: in inches.
        height: in inches.
        dpi: pixels of an inch.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    matplotlib = import_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    picture = io.BytesIO()
    with _no_garbage_left(), matplotlib.rc_context():
        matplotlib.rcdefaults()
        figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        draw(figure)
        figure.savefig(picture, format="png")
        del figure
    return picture.getvalue()


@contextlib.contextmanager
def _no_garbage_left() -> Iterator[None]:
    """Frees what the block has made and let go of.

    A figure refers to itself in circles, which Python's collector alone finds. Beside MindSpore's objects it comes to
    the older ones once in hundreds of drawings, each of which would keep its pixels, 5 MB, until then. What is made
    while the collector is off stays among the youngest objects, and to look through these takes milliseconds.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
        gc.collect(0)
