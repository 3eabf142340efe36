"""An option that would be passed over is refused in a sentence, before anything is written."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from utils.forms.options import READ_BY, Options
from utils.forms.sniffing import FORMS
from utils.forms.tests.samples import grey, picture, text
from utils.forms.tests.test_boxes_forms import run
from utils.forms.tests.test_left_out import write_one
from utils.model_utils.errors import BadValueError

GIVEN = {"first_pixel": 0, "difficult": "keep", "colors": Path("x.txt"), "no_class": (3,), "classes": ("a", "b")}


def test_the_table_of_options_has_their_names_and_forms():
    assert {*READ_BY} | {"splits"} == {each.name for each in dataclasses.fields(Options)}
    assert {form for forms in READ_BY.values() for form in forms} <= {*FORMS}


@pytest.mark.parametrize("option", GIVEN)
@pytest.mark.parametrize("form", ["voc", "yolo", "labelme", "coco", "supervisely"])
def test_an_option_of_other_forms_is_refused(tmp_path, form, option):
    write_one(form, tmp_path / "source")
    options = Options(**{option: GIVEN[option]})
    if form in READ_BY[option]:
        run(tmp_path / "source", tmp_path / "out", val_share=0, options=options)
        return
    sentence = f"^--{option} is for --form (voc|labels), and the source is read as --form {form}: leave it out, or say"
    with pytest.raises(BadValueError, match=sentence):
        run(tmp_path / "source", tmp_path / "out", val_share=0, options=options)
    assert not (tmp_path / "out").exists()


def test_a_background_that_is_no_class_is_for_labels_alone(tmp_path):
    write_one("voc", tmp_path / "source")
    with pytest.raises(BadValueError, match="^--background none is for --to cityscapes, and the target is coco"):
        run(tmp_path / "source", tmp_path / "out", has_background=False)


@pytest.mark.parametrize("options", [{"classes": ("a", "b")}, {"no_class": (0,)}, {"colors": Path("x.txt")}])
def test_masks_of_objects_have_one_class(tmp_path, options):
    for name in ("p", "q"):
        picture(tmp_path / "source" / "images" / f"{name}.png")
        grey(tmp_path / "source" / "masks" / name / "1.png", np.ones((40, 60)))
    with pytest.raises(BadValueError, match="which are all of one class: leave out --colors and --no_class, and give"):
        run(tmp_path / "source", tmp_path / "out", options=Options(**options))


def test_a_table_of_colours_for_labels_of_values_is_refused(tmp_path):
    picture(tmp_path / "source" / "images" / "a.jpg")
    grey(tmp_path / "source" / "masks" / "a.png", np.arange(2400).reshape(40, 60) % 3)
    table = text(tmp_path / "table.txt", "road 128 64 128\ncar 0 0 142\n")
    with pytest.raises(BadValueError, match=r"table\.txt' names colours, and the labels have the values 0, 1, 2: give"):
        run(tmp_path / "source", tmp_path / "out", options=Options(colors=table))
    with pytest.raises(BadValueError, match="--colors and --classes both name the classes: give one of them"):
        run(tmp_path / "source", tmp_path / "out", options=Options(colors=table, classes=("a", "b", "c")))
