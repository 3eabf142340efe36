"""A path, a pattern or a list on standard input: which pictures and videos, in which order, under which names."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from utils.model_utils.errors import BadValueError, MissingPathError
from utils.videos.search import find_inputs
from utils.videos.tests.films import moving_squares, write_film

FLAG = {"flag": "--image_path"}


@pytest.fixture()
def folder(tmp_path):
    for name in ("a.jpg", "sub/b.PNG", "sub/deep/c.jpg", "sub/.hidden.jpg", "notes.txt", "out/a.jpg", "odd[1].jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    write_film(tmp_path / "sub" / "film.MKV", moving_squares(3))
    (tmp_path / "sub" / "broken.mp4").write_bytes(b"no video")
    return tmp_path


def found(path, **more):
    inputs = find_inputs(Path(path), **FLAG, **more)
    return [str(each.name) for each in inputs.pictures], [str(each.file.name) for each in inputs.videos]


def listed(monkeypatch, content, **more):
    stdin = SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stdin)
    return found("-", **more)


def test_a_file_and_a_folder_are_what_they_were(folder):
    assert found(folder / "a.jpg") == (["a.jpg"], [])
    assert found(folder / "odd[1].jpg") == (["odd[1].jpg"], [])  # no pattern, for it is there
    assert found(folder, leave_out=folder / "out") == (["a.jpg", "odd[1].jpg", "sub/b.PNG", "sub/deep/c.jpg"], [])
    assert found(folder / "sub" / "film.MKV") == ([], ["film.MKV"])


@pytest.mark.parametrize(
    ("pattern", "pictures"),
    [
        ("*.jpg", ["a.jpg", "odd[1].jpg"]),
        ("**/*.jpg", ["a.jpg", "odd[1].jpg", "sub/deep/c.jpg"]),
        ("sub/**/*.jpg", ["deep/c.jpg"]),
        ("sub/[bc].*", ["b.PNG"]),
        ("su?/*/c.jpg", ["sub/deep/c.jpg"]),
    ],
)
def test_patterns_give_files_named_from_the_first_wildcard_on(folder, pattern, pictures):
    assert found(folder / pattern, leave_out=folder / "out") == (pictures, [])


def test_videos_of_a_pattern_are_opened_and_others_named(folder, caplog):
    caplog.set_level("INFO")
    inputs = find_inputs(folder / "**", leave_out=folder / "out", **FLAG)
    assert [str(each.file.name) for each in inputs.videos] == ["sub/film.MKV"]
    assert (len(inputs.pictures), inputs.num_unreadable, inputs.num_images) == (4, 1, 7)
    assert str(inputs) == "4 pictures, 1 video"
    assert "broken.mp4' is no video of a known format" in caplog.text
    assert "no pictures by their names: 1, namely notes.txt" in caplog.text


def test_results_beside_the_pictures_or_above_hide_none(folder):
    for results in (folder / "sub", folder):
        inputs = find_inputs(folder / "sub" / "*.PNG", leave_out=results, **FLAG)
        assert [str(each.name) for each in inputs.pictures] == ["b.PNG"]
        assert str(inputs) == "1 picture"


def test_standard_input_lists_files_and_folders_each_once(folder, monkeypatch):
    monkeypatch.chdir(folder)
    lines = b"\xef\xbb\xbfsub/film.MKV\r\n\nsub/b.PNG\na.jpg\nsub\nabsent.jpg\n"
    assert listed(monkeypatch, lines) == (["sub/b.PNG", "a.jpg", "sub/deep/c.jpg", "absent.jpg"], ["sub/film.MKV"])
    assert listed(monkeypatch, b"sub/b.PNG\0odd[1].jpg\0") == (["sub/b.PNG", "odd[1].jpg"], [])
    assert listed(monkeypatch, str(folder / "sub" / "b.PNG").encode()) == (["b.PNG"], [])


def test_nothing_is_refused_with_what_to_do(folder, monkeypatch):
    with pytest.raises(MissingPathError, match=r"no picture or video fits the pattern .*\(other files that do: 1\)"):
        found(folder / "*.txt")
    with pytest.raises(MissingPathError, match="standard input lists no path: give one a line"):
        listed(monkeypatch, b"\n\r\n")
    with pytest.raises(MissingPathError, match=r"does not exist.*--image_path"):
        found(folder / "absent")
    with pytest.raises(BadValueError, match="broken.mp4' is no video"):
        found(folder / "sub" / "broken.mp4")
    for name in ("b.PNG", "deep/c.jpg"):
        (folder / "sub" / name).unlink()
    with pytest.raises(MissingPathError, match=r"have videos, such as 'broken.mp4', .*--image_path='.*/\*\*/\*.mp4'"):
        found(folder / "sub")
    (folder / "sub" / "film.MKV").write_bytes(b"")
    with pytest.raises(BadValueError, match="none of the 2 videos can be read"):
        found(folder / "sub" / "*")
