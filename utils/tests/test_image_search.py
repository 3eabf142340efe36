"""Pictures are found sorted, in sub-folders, whatever the case of their endings; no two results have one name."""

import re
from pathlib import Path, PurePosixPath

import pytest

from utils.image_search import ImageFile, find_image_files, image_numbers, result_names
from utils.images import IMAGE_SUFFIXES
from utils.model_utils.errors import MissingPathError


def files(*names):
    return [ImageFile(Path(name), PurePosixPath(name)) for name in names]


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_folder_is_walked_sorted_and_other_files_are_left_out(tmp_path):
    touch(tmp_path, "b/1.PNG", "b/a/x.bmp", "a/2.jpg", "a/1.JpEg", "z.jpg", "notes.txt", "a/1.json", "c.jpg/in.png")
    found = find_image_files(tmp_path, flag="--image_path")
    names = [str(each.name) for each in found]
    assert names == ["z.jpg", "a/1.JpEg", "a/2.jpg", "b/1.PNG", "b/a/x.bmp", "c.jpg/in.png"]
    assert found[1].path == tmp_path / "a" / "1.JpEg"


def test_every_kind_of_picture_that_training_reads_is_taken_and_the_rest_is_counted(tmp_path, caplog):
    """Each kind in both cases; a folder that a link leads to once more is searched once."""
    caplog.set_level("INFO")
    names = [f"{number:02d}{suffix}" for number, suffix in enumerate(IMAGE_SUFFIXES)]
    touch(tmp_path, *names, *(f"upper/{name.upper()}" for name in names))
    touch(tmp_path, "notes.txt", ".DS_Store", "sub/._a.jpg")
    (tmp_path / "vpper").symlink_to(tmp_path / "upper", target_is_directory=True)
    found = find_image_files(tmp_path, flag="--f")
    assert [str(each.name) for each in found] == names + [f"upper/{name.upper()}" for name in names]
    (line,) = caplog.messages
    begin = f"passed over in {tmp_path}, no pictures by their names: 3, namely .DS_Store, notes.txt, sub/._a.jpg"
    assert line == begin


def test_links_to_folders_are_followed_and_circles_end(tmp_path):
    touch(tmp_path, "here/a.jpg", "elsewhere/b.jpg", "elsewhere/deep/c.jpg")
    (tmp_path / "here" / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere" / "deep" / "back").symlink_to(tmp_path / "here", target_is_directory=True)
    found = find_image_files(tmp_path / "here", flag="--f")
    assert [str(each.name) for each in found] == ["a.jpg", "linked/b.jpg", "linked/deep/c.jpg"]


def test_a_missing_path_names_what_is_there_instead(tmp_path):
    touch(tmp_path, "photos/IMG_1.JPG")
    with pytest.raises(MissingPathError, match=r"'.*img_1\.jpg' does not exist, but '.*IMG_1\.JPG' is there: give a"):
        find_image_files(tmp_path / "photos" / "img_1.jpg", flag="--f")


def test_the_program_in_cpp_takes_the_same_files():
    source = (Path(__file__).parents[1] / "cpp_infer" / "src" / "paths.cc").read_text()
    (listed,) = re.findall(r"kSuffixes = \{(.*?)\};", source, re.DOTALL)
    assert tuple(re.findall(r'"([^"]*)"', listed)) == IMAGE_SUFFIXES


def test_a_single_file_counts_whatever_its_ending(tmp_path):
    touch(tmp_path, "picture.webp")
    assert find_image_files(tmp_path / "picture.webp", flag="--f")[0].name == PurePosixPath("picture.webp")


def test_the_folder_of_results_is_left_out(tmp_path):
    touch(tmp_path, "a.jpg", "out/a.jpg", "out/b/c.jpg")
    assert len(find_image_files(tmp_path, flag="--f", leave_out=tmp_path / "out")) == 1
    assert len(find_image_files(tmp_path, flag="--f", leave_out=tmp_path)) == 3


def test_nothing_to_find_is_a_sentence(tmp_path):
    with pytest.raises(MissingPathError, match="--image_path"):
        find_image_files(tmp_path / "absent", flag="--image_path")
    touch(tmp_path, "a.txt")
    with pytest.raises(MissingPathError, match=r"no picture \(\.jpg, .*, \.webp, .*\) .* \(other files: 1\): give"):
        find_image_files(tmp_path, flag="--image_path")


def test_results_never_share_a_name():
    found = result_names(files("a/1.jpg", "b/1.jpg", "b/1.png", "b/1.PNG", "B/1.bmp", "x.y.png"), ".jpg")
    wanted = ["a/1.jpg", "b/1.jpg", "b/1.png.jpg", "b/1.PNG.2.jpg", "B/1.bmp.jpg", "x.y.jpg"]
    assert [str(name) for name in found] == wanted


def test_numbers_of_names_are_ids_where_all_names_are_different_numbers():
    assert image_numbers(files("000000000139.jpg", "7.png")) == [139, 7]
    assert image_numbers(files("139.jpg", "cat.jpg")) == [1, 2]
    assert image_numbers(files("a/1.jpg", "b/01.jpg")) == [1, 2]
    assert image_numbers(files("²", "٣")) == [1, 2]
