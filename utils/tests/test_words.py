import pytest

from utils.words import agreed, counted, first_of, listed, none_of, plural, share, worded


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [
        (0, "image", "0 images"),
        (1, "class", "1 class"),
        (2, "class", "2 classes"),
        (1, "bounding box", "1 bounding box"),
        (12000, "bounding box", "12,000 bounding boxes"),
        (3, "category", "3 categories"),
    ],
)
def test_a_count_is_said_with_its_noun(count, noun, said):
    assert counted(count, noun) == said


def test_verbs_and_plurals_agree():
    assert [agreed(count, "is", "are") for count in (0, 1, 2)] == ["are", "is", "are"]
    assert plural("training image") == "training images"


def test_items_are_listed_with_an_and_before_the_last():
    assert [listed([0, 1, 255][-count:]) for count in (1, 2, 3)] == ["255", "1 and 255", "0, 1 and 255"]


def test_a_text_has_wordings_for_one_and_for_several():
    text = "[box leaves its|boxes leave their] picture as [left, top, width, height]"
    assert worded(1, text) == "box leaves its picture as [left, top, width, height]"
    assert worded(2, text) == "boxes leave their picture as [left, top, width, height]"


def test_none_of_one_is_not_counted():
    assert [none_of(count, "class") for count in (1, 2)] == ["not even the only class", "none of the 2 classes"]


@pytest.mark.parametrize(
    ("most", "between", "said"),
    [
        (4, ", ", "a, b, c, d"),
        (3, ", ", "a, b, c and 1 more"),
        (1, ", ", "a and 3 more"),
        (2, "; ", "a; b; and 2 more"),
    ],
)
def test_a_long_list_is_cut_and_says_so(most, between, said):
    assert first_of(["a", "b", "c", "d"], most, between) == said


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (31, 100, "31 %"),
        (1, 2000, "0.1 %"),
        (1, 10**6, "below 0.1 %"),
        (0, 5, "0 %"),
        (3, 60, "5.0 %"),
        (1, 0, "0 %"),
        (5, 5, "100 %"),
        (996, 1000, "99.6 %"),
        (10**6 - 1, 10**6, "above 99.9 %"),
    ],
)
def test_shares(part, whole, text):
    assert share(part, whole) == text
