"""The key groups of every suite, and those of both detectors."""

from pathlib import Path

import pytest

from utils.detection import keys
from utils.model_utils.config import schema
from utils.model_utils.config.base import Config, describe_wanted, group_of
from utils.model_utils.config.loading import load_config

GROUPS = [schema.RuntimeKeys, schema.ModelArtsKeys, schema.TrainingKeys, schema.PictureKeys]
OF_DETECTORS = [keys.RecordKeys, keys.StepScheduleKeys, keys.AugmentationKeys, keys.ResultKeys]


@pytest.mark.parametrize("group", [*GROUPS, *OF_DETECTORS])
def test_every_key_is_described_and_its_default_is_valid(group):
    for key, field in group.model_fields.items():
        assert field.description, key
        assert describe_wanted(field)
        assert group_of(group, key) != Config.GROUP
    defaults = group().model_dump()
    assert group(**defaults).model_dump() == defaults


def test_no_key_is_declared_by_two_groups():
    declared = [key for group in GROUPS for key in group.__annotations__ if key.islower()]
    assert len(declared) == len(set(declared))


class JobKeys(schema.ModelArtsKeys, schema.TrainingKeys):
    """What every suite has."""


def load_job(folder, *arguments, yaml="seed: 1\n"):
    (folder / "default.yaml").write_text(yaml)
    return load_config(
        JobKeys, arguments, suite_dir=folder, default_file="default.yaml", program="train.py", description=""
    )


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ([], "/here"),
        (["--enable_modelarts=True"], "/cache/train"),
        (["--enable_modelarts=True", "--output_path=/out"], "/out"),
        (["--enable_modelarts=True", "--output_path=/out", "--run_dir=/run"], "/run"),
        (["--output_path=/out"], "/here"),
        (["--enable_modelarts=True", "--train_url=/mnt/out"], "/mnt/out"),
        (["--enable_modelarts=True", "--train_url=obs://b/out"], "/cache/train"),
    ],
)
def test_results_of_a_job_that_gives_no_run_dir_go_where_the_platform_takes_them(given, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_job(tmp_path, *given)
    assert config.results_folder() == (tmp_path if folder == "/here" else Path(folder))


def test_places_that_are_not_given_come_from_the_environment_of_a_job(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_URL", "s3://b/upper")
    monkeypatch.setenv("train_url", "/mnt/lower")
    monkeypatch.setenv("CHECKPOINT_URL", "s3://b/unused")
    assert load_job(tmp_path).data_url == ""
    yaml = "enable_modelarts: True\ndata_url: ''\ncheckpoint_url: s3://b/yaml\n"
    config = load_job(tmp_path, yaml=yaml)
    assert (config.data_url, config.train_url, config.checkpoint_url) == ("s3://b/upper", "/mnt/lower", "s3://b/yaml")
    assert load_job(tmp_path, "--data_url=s3://b/typed", yaml=yaml).data_url == "s3://b/typed"
    assert "data_url is that of the environment variable DATA_URL" in list(config.notes())
