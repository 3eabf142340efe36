"""Classes of a detector and of an evaluation split are one where their names are; the ids are worked by hand."""

import logging

import pytest

from utils.detection.data.class_names import ClassTable
from utils.detection.results.class_match import match_classes
from utils.model_utils.errors import BadValueError

TRAINED = ClassTable(("ant", "bee", "cat"), (1, 2, 3))


def match(names, ids, trained=TRAINED, **options):
    return match_classes(trained, ClassTable(names, ids), model="'a.ckpt'", source="'val.json'", **options)


@pytest.mark.parametrize(
    ("names", "ids", "expected", "scored", "unscored"),
    [
        (("ant", "bee", "cat"), (1, 2, 3), (1, 2, 3), (1, 2, 3), ()),
        (("cat", "ant", "bee"), (1, 2, 3), (2, 3, 1), (1, 2, 3), ()),
        (("cat", "ant", "bee"), (90, 7, 8), (7, 8, 90), (7, 8, 90), ()),
        (("ant", "cat"), (1, 3), (1, 2, 3), (1, 3), (2,)),
        (("bee",), (1,), (4, 1, 3), (1,), (4, 3)),  # ant's own 1 is bee's there: the next number above all
        (("bee", "cat"), (1, 70), (71, 1, 70), (1, 70), (71,)),
    ],
)
def test_ids_are_those_of_the_same_name(names, ids, expected, scored, unscored):
    found = match(names, ids)
    assert found.classes.names == TRAINED.names
    assert found.classes.category_ids == expected
    assert (found.scored_ids, found.unscored_ids) == (scored, unscored)


def test_ids_that_the_split_uses_for_other_things_are_not_taken():
    assert match(("bee",), (5,), taken_ids=(1, 5, 9)).classes.category_ids == (10, 5, 3)


def test_what_is_not_listed_is_said(caplog):
    caplog.set_level(logging.INFO)
    match(("bee",), (1,))
    assert "'val.json' does not list 2 of the 3 classes of 'a.ckpt': they have no AP" in caplog.text
    assert "'ant' (4), 'cat' (3)" in caplog.text
    assert "other category ids than 'a.ckpt', first 1 for 'bee': classes are matched by name" in caplog.text


def test_a_name_that_training_does_not_have_is_refused_and_both_lists_are_named():
    with pytest.raises(BadValueError) as error:
        match(("bee", "cat", "dog"), (1, 2, 3))
    for part in (
        "'val.json' has 'dog', which 'a.ckpt' does not have",
        "it lists 'bee', 'cat', 'dog'",
        "'a.ckpt' has 'ant', 'bee', 'cat'",
        "ignore_unknown_classes=True",
    ):
        assert part in str(error.value)


def test_a_name_that_training_does_not_have_is_left_out_where_the_key_says_so(caplog):
    found = match(("bee", "cat", "dog"), (1, 2, 3), ignore_unknown=True)
    assert found.classes.category_ids == (4, 1, 2)  # 3 is the dog's
    assert (found.scored_ids, found.unscored_ids) == ((1, 2), (4,))
    assert "'val.json' has 1 class that 'a.ckpt' does not have: 'dog'" in caplog.text


def test_without_a_class_in_common_nothing_can_be_scored():
    with pytest.raises(BadValueError, match="has 'dog', which") as error:
        match(("dog",), (1,), ignore_unknown=True)
    assert "ignore_unknown_classes" not in str(error.value)


def test_a_split_without_categories_has_those_of_the_detector(caplog):
    caplog.set_level(logging.INFO)
    found = match((), ())
    assert (found.classes, found.scored_ids, found.unscored_ids) == (TRAINED, (1, 2, 3), ())
    assert "'val.json' lists no categories" in caplog.text


def test_a_detector_without_names_is_matched_by_number(caplog):
    nameless = ClassTable(("class_0", "class_1"), (1, 2), is_named=False)
    found = match(("dog", "cat"), (70, 3), nameless)  # in the order of their ids: cat, dog
    assert (found.classes.category_ids, found.scored_ids) == ((3, 70), (3, 70))
    assert "'a.ckpt' has no class names: its 2 classes are taken for those of 'val.json'" in caplog.text
    with pytest.raises(BadValueError, match="has no class names and 2 classes, 'val.json' has 1, 'dog': list"):
        match(("dog",), (1,), nameless)


def test_long_lists_are_cut():
    names = tuple(f"name {number}" for number in range(80))
    with pytest.raises(BadValueError, match=r"'name 9' \.\.\. \(80 names\)"):
        match(names, tuple(range(80)))


def test_a_twin_that_is_alone_in_the_split_is_found_by_its_id():
    """Training had cat 1 and cat 4; the split has cat 4 alone, so that its name says nothing of an id there."""
    twins = ClassTable(("cat (1)", "cat (4)", "dog"), (1, 4, 7))
    found = match(("cat", "dog"), (4, 7), twins)
    assert (found.classes.names, found.scored_ids, found.unscored_ids) == (twins.names, (4, 7), (1,))
    with pytest.raises(BadValueError, match="'val.json' has 'cat', which 'a.ckpt' does not have"):
        match(("cat", "dog"), (5, 7), twins)
