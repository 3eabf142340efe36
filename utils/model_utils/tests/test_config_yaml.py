"""YAML files: plain values of YAML 1.2, and one sentence with file and line for what is not."""

import pytest

from utils.model_utils.config.yaml_files import MAX_FILE_BYTES, dump_values, parse_value, read_yaml_layers
from utils.model_utils.errors import BadValueError, MissingPathError


def read(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return {key: entry.value for key, entry in read_yaml_layers(path)[-1].items()}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001), ("-1.5E-3", -0.0015), (".5", 0.5), ("1.", 1.0), ("1e5", 1e5), ("12", 12), ("+3", 3),
        ("010", 10), ("0x1F", 31), ("True", True), ("false", False), ("no", "no"), ("on", "on"),
        ("2024-01-01", "2024-01-01"),
        ("1:30", "1:30"), ("1_000", "1_000"), ("~", None), ("", None), ("None", None), ("''", ""), ("'12'", "12"),
        ("[1, a, 2.5]", [1, "a", 2.5]), ("<<", "<<"), ("=", "="),
        ("!!int '12'", 12), ("!!float 1", 1.0), ("!!bool true", True), ("!!null ''", None), ("!!str 12", "12"),
    ],
)  # fmt: skip
def test_plain_values(text, value):
    got = parse_value(text)
    assert got == value
    assert type(got) is type(value)


def test_values_survive_dump_and_parse():
    values = {"a": ["no", "1e3", "", "null", "12", "a: b", "#", "\t\n", "é中", "'"], "b": 1e-06, "c": None, "d": True}
    assert parse_value(dump_values(values)) == values


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a: 1\n\tb: 2\n", "x.yaml, line 2: a tab stands where spaces are wanted"),
        ("a: 1\nb: 2\na: 3\n", "x.yaml, line 3: key 'a' stands twice, first in line 1: remove one of them"),
        ("a: 1\n---\nb: 2\n", "x.yaml, line 2: a second document begins here"),
        ("- 1\n", "x.yaml: the file holds a list where lines 'key: value' were wanted"),
        ("word\n", "x.yaml: the file holds the single value 'word'"),
        (
            "a: !!python/object/apply:os.system [ls]\n",
            "x.yaml, line 1: the tag '!!python/object/apply:os.system' would build",
        ),
        ("a: !mine 3\n", "line 1: the tag '!mine' would build an object"),
        ("a: !!set {x}\n", "line 1: the tag '!!set' would build an object"),
        ("a: [1\nb: 2\n", "not valid YAML"),
        ("a: b: c\n", "x.yaml, line 1: not valid YAML (mapping values are not allowed here)"),
        ("a: *b\n", "line 1: not valid YAML (found undefined alias 'b')"),
        ("a: &b [*b]\n", "not valid YAML (found unconstructable recursive node)"),
        ("? [a]\n: 1\n", "x.yaml, line 1: the key is a list, wanted a name"),
        ("a: !!int b\n", "x.yaml, line 1: the value of 'a' cannot be read"),
        ("a: !!int 1_0\n", "x.yaml, line 1: the value of 'a' cannot be read ('1_0' is no int)"),
        ("a: !!int １０\n", "x.yaml, line 1: the value of 'a' cannot be read ('１０' is no int)"),
        ("a: !!float 1:30.5\n", "x.yaml, line 1: the value of 'a' cannot be read ('1:30.5' is no float)"),
        ("a: !!bool x\n", "x.yaml, line 1: the value of 'a' cannot be read ('x' is no bool)"),
        ("a: !!null x\n", "x.yaml, line 1: the value of 'a' cannot be read ('x' is no null)"),
        ("a: \x01\n", "x.yaml: character 4 is no text"),
        (b"\xff\xfea: 1\n", "x.yaml is no UTF-8 text (byte 0)"),
        ("a: " + "[" * 5000, "x.yaml: lists are nested too deeply"),
        (b"0" * (MAX_FILE_BYTES + 1), "a configuration has at most"),
        ("__BASE__: 3\n", "x.yaml, line 1: __BASE__ is 3, wanted a file name or a list of file names"),
        ("__BASE__: [x.yaml]\n", "__BASE__ goes round in a circle"),
        ('__BASE__: "a\\0b"\n', "x.yaml, line 1: __BASE__ 'a\\x00b' has a NUL character: correct the name"),
        ('__BASE__: "a\\ud800"\n', "__BASE__ 'a\\ud800' has half of a surrogate pair, which no name can hold"),
        ("__BASE__: " + "b" * 256, "bbb... has a name of 256 bytes, at most 255 are possible"),
        ("a: " + "9" * 401, "x.yaml, line 1: the value of 'a' cannot be read (it is a number of 401 digits)"),
        ("a: 0x" + "f" * 399, "the value of 'a' cannot be read (it is a number of 401 digits)"),
        ("k" * 70 + ": 1\n" + "k" * 70 + ": 1\n", "line 2: key '" + "k" * 56 + "... stands twice"),
        (
            f"a: &list [{'1, ' * 1000}]\nb: [{'*list, ' * 100}]\n",
            "x.yaml: it has more than 100000 values, those counted that aliases (*name) repeat",
        ),
    ],
)
def test_bad_files_get_one_sentence(tmp_path, content, sentence):
    with pytest.raises(BadValueError) as caught:
        read(tmp_path / "x.yaml", content)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_aliases_below_the_limit_are_read(tmp_path):
    """1,000 numbers and the lists of them, 98 times over: 98,197 values in all."""
    values = read(tmp_path / "x.yaml", f"a: &list [{'1, ' * 1000}]\nb: [{'*list, ' * 97}]\nc: 400\nd: {'9' * 400}\n")
    assert sum(map(len, values["b"])) == 97_000
    assert values["d"] == 10**400 - 1


def test_many_values_on_the_command_line_are_counted_too():
    with pytest.raises(ValueError, match="more than 100000 values"):
        parse_value(f"[&list [{'1, ' * 1000}], {'*list, ' * 100}]")


def test_nothing_is_executed_by_a_tag(tmp_path):
    with pytest.raises(BadValueError):
        read(tmp_path / "x.yaml", f"a: !!python/object/apply:os.mkdir ['{tmp_path}/made']\n")
    assert not (tmp_path / "made").exists()


def test_windows_line_ends_and_byte_order_mark_are_read(tmp_path):
    assert read(tmp_path / "x.yaml", b"\xef\xbb\xbfa: 1\r\nb: [x, y]\r\n") == {"a": 1, "b": ["x", "y"]}


@pytest.mark.parametrize("content", ["", "# a comment\n", "---\n", "__BASE__:\n", "__BASE__: []\n"])
def test_file_without_keys(tmp_path, content):
    assert read(tmp_path / "x.yaml", content) == {}


def test_circle_over_two_files_names_the_way(tmp_path):
    (tmp_path / "b.yaml").write_text("__BASE__: a.yaml\n")
    with pytest.raises(BadValueError, match=r"goes round in a circle \(.*a.yaml -> .*b.yaml -> .*a.yaml\)"):
        read(tmp_path / "a.yaml", "__BASE__: b.yaml\n")


def test_one_base_reached_twice_is_no_circle(tmp_path):
    (tmp_path / "base.yaml").write_text("a: 1\n")
    (tmp_path / "left.yaml").write_text("__BASE__: base.yaml\n")
    (tmp_path / "right.yaml").write_text("__BASE__: base.yaml\n")
    (tmp_path / "x.yaml").write_text("__BASE__: [left.yaml, right.yaml]\nb: 2\n")
    assert [list(layer) for layer in read_yaml_layers(tmp_path / "x.yaml")] == [["a"], [], ["a"], [], ["b"]]


def test_missing_base_names_the_file_that_wants_it(tmp_path):
    with pytest.raises(MissingPathError, match=r"nope.yaml \(named by __BASE__ in .*x.yaml\) does not exist"):
        read(tmp_path / "x.yaml", "__BASE__: nope.yaml\n")


def test_unreadable_file_gets_a_sentence(tmp_path, monkeypatch):
    def refuse(_path):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "x.yaml").write_text("a: 1\n")
    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(MissingPathError, match=r"x.yaml cannot be read \(Permission denied\): change its permissions"):
        read_yaml_layers(tmp_path / "x.yaml")
