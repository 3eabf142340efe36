"""Figures are drawn whatever a notebook, a user's settings or a machine without a home ask of matplotlib."""

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from utils.drawing.figures import draw_figure
from utils.drawing.guard import guard_drawing
from utils.model_utils.errors import BadStateError

ROOT = Path(__file__).resolve().parents[3]
DRAW = """
import os, sys
from utils.drawing.figures import draw_figure
before = dict(os.environ)
content = draw_figure(lambda figure: figure.add_subplot().plot([0, 1]), 4, 3, 100)
assert content.startswith(b"\\x89PNG") and "matplotlib.pyplot" not in sys.modules
assert all(before.get(name) == os.environ.get(name) for name in ("MPLBACKEND", "MATPLOTLIBRC"))
"""


@pytest.mark.parametrize(
    "variables",
    [
        {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
        {"MPLBACKEND": "no such backend"},
        {"MPLBACKEND": "TkAgg", "DISPLAY": ""},
        {"MPLBACKEND": "TkAgg", "MPLCONFIGDIR": "/proc/none", "HOME": "/proc/none"},
        {"MATPLOTLIBRC": "SETTINGS"},
    ],
    ids=str,
)
def test_a_figure_is_drawn_in_any_environment(variables, tmp_path):
    settings = tmp_path / "settings"
    settings.write_bytes(b"text.usetex: True\nfont.family: absent\n\xff\xfe broken\n")
    variables = {name: value.replace("SETTINGS", str(settings)) for name, value in variables.items()}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, "-c", DRAW]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("error", [ValueError("bad\nsecond line"), MemoryError(), KeyError("x"), RecursionError()])
def test_a_drawing_that_fails_is_one_warning(error, caplog):
    with guard_drawing("the curves in 'a'"):
        raise error
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    begin = f"the curves in 'a' could not be drawn, all numbers are there: {type(error).__name__}"
    assert record.message.startswith(begin)
    assert "second" not in record.message


def test_an_error_of_ours_is_said_as_it_is(caplog):
    with guard_drawing("b"):
        raise BadStateError("picture 'b' cannot be written (No space left on device)")
    assert caplog.messages[0].endswith("are there: picture 'b' cannot be written (No space left on device)")


def test_an_interrupt_is_no_failure_of_a_drawing():
    with pytest.raises(KeyboardInterrupt), guard_drawing("b"):
        raise KeyboardInterrupt


@pytest.mark.parametrize("is_on", [True, False])
def test_a_figure_is_gone_when_it_is_drawn(is_on):
    """Its pixels are 5 MB, and the collector would come to it once in hundreds of drawings."""
    figures = []
    (gc.enable if is_on else gc.disable)()
    try:
        draw_figure(lambda figure: figures.append(weakref.ref(figure)) or figure.subplots(), width=2, height=1, dpi=50)
        assert gc.isenabled() == is_on
    finally:
        gc.enable()
    assert [figure() for figure in figures] == [None]
