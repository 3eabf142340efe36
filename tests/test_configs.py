"""What holds of every suite's keys: documented names and values, the YAML files, the sentences, no MindSpore."""

import json
import re

import pytest

from tests.suites import DETECTORS, FASTER_RCNN, SEGFORMER, SUITES, for_suites
from utils.model_utils.config.base import Config, describe_wanted, group_of
from utils.model_utils.config.command_line import CONFIG_PATH
from utils.model_utils.config.key_names import right_name
from utils.model_utils.config.loading import dump_config
from utils.model_utils.errors import BadValueError, MissingPathError
from utils.model_utils.tests.documented_names import command_flags, modelarts_settings, read_page, yaml_keys

YAML_BLOCKS = {"nas_fpn": ("default_config.yaml",), "segformer": ("shell",)}
# Keys of the base file that differ from the schema: what belongs to the published data set, and where results go
DIFFERING = {
    "nas_fpn": {"num_classes", "run_dir", "infer_output_path"},
    "faster_rcnn": {"num_classes", "run_dir", "infer_output_path"},
    "segformer": {"data_path", "pre_trained", "infer_output_path", "run_dir", "output_path", "load_path"},
}
PLACES = {"coco_root", "mindrecord_dir", "checkpoint_path", "data_path", "pre_trained", "infer_output_path"}
# Where our default is not upstream's: the device and the classes follow from what is there
OUR_OWN = {"num_classes", "device_target", "device_id", "device_num", "file_format", "python_multiprocessing"}
CHANGED = {
    "nas_fpn": ("--coco_root=x", "--img_shape=384,640", "--lr_schedule=cosine", "--epoch_size=3", "--head_channels=64"),
    "faster_rcnn": (
        "--coco_root=x",
        "--img_height=384",
        "--lr_schedule=step",
        "--lr_steps=[3]",
        "--res2net_layers=[1,2,2,2]",
        "--res2net_stage1_pool=true",
        "--save_checkpoint_path=my folder",
    ),
    "segformer": (
        "--data_path=x",
        "--class_num=2",
        "--class_names=[a, b c]",
        "--class_weights=[1, 0.5]",
        "--backbone_widths=[8, 16, 20, 32]",
        "--ohem_threshold=0.7",
        "--eval_scales=[0.5, 1]",
    ),
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture()
def load(suite):
    return suite.part("config").load


@pytest.fixture()
def schema(load):
    return type(load([]))


@pytest.fixture()
def documented(suite):
    """Copies of the names in the page, and the values that it shows behind them."""
    return suite.documented


@for_suites
def test_every_documented_name_is_a_key(schema, documented):
    known = {*schema.model_fields, *schema.inactive_keys(), CONFIG_PATH}
    names = {name for table in documented.ALL for name in table}
    assert len(names) > 40
    for name in names:
        assert right_name(schema, name) in known, name


@for_suites
def test_the_copies_hold_every_name_of_the_page(suite, documented):
    page = read_page(f"{suite}.md")
    assert yaml_keys(page, YAML_BLOCKS.get(suite.name, ())) == set(documented.YAML)
    assert modelarts_settings(page) == set(documented.SETTINGS)
    assert command_flags(page) == set(documented.FLAGS)
    if suite is FASTER_RCNN:
        quoted = {*re.findall(r"[`\"]([a-z]+_[a-z_]+)[`\"]", page)}
        no_keys = {"global_step", "learning_rate", "train_parallel"}  # parameters of a checkpoint, a folder
        assert quoted - set(documented.FLAGS) - no_keys == set(documented.IN_WORDS)


@for_suites
def test_the_base_file_has_the_values_of_the_page_and_those_of_the_schema(suite, load, schema, documented):
    config, shown = load([]), documented.UPSTREAM if suite is FASTER_RCNN else documented.YAML
    for name, value in shown.items():
        key = right_name(schema, name)
        if key in schema.model_fields and key not in PLACES | (OUR_OWN if suite is FASTER_RCNN else set()):
            assert json.loads(json.dumps(getattr(config, key))) == value, key
    defaults = schema()
    differing = {key for key, value in config.model_dump().items() if value != getattr(defaults, key)}
    assert differing <= DIFFERING[suite.name]
    assert suite is SEGFORMER or differing == DIFFERING[suite.name]


@pytest.mark.parametrize(
    ("suite", "file"),
    [(suite, str(path.relative_to(suite.path))) for suite in SUITES for path in sorted(suite.path.rglob("*.yaml"))],
    ids=str,
)
def test_every_yaml_file_of_the_suite_loads_and_begins_with_its_command(suite, file, load):
    load([f"--config_path={file}"])
    assert "python train.py" in "".join((suite.path / file).read_text().splitlines(keepends=True)[:4])


@for_suites
def test_every_key_is_described_and_has_a_group(schema):
    for key, field in schema.model_fields.items():
        assert field.description, key
        assert describe_wanted(field), key
        assert group_of(schema, key) != Config.GROUP, key


@for_suites
def test_the_effective_configuration_reads_back_equal(suite, load, tmp_path):
    config = load(CHANGED[suite.name])
    (tmp_path / "config.yaml").write_text(dump_config(config))
    assert load(["--config_path=config.yaml"]) == config


BAD_VALUES = [
    (["--epoch_sise=3"], "unknown key 'epoch_sise': the nearest known one is 'epoch_size'"),
    (["--epoch_size=0"], "epoch_size is 0, wanted a whole number of at least 1"),
    (["--scale_range=[1.2, 0.8]"], "scale_range is [1.2, 0.8], wanted the lower factor first"),
    (["--img_norm_std=[0, 1, 1]"], "img_norm_std is [0, 1, 1], wanted a list of 3 numbers, each above 0"),
    (["--resume=auto", "--overwrite=True"], "resume and overwrite are both set"),
]
BAD_VALUES_OF_DETECTORS = [
    (["--frozen_stages=5"], "frozen_stages is 5, wanted a whole number from -1 to 4"),
    (["--anchor_ratios=[]"], "anchor_ratios is [], wanted a list of numbers, each above 0"),
    (["--lr_schedule=step"], "lr_schedule step with lr_steps [] and epoch_size "),
    (["--lr_schedule=step", "--lr_steps=[11, 8]"], "set lr_steps to ascending epochs below epoch_size"),
    (["--lr_schedule=step", "--lr_steps=[8, 999]"], "lr_steps [8, 999] and epoch_size "),
    (["--num_classes=81", "--coco_classes=cat,dog"], "num_classes is 81 and coco_classes has 2 names"),
    (["--file_format=ONYX"], "file_format is 'ONYX', wanted one of auto, MINDIR, AIR"),
]


@pytest.mark.parametrize(
    ("suite", "arguments", "sentence"),
    [
        *((suite, *each) for suite in SUITES for each in BAD_VALUES),
        *((suite, *each) for suite in DETECTORS for each in BAD_VALUES_OF_DETECTORS),
        *((suite, *each) for suite in SUITES for each in suite.documented.BAD_VALUES),
    ],
    ids=str,
)
def test_bad_values_get_one_sentence(suite, arguments, sentence, load):
    with pytest.raises(BadValueError) as caught:
        load(arguments)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@for_suites
def test_a_missing_yaml_file_names_those_of_the_suite(suite, load):
    words = r"the suite has: .*config/custom\.yaml, .*config/quickstart\.yaml"
    with pytest.raises(MissingPathError, match=f"config_path 'absent.yaml' is not in .*: name a YAML file .{words}"):
        load(["--config_path=absent.yaml"])


@for_suites
@pytest.mark.parametrize("written", ["custom.yaml", "config/custm.yaml", "config/custom.yml"])
def test_a_misspelt_yaml_file_names_the_nearest_and_each_place_once(suite, written, load, monkeypatch):
    monkeypatch.chdir(suite.path)
    place = (suite.path / written).parent
    with pytest.raises(MissingPathError, match=f"'{written}' is not in {place}: name 'config/custom.yaml' "):
        load([f"--config_path={written}"])


@for_suites
@pytest.mark.parametrize("name", ["custom", "quickstart"])
def test_a_configuration_of_the_suite_has_nothing_to_remark_on_itself(suite, name, load, tmp_path):
    """... though it builds on one for another optimizer; what somebody chose is remarked on."""
    config = load([f"--config_path=config/{name}.yaml"])
    assert config.optimizer == "adamw"
    assert not list(config.notes())
    resumed = [f"--config_path=config/{name}.yaml", "--resume=auto"]
    assert not list(load(resumed).notes())
    (said_of_weights,) = load([*resumed, "--pre_trained=mine.ckpt"]).notes()
    assert said_of_weights.endswith("pre_trained is not read where resume continues a run")
    (tmp_path / "mine.yaml").write_text(f"__BASE__: {suite.path / 'config' / name}.yaml\nmomentum: 0.5\n")
    said = [f"{tmp_path / 'mine.yaml'}, line 2: momentum has no effect with optimizer adamw"]
    assert list(load([f"--config_path={tmp_path / 'mine.yaml'}"]).notes()) == said
