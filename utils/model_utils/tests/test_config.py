"""The loader: sources and their order, the command line, aliases, paths, messages. Keys: see toy_schema.py."""

import logging
from pathlib import Path

import pydantic
import pytest

from utils.model_utils.config.loading import find_config_file
from utils.model_utils.config.schema import TrainingKeys
from utils.model_utils.errors import BadValueError, MissingPathError, UserError
from utils.model_utils.tests.toy_schema import ToyConfig, load


def refusal(suite, *arguments, yaml=None):
    with pytest.raises(BadValueError) as caught:
        load(suite, *arguments, yaml=yaml)
    return str(caught.value)


def test_command_line_counts_before_yaml_before_schema(suite):
    config = load(suite, "--epoch_size=6")
    assert (config.epoch_size, config.lr, config.batch_size) == (6, 0.001, 7)
    assert str(config.origin("epoch_size")) == "command line"
    assert str(config.origin("lr")) == f"{suite / 'default.yaml'}, line 2"
    assert str(config.origin("batch_size")) == "schema default"


def test_help_names_the_file_of_its_defaults_in_one_piece(tmp_path, capsys):
    """... to be copied: a path with hyphens, longer than a line."""
    suite = tmp_path / "-".join(["folder"] * 20)
    suite.mkdir()
    with pytest.raises(SystemExit):
        load(suite, "--help", yaml="lr: 0.5\n")
    assert str(suite / "default.yaml") in capsys.readouterr().out


def test_with_default_keeps_range_and_text_of_the_group_and_leaves_the_group_alone(suite):
    assert TrainingKeys.model_fields["batch_size"].default == 2
    assert ToyConfig.model_fields["batch_size"].description == TrainingKeys.model_fields["batch_size"].description
    assert "batch_size is 0, wanted a whole number of at least 1" in refusal(suite, "--batch_size=0")


def test_result_is_frozen(suite):
    config = load(suite)
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        config.lr = 1.0
    assert hash(config) == hash(load(suite))


@pytest.mark.parametrize(
    ("arguments", "key", "value"),
    [
        (["--lr=1e-3"], "lr", 0.001),
        (["--lr", ".5"], "lr", 0.5),
        (["--lr", "2"], "lr", 2.0),
        (["--save_checkpoint=False"], "save_checkpoint", False),
        (["--save_checkpoint", "no"], "save_checkpoint", False),
        (["--overwrite"], "overwrite", True),
        (["--overwrite", "--lr=1"], "overwrite", True),
        (["--sizes=[1, 2,3]"], "sizes", (1, 2, 3)),
        (["--sizes", "1,2"], "sizes", (1, 2)),
        (["--sizes=4"], "sizes", (4,)),
        (["--sizes="], "sizes", ()),
        (["--coco_classes=[traffic light, no, 'a, b']"], "coco_classes", ("traffic light", "no", "a, b")),
        (["--ratio=0.5", "--ratio=null"], "ratio", None),
        (["--name=001"], "name", "001"),
        (["--name", "1e3"], "name", "1e3"),
        (["--name='quoted'"], "name", "quoted"),
        (["--name=a=b: {c} # d"], "name", "a=b: {c} # d"),
        (["--low", "-3"], "low", -3),
        (["--low=007"], "low", 7),
        (["--batch-size=3"], "batch_size", 3),
        (["--batch_size=3", "--batch_size=4"], "batch_size", 4),
        (["--device_target=ascend"], "device_target", "Ascend"),
        (["--amp_level=o2"], "amp_level", "O2"),
    ],
)
def test_command_line_values_become_what_the_key_wants(suite, arguments, key, value):
    got = getattr(load(suite, *arguments), key)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize("argument", ["--pre_trained=", '--pre_trained=""', "--pre_trained=null", "--pre_trained=None"])
def test_a_path_set_in_yaml_is_cleared_on_the_command_line(suite, argument):
    yaml = "pre_trained: a.ckpt\nratio: 0.5\ncoco_root: data\n"
    config = load(suite, argument, "--ratio=", "--coco_root=null", yaml=yaml)
    assert (config.pre_trained, config.ratio, config.coco_root) == ("", None, None)


def test_empty_value_in_yaml_means_none(suite):
    config = load(suite, yaml="pre_trained:\nratio:\nsizes:\n")
    assert (config.pre_trained, config.ratio, config.sizes) == ("", None, ())


def test_empty_yaml_file_leaves_the_schema(suite):
    assert load(suite, yaml="# nothing\n").epoch_size == 12


def test_relative_paths_start_at_the_caller_or_at_the_suite(suite):
    config = load(suite, "--checkpoint_path=../x y/a.ckpt", "--anno_path=~/b", yaml="coco_root: data/coco\n")
    assert config.checkpoint_path == str(suite.parent / "x y" / "a.ckpt")
    assert config.anno_path == str(Path.home() / "b")
    assert config.coco_root == str(suite / "data" / "coco")
    assert config.run_dir == str(suite.parent / "caller")
    assert config.save_checkpoint_path == "./ckpt"
    assert config.instance_set == "annotations/instances_{}.json"


def test_words_and_urls_are_no_paths(suite):
    config = load(suite, "--resume=Auto", "--checkpoint_path=obs://bucket/a.ckpt", "--pre_trained=/a//b/")
    assert (config.resume, config.checkpoint_path, config.pre_trained) == ("auto", "obs://bucket/a.ckpt", "/a/b")
    assert load(suite, "--resume=a.ckpt").resume == str(suite.parent / "caller" / "a.ckpt")


def test_config_path_is_looked_up_at_the_caller_then_in_the_suite(suite):
    (suite / "other.yaml").write_text("epoch_size: 21\n")
    assert load(suite, "--config_path=other.yaml").epoch_size == 21
    (suite.parent / "caller" / "other.yaml").write_text("epoch_size: 22\n")
    assert load(suite, "--config_path", "other.yaml").epoch_size == 22
    assert load(suite, f"--_config_path={suite / 'other.yaml'}").epoch_size == 21


def test_missing_config_file_names_both_places_and_what_is_there(suite):
    with pytest.raises(
        MissingPathError, match=r"config_path 'x.yaml' is not in .*caller nor in .*suite: .*default.yaml"
    ):
        load(suite, "--config_path=x.yaml")
    assert find_config_file("", suite, "default.yaml") == suite / "default.yaml"


def test_folder_as_config_file_is_refused(suite):
    with pytest.raises(MissingPathError, match="is a folder where a YAML file was wanted"):
        load(suite, f"--config_path={suite}")


def test_bases_count_in_order_and_files_inherit_through_several(suite):
    (suite / "a.yaml").write_text("lr: 0.1\nepoch_size: 1\nlow: 1\n")
    (suite / "sub").mkdir()
    (suite / "sub" / "b.yaml").write_text("__BASE__: ../a.yaml\nepoch_size: 2\n")
    (suite / "c.yaml").write_text("low: 3\nhigh: 30\n")
    config = load(suite, yaml="__BASE__: [sub/b.yaml, c.yaml]\nhigh: 40\n")
    assert (config.lr, config.epoch_size, config.low, config.high) == (0.1, 2, 3, 40)


@pytest.mark.parametrize(
    ("written", "key", "value"),
    [
        ("match_thershold", "match_threshold", 0.25),
        ("mindrecord_dr", "mindrecord_dir", "/r"),
        ("workers", "num_parallel_workers", 3),
        ("distribute", "run_distribute", True),
        ("instances_set", "instance_set", "i_{}.json"),
        ("checkpoint", "checkpoint_path", "/c"),
        ("ckpt_file", "checkpoint_path", "/c"),
        ("dataset_path", "data_path", "/d"),
        ("ann_file", "anno_path", "/a"),
    ],
)
def test_documented_misspellings_reach_the_right_key(suite, written, key, value):
    assert getattr(load(suite, f"--{written}={value}"), key) == value
    assert (
        getattr(load(suite, yaml=f"{written}: '{value}'\n" if isinstance(value, str) else f"{written}: {value}\n"), key)
        == value
    )


def test_alias_and_right_name_with_two_values_in_one_place_is_refused(suite):
    yaml = "match_threshold: 0.5\nmatch_thershold: 0.6\n"
    message = refusal(suite, yaml=yaml)
    assert (
        "default.yaml, line 2: match_thershold is 0.6 and match_threshold, another name of the key, is 0.5" in message
    )
    assert load(suite, yaml="match_threshold: 0.5\nmatch_thershold: 0.5\n").match_threshold == 0.5


def test_alias_on_the_command_line_overrides_the_right_name_in_yaml(suite):
    assert load(suite, "--match_thershold=0.75", yaml="match_threshold: 0.5\n").match_threshold == 0.75


def test_key_without_effect_is_compared_with_what_has_its_place(suite, caplog):
    caplog.set_level(logging.INFO)
    config = load(suite, "--num_sizes=2", "--mode=sink", "--rank_id=3")
    lines = [record.message for record in caplog.records if "without effect" in record.message]
    assert len(lines) == 1
    assert "num_sizes (2 is the number of sizes)" in lines[0]
    assert "mode (nothing reads it)" in lines[0]
    assert lines[0] in list(config.notes())
    assert (
        refusal(suite, "--num_sizes=3") == "command line: num_sizes is 3, but 2 is the number of sizes: remove this key"
    )
    assert "default.yaml, line 1: num_sizes is 4, but 2" in refusal(suite, yaml="num_sizes: 4\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--epoch_sise=3"], "command line: unknown key 'epoch_sise': the nearest known one is 'epoch_size'"),
        (["--match_treshold=3"], "unknown key 'match_treshold': the nearest known one is 'match_threshold'"),
        (["--qqqqqq=3"], "unknown key 'qqqqqq': --help=all lists the known ones"),
        (["--lr=abc"], "command line: lr is 'abc', wanted a number above 0"),
        (["--lr=[1,2]"], "command line: lr is [1, 2], wanted a number above 0"),
        (["--lr={a: 1}"], "command line: lr is {'a': 1}, wanted a number above 0"),
        (["--lr=True"], "command line: lr is true, wanted a number above 0"),
        (["--lr=null"], "command line: lr is null, wanted a number above 0"),
        (["--lr="], "command line: lr is '', wanted a number above 0"),
        (["--lr=.nan"], "command line: lr is nan, wanted a number above 0"),
        (["--lr=.inf"], "command line: lr is inf, wanted a number above 0"),
        (["--lr"], "command line: --lr has no value: write --lr=VALUE"),
        (["--config_path"], "command line: --config_path has no value"),
        (["--epoch_size=0"], "epoch_size is 0, wanted a whole number of at least 1"),
        (["--epoch_size=1.5"], "epoch_size is 1.5, wanted a whole number of at least 1"),
        (["--momentum=1"], "momentum is 1, wanted a number of at least 0 and below 1"),
        (["--ratio=1.5"], "ratio is 1.5, wanted a number from 0 to 1, or null"),
        (["--overwrite=maybe"], "overwrite is 'maybe', wanted true or false"),
        (["--device_target=TPU"], "device_target is 'TPU', wanted one of auto, Ascend, GPU, CPU"),
        (["--sizes=[1, 0]"], "sizes is [1, 0], wanted a list of whole numbers, each of at least 1"),
        (["--sizes=[1, a]"], "sizes is [1, 'a'], wanted a list of whole numbers"),
        (["--sizes=[true]"], "sizes is [true], wanted a list of whole numbers"),
        (["--sizes=[1"], "sizes is '[1', wanted a list of whole numbers"),
        (["--name="], "name is '', wanted text that is not empty"),
        (["train"], "command line: 'train' belongs to no key: write --key=value"),
        (["-x=3"], "command line: '-x=3' belongs to no key"),
        (["--"], "command line: '--' belongs to no key"),
        (["--low=10"], "command line: low 10 is above high 9: exchange them"),
    ],
)
def test_bad_arguments_get_one_sentence(suite, arguments, sentence):
    message = refusal(suite, *arguments)
    assert sentence in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("epoch_sise: 3", "line 2: unknown key 'epoch_sise': the nearest known one is 'epoch_size'"),
        ("lr: [1, 2]", "line 2: lr is [1, 2], wanted a number above 0"),
        ("lr: fast", "line 2: lr is 'fast', wanted a number above 0"),
        ("lr: yes", "line 2: lr is 'yes', wanted a number above 0"),
        ("sizes: 3", "line 2: sizes is 3, wanted a list of whole numbers, each of at least 1"),
        ("name: 3", "line 2: name is 3, wanted text that is not empty"),
        ("checkpoint_path: 3", "line 2: checkpoint_path is 3, wanted a path"),
        ("coco_root: [a]", "line 2: coco_root is ['a'], wanted a path, or null"),
        ("resume: 3", "line 2: resume is 3, wanted a path or auto"),
        (
            "config_path: a.yaml",
            "line 2: config_path stands in a YAML file, wanted on the command line: write __BASE__ here",
        ),
    ],
)
def test_bad_lines_of_yaml_get_one_sentence_with_file_and_line(suite, line, sentence):
    message = refusal(suite, yaml=f"# a comment\n{line}\n")
    assert message.startswith(f"{suite / 'default.yaml'}, ")
    assert sentence in message
    assert "\n" not in message


def test_all_faults_are_told_at_once(suite):
    message = refusal(suite, "--epoch_sise=3", "stray", "--lr=abc", yaml="batch_size: 0\nnonsense_key: 1\n")
    assert message.startswith("5 faults in the configuration\n")
    for part in ("'stray'", "'epoch_sise'", "'nonsense_key'", "lr is 'abc'", "batch_size is 0"):
        assert part in message


def test_contradiction_says_where_both_values_come_from(suite):
    assert refusal(suite, "--low=10", yaml="lr: 1\nhigh: 8\n") == (
        f"command line and {suite / 'default.yaml'}, line 2: low 10 is above high 8: exchange them"
    )


def test_shared_contradictions(suite):
    assert "resume and overwrite are both set" in refusal(suite, "--resume=auto", "--overwrite")
    assert "pre_trained_epoch_size 5 leaves nothing of epoch_size 5" in refusal(suite, "--pre_trained_epoch_size=5")
    assert "pre_trained_epoch_size is 1 and pre_trained is not set" in refusal(suite, "--pre_trained_epoch_size=1")
    assert "coco_classes names ['a'] more than once" in refusal(suite, "--coco_classes=a,b,a")
    assert "coco_classes is empty" in refusal(suite, "--coco_classes=[]")
    assert "num_classes is 4 and coco_classes has 2 names" in refusal(suite, "--coco_classes=a,b", "--num_classes=4")


def test_unknown_argument_on_modelarts_is_a_warning(suite, caplog):
    config = load(suite, "--enable_modelarts=True", "--platform_thing=3", "--other", "x", "--flag")
    warned = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert [word for line in warned for word in line.split() if word.startswith("--")] == [
        "--platform_thing",
        "--other",
        "--flag",
    ]
    assert list(config.notes())[:3] == warned
    assert load(suite, "--x=1", yaml="enable_modelarts: True\n").enable_modelarts is True


def test_unknown_yaml_key_and_bad_value_on_modelarts_stay_errors(suite):
    message = refusal(suite, "--enable_modelarts=True", "--lr=abc", yaml="platform_thing: 3\n")
    assert "unknown key 'platform_thing'" in message
    assert "lr is 'abc'" in message
    assert "unknown key 'x'" in refusal(suite, "--enable_modelarts=False", "--x=1")


def test_background_is_taken_out_of_the_classes(suite, caplog):
    caplog.set_level(logging.INFO)
    config = load(suite, "--coco_classes=background,person,dog", "--num_classes=3")
    assert (config.coco_classes, config.num_classes) == (("person", "dog"), 2)
    assert [record.message for record in caplog.records] == [
        "num_classes 3 counts the background: 2 foreground classes are used"
    ]
    assert load(suite, "--coco_classes=background,person", "--num_classes=1").coco_classes == ("person",)
    assert load(suite, "--coco_classes=person,dog", "--num_classes=3").num_classes == 2


def test_momentum_given_for_adamw_is_said_in_the_log(suite):
    assert not list(load(suite, "--optimizer=adamw").notes())
    said = "momentum has no effect with optimizer adamw"
    assert said in next(load(suite, "--optimizer=adamw", "--momentum=.8").notes())
    assert said in next(load(suite, yaml="optimizer: adamw\nmomentum: 0.8\n").notes())
    (suite / "sgd.yaml").write_text("optimizer: sgd\nmomentum: 0.8\n")
    (suite / "adamw.yaml").write_text("optimizer: adamw\n")
    assert not list(load(suite, yaml="__BASE__: sgd.yaml\noptimizer: adamw\n").notes())
    assert said in next(load(suite, yaml="__BASE__: adamw.yaml\nmomentum: 0.8\n").notes())


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        (f"--low={2**63}", "low is 9223372036854775808, which 64 bits do not hold: give a smaller number"),
        (f"--low={'9' * 400}", f"low is {'9' * 57}..., which 64 bits do not hold: give a smaller number"),
        ("--low=1_0", "command line: low is '1_0', wanted a whole number"),
        ("--lr=1_0", "command line: lr is '1_0', wanted a number above 0"),
        (f"--checkpoint_path=/{'n' * 256}", "which has a name of 256 bytes, at most 255 are possible: correct it"),
        ("--checkpoint_path=a\0b", "which has a NUL character: correct it"),
        (
            "--name=a\ud800",
            "name is 'a\\ud800', which has half of a surrogate pair, which no name can hold: correct it",
        ),
        (f"--config_path={'n' * 256}", f"config_path '{'n' * 56}... has a name of 256 bytes, at most 255 are possible"),
        (f"--low={'x' * 70}", f"low is '{'x' * 56}..., wanted a whole number"),
        (f"--{'k' * 70}=1", f"unknown key '{'k' * 56}...: --help=all lists the known ones"),
    ],
)
def test_numbers_and_names_that_nothing_holds_get_a_sentence(tmp_path, argument, sentence):
    with pytest.raises(UserError) as caught:
        load(tmp_path, argument, yaml="lr: 0.1")
    assert sentence in str(caught.value)


def test_the_largest_number_and_the_longest_name_are_taken(tmp_path):
    config = load(tmp_path, f"--high={2**63 - 1}", f"--checkpoint_path=/{'n' * 255}", yaml="")
    assert (config.high, len(config.checkpoint_path)) == (2**63 - 1, 256)
