"""What a launcher makes of the arguments that its user has typed."""

import os
from pathlib import Path

import pytest

from utils.launch.launcher_options import take_dry_run
from utils.launch.user_arguments import Launcher, Positional, read_arguments
from utils.model_utils.errors import UserError

POSITIONALS = (
    Positional.parse("CONFIG_FILE:config:config_path", is_optional=False),
    Positional.parse("CKPT_PATH:file:pre_trained", is_optional=True),
    Positional.parse("DATA:folder:data_path", is_optional=True),
    Positional.parse("ANN_FILE:pattern:instance_set", is_optional=True),
    Positional.parse("OUTPUT:path:output_path", is_optional=True),
    Positional.parse("RUN_EVAL:text:run_eval", is_optional=True),
)
WITHOUT_DEVICE = (
    Positional.parse("WEIGHTS:file?:pre_trained", is_optional=False),
    Positional.parse("NETWORK:small=b0.yaml,large=config/b5.yaml:backbone", is_optional=False),
    Positional.parse("ANN_FILE:pattern:instance_set+anno_path", is_optional=True),
)


@pytest.fixture()
def place(tmp_path, monkeypatch):
    """A working directory with one of everything, beside a suite with a configuration."""
    here = tmp_path / 'it\'s "here"'
    (here / "-data").mkdir(parents=True)
    (here / "net.ckpt").write_text("x")
    (here / "-data" / "instances_val2017.json").write_text("{}")
    (tmp_path / "suite" / "config").mkdir(parents=True)
    (tmp_path / "suite" / "config" / "b0.yaml").write_text("")
    monkeypatch.chdir(here)
    return here


def launcher(positionals, device_target=""):
    return Launcher("run.sh", Path("suite/train.py"), "LOG{}", "train.log", positionals, device_target)


def read(*given):
    suite_dir = Path.cwd().parent / "suite"
    return read_arguments(given, launcher(POSITIONALS), suite_dir)


def test_positions_become_keys_and_paths_absolute(place):
    arguments = read("3", "config/b0.yaml", "net.ckpt", "-data", "-data/instances_{}.json", "out", "False", "--lr=1")
    assert arguments.device_id == 3
    assert arguments.run_dir is None
    assert arguments.settings == (
        f"--config_path={place.parent / 'suite' / 'config' / 'b0.yaml'}",
        f"--pre_trained={place / 'net.ckpt'}",
        f"--data_path={place / '-data'}",
        f"--instance_set={place / '-data' / 'instances_{}.json'}",
        f"--output_path={place / 'out'}",
        "--run_eval=False",
        "--lr=1",
    )


def test_a_configuration_here_counts_before_the_suites(place):
    (place / "config").mkdir()
    (place / "config" / "b0.yaml").write_text("")
    assert read("0", "config/b0.yaml").settings == (f"--config_path={place / 'config' / 'b0.yaml'}",)


def test_an_empty_optional_argument_is_left_out(place):
    assert read("0", "config/b0.yaml", "", "", "", "", "True").settings[1:] == ("--run_eval=True",)


def test_arguments_behind_the_first_flag_are_passed_on(place):
    arguments = read("0", "config/b0.yaml", "--overwrite", "--lr", "0.1", "--run_dir=elsewhere")
    assert arguments.settings[1:] == ("--overwrite", "--lr", "0.1")
    assert arguments.run_dir == place / "elsewhere"


def test_usage_names_what_may_be_left_out():
    usage = launcher(POSITIONALS[:2]).usage
    assert usage == "usage: run.sh DEVICE_ID CONFIG_FILE [CKPT_PATH] [--key=value]..."


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((), "0 arguments, wanted 2 to 7; usage: run.sh DEVICE_ID CONFIG_FILE"),
        (("0",), "1 arguments, wanted 2 to 7"),
        (("0", *"1234567"), "8 arguments, wanted 2 to 7"),
        (("first", "config/b0.yaml"), "DEVICE_ID is 'first', wanted the number of a device"),
        (("-1", "config/b0.yaml"), "DEVICE_ID is '-1'"),
        (("9" * 5000, "config/b0.yaml"), r"DEVICE_ID is '9{56}\.\.\., wanted the number of a device"),
        (("0", ""), "CONFIG_FILE is empty"),
        (("0", "absent.yaml"), "CONFIG_FILE 'absent.yaml' does not exist, wanted a file"),
        (("0", "-data"), "CONFIG_FILE '-data' is no file"),
        (("0", "config/b0.yaml", "-data"), "CKPT_PATH '-data' is no file, wanted a file"),
        (("0", "config/b0.yaml", "net.ckpt", "net.ckpt"), "DATA 'net.ckpt' is no folder, wanted a folder"),
        (("0", "config/b0.yaml", "", "", "absent/instances_{}.json"), "there is no folder '.*absent'"),
        (("0", "config/b0.yaml", "", "", "-data/absent.json"), "ANN_FILE '-data/absent.json' does not exist"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(given, sentence, place):
    with pytest.raises(UserError, match=sentence):
        read(*given)


def read_without_device(*given):
    suite_dir = Path.cwd().parent / "suite"
    return read_arguments(given, launcher(WITHOUT_DEVICE, "CPU"), suite_dir)


def test_a_word_picks_a_configuration_of_the_suite_and_a_flag_behind_comes_later(place):
    """The last of two --config_path counts, so that the user's own is the one that is read."""
    arguments = read_without_device("net.ckpt", "large", "--config_path=own.yaml")
    assert arguments.settings == (
        f"--pre_trained={place / 'net.ckpt'}",
        f"--config_path={place.parent / 'suite' / 'config' / 'b5.yaml'}",
        "--backbone=large",
        "--config_path=own.yaml",
    )


def test_a_needed_argument_may_be_empty_where_its_kind_says_so_and_one_text_may_be_two_keys(place):
    assert read_without_device("", "small", "-data/{}.txt").settings[1:] == (
        "--backbone=small",
        f"--instance_set={place / '-data' / '{}.txt'}",
        f"--anno_path={place / '-data' / '{}.txt'}",
    )


@pytest.mark.parametrize(("text", "number"), [(None, 0), ("", 0), ("3", 3)])
def test_without_the_argument_the_environment_names_the_device(text, number, place, monkeypatch):
    monkeypatch.delenv("DEVICE_ID", raising=False)
    if text is not None:
        monkeypatch.setenv("DEVICE_ID", text)
    assert read_without_device("", "small").device_id == number


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("",), r"1 arguments, wanted 2 to 3; usage: run.sh WEIGHTS NETWORK \[ANN_FILE\] \[--key=value\]"),
        (("", "medium"), "NETWORK is 'medium', wanted one of small, large"),
        (("", ""), "NETWORK is empty"),
        (("absent.ckpt", "small"), "WEIGHTS 'absent.ckpt' does not exist"),
    ],
)
def test_without_a_device_too_what_cannot_be_used_is_a_sentence(given, sentence, place):
    with pytest.raises(UserError, match=sentence):
        read_without_device(*given)


def test_a_device_in_the_environment_that_is_no_number_is_a_sentence(place, monkeypatch):
    monkeypatch.setenv("DEVICE_ID", "first")
    with pytest.raises(UserError, match="environment variable DEVICE_ID is 'first'"):
        read_without_device("", "small")


def test_links_are_followed(place):
    os.symlink(place / "net.ckpt", place / "link.ckpt")
    assert read("0", "config/b0.yaml", "link.ckpt").settings[1] == f"--pre_trained={place / 'net.ckpt'}"


def test_pictures_are_a_path_or_a_pattern(place):
    """A pattern reaches infer.py as it is; a name with brackets that is there is none."""
    (place / "a[1].jpg").touch()
    pictures = (Positional.parse("DATASET_PATH:pictures:data_path", is_optional=False),)

    def settings(text):
        return read_arguments(["0", text], launcher(pictures), place).settings

    assert settings("in/**/*.jpg") == (f"--data_path={place}/in/**/*.jpg",)
    assert settings("a[1].jpg") == (f"--data_path={place}/a[1].jpg",)
    with pytest.raises(UserError, match="DATASET_PATH '-' does not exist, wanted a file or folder"):
        settings("-")


@pytest.mark.parametrize(
    ("given", "is_dry", "rest"),
    [
        (["0", "--dry_run", "data"], True, ["0", "data"]),
        (["0", "--dry-run"], True, ["0"]),
        (["0", "a-b", "--run-dir", "my-run"], False, ["0", "a-b", "--run_dir=my-run"]),
        (["--master_port", "--dry-run", "7000"], True, ["--master_port=7000"]),  # the word may stand anywhere
        (["--a-b=c-d=e", "--overwrite", "--lr", "-1"], False, ["--a_b=c-d=e", "--overwrite", "--lr=-1"]),
        (["--lr=1", "2"], False, ["--lr=1", "2"]),
    ],
)
def test_options_are_spelled_as_the_commands_take_them(given, is_dry, rest):
    assert take_dry_run(given) == (is_dry, rest)


@pytest.mark.parametrize("text", ["--dry_run=1", "--dry-run=True"])
def test_a_dry_run_takes_no_value(text):
    with pytest.raises(UserError, match=f"'{text}', wanted --dry_run"):
        take_dry_run(["0", text])
