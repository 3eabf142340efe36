"""Where a path is missing, the sentence names what is there under a like name."""

import pytest

from utils.launch.user_arguments import existing_path
from utils.model_utils.errors import MissingPathError
from utils.model_utils.near_paths import near_names, near_path, others_of_kind


@pytest.fixture()
def folder(tmp_path):
    for name in ("IMG_1.JPG", "sub/deep/b.png", "c.jpeg", ".hidden/d.jpg", "src/net.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "like"),
    [("IMG_1.jpg", "IMG_1.JPG"), ("b.png", "sub/deep/b.png"), ("c.jpg", "c.jpeg"), ("B.PNG", "sub/deep/b.png")],
)
def test_case_folder_and_kind_are_seen_through(name, like, folder):
    assert near_path(folder / name) == f", but '{folder / like}' is there"


@pytest.mark.parametrize("name", ["other.jpg", "d.jpg", "absent/IMG_1.JPG", "net.mindir"])
def test_nothing_like_it_says_nothing(name, folder):
    assert near_path(folder / name) == ""


def test_a_link_to_nothing_is_said_to_be_one(folder):
    (folder / "x.jpg").symlink_to(folder / "gone.jpg")
    assert near_path(folder / "x.jpg") == f": it is a link to '{folder / 'gone.jpg'}', which is missing"
    assert near_names(folder, ["x.jpg"]) == ""


def test_of_many_names_those_that_are_there_otherwise_are_counted(folder):
    missing = ["train/IMG_1.jpg", "images\\b.png", "no.jpg"]
    assert near_names(folder, missing) == (
        ", but 2 of them are there under another name, e.g. 'IMG_1.JPG' for 'train/IMG_1.jpg'"
    )
    assert near_names(folder, ["no.jpg"]) == near_names(folder / "absent", missing) == ""


def test_a_long_name_is_cut(folder):
    said = near_names(folder, ["c.png" + " 5" * 500])
    assert said.startswith(", but 1 of them are there under another name, e.g. 'c.jpeg' for 'c.png 5 5")
    assert len(said) < 150


def test_an_argument_of_a_launcher_says_it(folder):
    with pytest.raises(MissingPathError, match=r"does not exist, but '.*IMG_1\.JPG' is there, wanted a file"):
        existing_path("MINDIR_PATH", str(folder / "img_1.jpg"), "file")


def test_files_of_the_same_kind_are_listed_from_the_folder_that_is_there(folder):
    assert others_of_kind(folder / "absent" / "a.jpg") == f", but '{folder}' has IMG_1.JPG"
    assert others_of_kind(folder / "sub" / "a.png") == f", but '{folder / 'sub'}' has deep/b.png"
    assert others_of_kind(folder / "a.json") == others_of_kind(folder / "absent" / "too" / "a.jpg") == ""
    for number in range(5):
        (folder / f"{number}.json").touch()
    assert others_of_kind(folder / "a.json") == f", but '{folder}' has 0.json, 1.json, 2.json, 3.json, ..."
