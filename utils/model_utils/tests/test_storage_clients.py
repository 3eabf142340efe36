"""Which client of an object storage is taken, with whose key, at which address; none of its secrets is said."""

import logging
import sys

import pytest

from utils.model_utils import moxing_adapter
from utils.model_utils.errors import BadStateError, BadValueError, UserError
from utils.model_utils.moxing_adapter import sync_in
from utils.model_utils.storage.retries import Retries
from utils.model_utils.tests.object_server import ACCESS_KEY, SECRET_KEY, Faults, misbehaving


def test_the_other_moxing_is_refused_with_a_sentence(bucket, tmp_path, monkeypatch, caplog):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/moxing.py").write_text("def quick_run(name): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path / "other"))
    monkeypatch.delitem(sys.modules, "moxing", raising=False)
    monkeypatch.setitem(sys.modules, "obs", None)
    assert moxing_adapter.connect().name == "boto3"
    assert "pip uninstall moxing" in caplog.text
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(BadStateError, match="pip uninstall moxing"):
        moxing_adapter.connect()
    monkeypatch.delitem(sys.modules, "moxing")


def test_the_other_moxing_is_known_by_its_name_and_not_imported(bucket, tmp_path, monkeypatch, caplog):
    (tmp_path / "moxing-0.1.39.dist-info").mkdir()
    (tmp_path / "moxing-0.1.39.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: moxing\nVersion: 0.1.39\n")
    (tmp_path / "moxing.py").write_text("raise SystemExit('it was imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "moxing", raising=False)
    monkeypatch.setitem(sys.modules, "obs", None)
    assert moxing_adapter.connect().name == "boto3"
    assert "pip uninstall moxing" in caplog.text


def test_without_any_client_the_sentence_says_what_to_install(bucket, monkeypatch):
    for name in ("moxing", "obs", "boto3"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BadStateError, match="pip install boto3"):
        moxing_adapter.connect()


def test_missing_credentials_are_said(bucket, monkeypatch):
    monkeypatch.delenv("OBS_ACCESS_KEY_ID")
    with pytest.raises(BadValueError, match="the access key of the object storage is missing: set OBS_ACCESS_KEY_ID"):
        moxing_adapter.connect()
    monkeypatch.delenv("OBS_SECRET_ACCESS_KEY")
    with pytest.raises(BadStateError, match="without credentials: set OBS_ACCESS_KEY_ID"):
        moxing_adapter.connect()
    monkeypatch.setitem(sys.modules, "obs", None)
    with pytest.raises(BadStateError, match="without credentials: set OBS_ACCESS_KEY_ID"):
        moxing_adapter.connect()


def test_no_credential_is_in_a_log_or_a_message(bucket, job, moto_address, monkeypatch, caplog, tmp_path):
    monkeypatch.setitem(sys.modules, "obs", None)
    monkeypatch.setenv("OBS_SECURITY_TOKEN", "secret-token-of-the-test")
    caplog.set_level(logging.DEBUG)
    text = repr(moxing_adapter.read_settings())
    bucket.write("d/1", b"x" * 3000)
    spoken = f"<Error><Code>{ACCESS_KEY}/x</Code><Message>{SECRET_KEY}</Message></Error>"
    cases = [Faults(denied=True, spoken=spoken), Faults(cuts=99), Faults(busy=99), Faults()]
    for faults in cases:
        with misbehaving(moto_address, faults) as address:
            monkeypatch.setenv("OBS_ENDPOINT", address)
            try:
                sync_in(job(data_url=f"s3://{bucket.name}/d"), moxing_adapter.connect(Retries(2, 0)))
            except UserError as error:
                logging.getLogger("test").error("failed", exc_info=True)
                text += str(error)
    assert "data_url" in caplog.text and "failed 2 times" in text and "refuses" in text
    for secret in (ACCESS_KEY, SECRET_KEY, "secret-token-of-the-test"):
        assert secret not in text + caplog.text
    monkeypatch.setenv("OBS_ENDPOINT", f"https://{ACCESS_KEY}:{SECRET_KEY}@host")
    with pytest.raises(BadValueError) as caught:
        moxing_adapter.read_settings()
    assert SECRET_KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "address", "is_path_style"),
    [
        ("obs.cn-north-4.myhuaweicloud.com", "https://obs.cn-north-4.myhuaweicloud.com", False),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000", True),
        ("http://localhost:5000", "http://localhost:5000", True),
    ],
)
def test_an_endpoint_says_how_buckets_are_named(monkeypatch, endpoint, address, is_path_style):
    monkeypatch.setenv("OBS_ENDPOINT", endpoint)
    settings = moxing_adapter.read_settings()
    assert (settings.endpoint, settings.wants_path_style) == (address, is_path_style)


def test_a_bucket_of_obs_is_asked_by_its_own_name_in_the_region_of_the_endpoint(bucket, monkeypatch):
    monkeypatch.setitem(sys.modules, "obs", None)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("OBS_ENDPOINT", "obs.cn-north-4.myhuaweicloud.com")
    settings = moxing_adapter.read_settings()
    assert settings.region == "cn-north-4"
    client = moxing_adapter._open_client(settings)._client
    address = client.generate_presigned_url("get_object", Params={"Bucket": "my-bucket", "Key": "a/b"})
    assert address.startswith("https://my-bucket.obs.cn-north-4.myhuaweicloud.com/a/b?")
