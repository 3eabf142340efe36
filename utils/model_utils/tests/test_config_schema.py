"""The shared key groups and the number of classes."""

import pytest

from utils.model_utils import config_schema
from utils.model_utils.config_base import Config, describe_wanted, group_of
from utils.model_utils.config_schema import match_num_classes
from utils.model_utils.errors import BadValueError

GROUPS = [
    config_schema.RuntimeKeys, config_schema.ModelArtsKeys, config_schema.TrainingKeys, config_schema.DetectionDataKeys,
]  # fmt: skip


@pytest.mark.parametrize("group", GROUPS)
def test_every_key_is_described_and_its_default_is_valid(group):
    for key, field in group.model_fields.items():
        assert field.description, key
        assert describe_wanted(field)
        assert group_of(group, key) != Config.GROUP
    defaults = group().model_dump()
    assert group(**defaults).model_dump() == defaults


def test_no_key_is_declared_by_two_groups():
    declared = [key for group in GROUPS for key in group.__annotations__]
    assert len(declared) == len(set(declared))


def test_number_of_classes_is_taken_from_the_data_set_or_checked(caplog):
    caplog.set_level("INFO")
    assert match_num_classes(None, ["a", "b"], "x.json") == 2
    assert match_num_classes(2, ["a", "b"], "x.json") == 2
    assert not caplog.records
    assert match_num_classes(3, ["a", "b"], "x.json") == 2
    assert [record.message for record in caplog.records] == [
        "num_classes 3 counts the background: the 2 foreground classes of x.json are used"
    ]
    with pytest.raises(BadValueError, match="num_classes is 80 and x.json has 2 classes: set --num_classes=2"):
        match_num_classes(80, ["a", "b"], "x.json")
