"""Tables of colours as programs write them, line by line."""

import re

import pytest

from utils.data_sets.colour_tables import TableRow, parse_table, refuse_two_names, rows_of_mapping
from utils.model_utils.errors import BadValueError

RED, GREEN = (255, 0, 0), (0, 255, 0)


@pytest.mark.parametrize(
    ("lines", "rows"),
    [
        (["class1 255 0 0", "class2 0 255 0"], [("class1", RED), ("class2", GREEN)]),
        (["name,r,g,b", "lane1,255,0,0", "lane2,0,255,0"], [("lane1", RED), ("lane2", GREEN)]),
        (["class 1 255 0 0", "class 2 0 255 0"], [("class 1", RED), ("class 2", GREEN)]),
        (["255 0 0 lane 1", "0 255 0\tlane 2"], [("lane 1", RED), ("lane 2", GREEN)]),
        (["0 255 0 0 road", "1 0 255 0 car"], [("road", RED), ("car", GREEN)]),
        (["7 255 0 0 road", "11 0 255 0 car"], [("road", RED), ("car", GREEN)]),
        (["255 0 0 1 road", "0 255 0 2 car"], [("road", RED), ("car", GREEN)]),
        (["0,unlabeled,255,0,0", "1,car,0,255,0"], [("unlabeled", RED), ("car", GREEN)]),
        (["id,name,r,g,b", "0,road lane,255,0,0"], [("road lane", RED)]),
        (["name;id;red;green;blue;a", '"wall; panel";9;255;0;0;255'], [("wall; panel", RED)]),
        (["0 road 255 0 0", "1 car 0 255 0"], [("road", RED), ("car", GREEN)]),
        (["2 wheels 255 0 0", "car 0 255 0"], [("2 wheels", RED), ("car", GREEN)]),
        (["2 wheels,255,0,0"], [("2 wheels", RED)]),
        (["# label:color_rgb:parts:actions", "road1:255,0,0::"], [("road1", RED)]),
        (["car1 #FF0000", "#00ff00 bus", "1,#ff0000,tram", "2,#00ff00,bike"],
         [("car1", RED), ("bus", GREEN), ("tram", RED), ("bike", GREEN)]),
        (["255 0 0 #00ff00"], [("#00ff00", RED)]),
        (["car: [255, 0, 0]", "bus = (0, 255, 0)"], [("car", RED), ("bus", GREEN)]),
        (["wall, panel 255 0 0", "0 255 0 sea, lake"], [("wall, panel", RED), ("sea, lake", GREEN)]),
        (["Pixel Value, Class", "0, background", "1, lane 2", "lane 3,4", "2 wheels,5", "lane 4 6"],
         [("background", 0), ("lane 2", 1), ("lane 3", 4), ("2 wheels", 5), ("lane 4", 6)]),
        (["255 0 0", "0 255 0"], [("", RED), ("", GREEN)]),
        ([], []),
    ],
)  # fmt: skip
def test_lines(lines, rows):
    assert parse_table(lines, "table") == [TableRow(*row) for row in rows]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["car 1 2 300"], "table has 'car 1 2 300', wanted three numbers from 0 to 255 and a name"),
        (["name,r,g,b", "car,1,2"], "table has 'car,1,2', wanted the columns of its first line, with whole numbers"),
        (["name,r,g,b", "car,1,2,0.5"], "wanted the columns of its first line"),
        (["car,1,255,0,0"], "table has 'car,1,255,0,0', wanted RED GREEN BLUE NAME or the name first"),
        (["1 2 3 4 5 car"], "table has '1 2 3 4 5 car', wanted RED"),
        (["0,car,7"], "table has '0,car,7', wanted RED"),
        (["car 0.5 0.5 0.5"], "table has 'car 0.5 0.5 0.5', wanted RED"),
        (["car 256"], "table has 'car 256', wanted a value from 0 to 255 and a name"),
        (["128 0 0 0 car", "128 0 9 0 bus"], "has four numbers before a name, as in '128 0 0 0 car', and neither"),
    ],
)
def test_what_cannot_be_told_is_refused(lines, sentence):
    with pytest.raises(BadValueError, match=re.escape(sentence)):
        parse_table(lines, "table")


def test_a_mapping_has_values_colours_and_lists_of_them():
    content = {"a  b": [255, 0, 0], "c": "#00ff00", "d": [[255, 0, 0], "0, 255, 0"], "e": 7}
    wanted = [("a b", RED), ("c", GREEN), ("d", RED), ("d", GREEN), ("e", 7)]
    assert rows_of_mapping(content, "table") == [TableRow(*row) for row in wanted]
    for strange in ("red", [1, 2], 256, None, [0.5, 0, 0], True):
        with pytest.raises(BadValueError, match="table gives 'a' .*, wanted"):
            rows_of_mapping({"a": strange}, "table")


def test_two_names_of_one_colour_or_value_are_refused_but_words_for_no_class():
    refuse_two_names([TableRow("void", RED), TableRow("Unlabeled", RED), TableRow("void", RED)], "table")
    for one, other in (("a", "void"), ("a", "b")):
        with pytest.raises(
            BadValueError, match=f"table has the value 7 for '{one}' and '{other}': give each value one"
        ):
            refuse_two_names([TableRow(one, 7), TableRow(other, 7)], "table")
