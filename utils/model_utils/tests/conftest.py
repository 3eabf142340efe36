"""A suite's folder for the tests of the loader, and object storage on this machine."""

import os

import pytest

from utils.model_utils.config.schema import ModelArtsKeys
from utils.model_utils.tests.object_server import Bucket, environment, running_moto


@pytest.fixture
def suite(tmp_path, monkeypatch):
    """A suite's folder with a YAML file, and another working directory."""
    folder, caller = tmp_path / "suite", tmp_path / "caller"
    folder.mkdir()
    caller.mkdir()
    monkeypatch.chdir(caller)
    (folder / "default.yaml").write_text("epoch_size: 5\nlr: 1e-3\n")
    return folder


@pytest.fixture(scope="session")
def moto_address():
    """Address of moto's server, one for the whole session."""
    with running_moto() as address:
        yield address


@pytest.fixture
def bucket(moto_address, monkeypatch):
    """A bucket of its own for each test, and the environment with which it is reached."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "OBS_", "S3_")):
            monkeypatch.delenv(name)
    for name, value in environment(moto_address).items():
        monkeypatch.setenv(name, value)
    return Bucket.new(moto_address)


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Builds the configuration of a job whose folders lie in tmp_path."""
    monkeypatch.delenv("MS_ROLE", raising=False)

    def build(**values):
        places = {"data_path": "cache/data", "load_path": "cache/load", "output_path": "cache/train"}
        values = {key: str(tmp_path / place) for key, place in places.items()} | values
        return ModelArtsKeys(**{"enable_modelarts": True, **values})

    return build
