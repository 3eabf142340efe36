"""What comes out of a configuration: required paths, the dump that reads back, the help."""

import contextlib
import math
import tempfile
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from utils.model_utils.config.loading import dump_config, load_config, require
from utils.model_utils.errors import MissingPathError, UserError
from utils.model_utils.tests.toy_schema import ToyConfig, load


def test_require_names_the_flag_of_a_missing_path(suite):
    config = load(suite, "--mindrecord_dir=nowhere", "--checkpoint_path=.", "--anno_path=file.txt")
    Path("file.txt").write_text("x")
    with pytest.raises(
        MissingPathError, match="coco_root is not set: give --coco_root=FOLDER or set coco_root in the YAML"
    ):
        require(config, "coco_root", "folder")
    with pytest.raises(
        MissingPathError, match=r"mindrecord_dir '.*nowhere' \(command line\) does not exist, wanted a folder"
    ):
        require(config, "mindrecord_dir", "folder")
    with pytest.raises(MissingPathError, match=r"checkpoint_path '.*' \(command line\) is no file, wanted a file"):
        require(config, "checkpoint_path", "file")
    assert require(config, "anno_path", "file") == Path.cwd() / "file.txt"
    assert require(config, "mindrecord_dir") == Path.cwd() / "nowhere"


def test_dump_begins_with_a_comment_and_reads_back_equal(suite):
    config = load(suite, "--coco_classes=a,'1'", "--coco_root=x", "--lr=1e-7")
    text = dump_config(config)
    assert text.startswith("# Effective configuration (ToyConfig)")
    assert load(suite, yaml=text) == config
    assert load(suite, "--lr=1", yaml=text) != config


@pytest.mark.parametrize("given", ["--overwrite=True", "--resume=auto"])
def test_dump_repeats_a_run_but_neither_its_place_nor_the_permission_to_remove_another(suite, given):
    text = dump_config(load(suite, "--run_dir=here", given, "--epoch_size=7"))
    again = load(suite, yaml=text)
    assert (again.overwrite, again.resume, again.run_dir, again.epoch_size) == (False, "", str(Path.cwd()), 7)
    assert text.splitlines()[0].endswith("every key but overwrite, resume, run_dir, train_url, paths absolute.")
    assert not {"run_dir", "overwrite", "resume"} & {line.partition(":")[0] for line in text.splitlines()}


plain_texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
numbers = st.floats(min_value=1e-12, max_value=1e12)


@hypothesis.settings(max_examples=150, deadline=None)
@hypothesis.given(
    st.fixed_dictionaries(
        {},
        optional={
            "name": plain_texts.filter(bool),
            "data_url": plain_texts,
            "coco_root": st.none() | plain_texts.map(lambda text: "/r/x" + text.replace("/", "").rstrip(".")),
            "coco_classes": st.none()
            | st.lists(plain_texts.filter(lambda t: t.lower() != "background"), min_size=1, unique=True),
            "lr": numbers,
            "loss_scale": numbers,
            "ratio": st.none() | st.floats(0, 1),
            "low": st.integers(-(10**9), 9),
            "sizes": st.lists(st.integers(1, 10**9)),
            "overwrite": st.booleans(),
            "lr_base_batch": st.none() | st.integers(1, 10**6),
        },
    )
)
@hypothesis.example(values={"name": "\x85 and \u2028"})
def test_any_configuration_survives_dump_and_load(values):
    config = ToyConfig(**values)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "default.yaml").write_text(dump_config(config), encoding="utf-8")
        again = load_config(
            ToyConfig, [], suite_dir=Path(folder), default_file="default.yaml", program="toy.py", description=""
        )
    left_out = ToyConfig.keys_in("NEVER_REPEATED")
    assert again.model_dump(exclude=left_out) == config.model_dump(exclude=left_out)
    assert math.isclose(again.lr, config.lr, rel_tol=0)


KEYS = [*ToyConfig.model_fields, *ToyConfig.inactive_keys(), "config_path", "workers", "unknown"]
ODD_TEXTS = [
    "null", "[1,2]", "{a: 1}", "1e999", "'", "[", "!!python/name:os", "&a", "*a", "~x/y", "\0", "true", "1" * 5000,
    "[[1]]", "[null]", "[background]", "? a", "- 1", "a\nb: 2", "--",
]  # fmt: skip
odd_values = st.text(max_size=8) | st.sampled_from(ODD_TEXTS) | st.integers().map(str) | st.floats().map(str)


@hypothesis.settings(max_examples=200, deadline=None)
@hypothesis.given(st.lists(st.tuples(st.sampled_from(KEYS), odd_values), max_size=4), st.booleans())
@hypothesis.example(pairs=[("config_path", "~no-such-user")], in_yaml=False)
@hypothesis.example(pairs=[("config_path", "1" * 5000)], in_yaml=False)
@hypothesis.example(pairs=[("__BASE__", "~no-such-user")], in_yaml=True)
def test_any_values_load_or_are_told_as_a_users_error(pairs, in_yaml):
    with tempfile.TemporaryDirectory() as folder:
        text = "\n".join(f"{key}: {value}" for key, value in pairs) if in_yaml else ""
        (Path(folder) / "default.yaml").write_text(text, encoding="utf-8")
        with contextlib.suppress(UserError):
            load(Path(folder), *(() if in_yaml else [f"--{key}={value}" for key, value in pairs]))


def test_help_lists_every_key_with_the_defaults_of_the_yaml_file(suite, capsys):
    with pytest.raises(SystemExit) as caught:
        load(suite, "--help", "--lr=nonsense", yaml="epoch_size: 33\nmatch_thershold: 0.25\n")
    text = capsys.readouterr().out
    assert caught.value.code == 0
    assert all(f"  --{key}=" in text for key in ToyConfig.model_fields)
    assert "--epoch_size=33\n      passes over the training images (a whole number of at least 1)" in text
    assert "--match_threshold=0.25" in text
    assert "--sizes=[8, 16]\n      sizes of things; pixels (a list of whole numbers, each of at least 1)" in text
    assert "match_thershold (match_threshold)" in " ".join(text.split())
    assert "num_sizes" in text
    assert text.index("\nData\n") < text.index("\nTraining\n") < text.index("\nToy\n")


def test_help_works_with_a_broken_yaml_file(suite, capsys):
    with pytest.raises(SystemExit) as caught:
        load(suite, "-h", yaml="a: [\n")
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "The defaults below are those of the schema" in text
    assert "--epoch_size=12" in text
