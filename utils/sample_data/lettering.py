"""Capital letters and digits as strokes, for signs, shops and number plates."""

import numpy as np

from utils.sample_data.parts import stroke

# Each glyph: strokes separated by spaces, points as two digits (x 0-4, y 0-6, y up) separated by dashes.
GLYPHS = {
    "A": "00-26-40 12-32",
    "B": "00-06-36-45-34-03 33-42-41-30-00",
    "C": "45-36-16-05-01-10-30-41",
    "D": "00-06-26-44-42-20-00",
    "E": "40-00-06-46 03-33",
    "F": "00-06-46 03-33",
    "G": "45-36-16-05-01-10-30-41-43-23",
    "H": "00-06 40-46 03-43",
    "I": "20-26",
    "J": "46-41-30-10-01",
    "K": "00-06 46-03-40",
    "L": "06-00-40",
    "M": "00-06-23-46-40",
    "N": "00-06-40-46",
    "O": "10-01-05-16-36-45-41-30-10",
    "P": "00-06-36-45-44-33-03",
    "R": "00-06-36-45-44-33-03 23-40",
    "S": "45-36-16-05-04-13-33-42-41-30-10-01",
    "T": "20-26 06-46",
    "U": "06-01-10-30-41-46",
    "V": "06-20-46",
    "W": "06-10-23-30-46",
    "X": "00-46 06-40",
    "Y": "06-23-46 23-20",
    "Z": "06-46-00-40",
    "0": "10-01-05-16-36-45-41-30-10",
    "1": "14-26-20",
    "2": "05-16-36-45-44-00-40",
    "3": "06-46-23-33-42-41-30-10-01",
    "4": "46-02-42 34-30",
    "5": "46-06-03-33-42-41-30-10-01",
    "6": "45-36-16-05-01-10-30-41-42-33-13-02",
    "7": "06-46-10",
    "8": "13-04-05-16-36-45-44-33-13-02-01-10-30-41-42-33",
    "9": "01-10-30-41-45-36-16-05-04-13-33-44",
    " ": "",
}
GLYPH_WIDTH, GLYPH_STEP, GLYPH_HEIGHT = 4.0, 5.6, 6.0


def lettering(text: str, x: float, y: float, height: float, boldness: float = 0.16) -> list[np.ndarray]:
    """Strokes of a word.

    Args:
        text: capital letters, digits and spaces.
        x: centre of the word, in metres.
        y: centre of the word, in metres.
        height: height of the letters, in metres.
        boldness: width of the strokes as a share of the height.

    Returns:
        Polygons float[14, 2] in metres.
    """
    unit = height / GLYPH_HEIGHT
    start = x - (len(text) * GLYPH_STEP - (GLYPH_STEP - GLYPH_WIDTH)) * unit / 2
    polygons = []
    for index, character in enumerate(text):
        for line in GLYPHS[character].split():
            points = np.array([[int(point[0]), int(point[1])] for point in line.split("-")], dtype=np.float64)
            points = points * unit + [start + index * GLYPH_STEP * unit, y - height / 2]
            polygons += stroke(points, boldness * height)
    return polygons
