"""The JSON schemas by which editors check the YAML files: as the command writes them, and what they take and refuse."""

import json

import pytest
import yaml

from tests.suites import NAS_FPN, ROOT, SUITES, for_suites
from utils.tools.key_schemas import FILE, schema_text

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")


def faults(suite, values: dict) -> list[str]:
    validator = jsonschema.Draft7Validator(json.loads((suite.path / FILE).read_text(encoding="utf-8")))
    return [error.message for error in validator.iter_errors(values)]


@for_suites
def test_the_file_is_what_the_command_writes(suite):
    """After a change of a key: python -m utils.tools.key_schemas."""
    assert (suite.path / FILE).read_text(encoding="utf-8") == schema_text(suite.name)


@for_suites
def test_each_configuration_fits_and_names_its_schema(suite):
    files = [*suite.path.glob("*.yaml"), *suite.path.glob("config/*.yaml")]
    assert len(files) >= 3
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert faults(suite, yaml.safe_load(text)) == [], file
        named = text.partition("# yaml-language-server: $schema=")[2].partition("\n")[0]
        assert (file.parent / named).resolve() == suite.path / FILE, file


@for_suites
def test_every_name_of_the_page_is_taken(suite):
    """With the values that it shows, whether the keys do something or not."""
    for table in (suite.documented.YAML, suite.documented.UPSTREAM):
        assert faults(suite, table) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"epoch_sise": 3}, "'epoch_sise' was unexpected"),
        ({"epoch_size": 0}, "0 is less than the minimum of 1"),
        ({"epoch_size": "ten"}, "'ten' is not of type 'integer'"),
        ({"lr": 0}, "0 is less than or equal to the minimum of 0"),
        ({"nms_thershold": 2}, "2 is greater than the maximum of 1"),  # another name, with the limits of the key
        ({"img_shape": [640]}, "[640] is too short"),
        ({"device_target": "TPU"}, "'TPU' is not one of ['auto', 'Ascend', 'GPU', 'CPU']"),
        ({"overwrite": 3}, "3 is not of type 'boolean'"),
        ({"lr": None}, "None is not of type 'number'"),
    ],
    ids=str,
)
def test_what_the_loader_refuses_is_marked(values, said):
    (fault,) = faults(NAS_FPN, values)
    assert said in fault


def test_what_the_loader_takes_is_not_marked():
    taken = {"num_classes": None, "coco_classes": ["cat", 17], "pre_trained": None, "lr": 1, "__BASE__": "a.yaml"}
    assert faults(NAS_FPN, taken) == []
    assert {suite.name for suite in SUITES} == {path.parents[1].name for path in ROOT.glob(f"*/{FILE}")}
