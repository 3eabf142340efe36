"""The table of published weights is sound: every entry says where it was read, under what terms, how it is checked."""

import re
from collections import Counter
from urllib.parse import urlsplit

import pytest

from utils.model_utils.errors import BadValueError
from utils.models.checks import size_range
from utils.models.conversion import COMMANDS, ROOT
from utils.models.table import TABLE, find_model, read_table

MODELS = read_table()
COMMIT = re.compile(r"[0-9a-f]{40}")


@pytest.fixture(params=MODELS.values(), ids=lambda model: model.name)
def model(request):
    return request.param


def test_it_says_where_it_was_read(model):
    for source in (model.source, model.metric.source or model.source):
        assert COMMIT.fullmatch(source.commit)
        assert source.file
        assert re.fullmatch(r"(github\.com|huggingface\.co)/[\w.-]+/[\w.-]+", source.repository)


def test_its_address_is_https_and_of_the_publisher(model):
    parts = urlsplit(model.address)
    assert parts.scheme == "https"
    assert model.address.endswith("/")
    assert parts.hostname in ("huggingface.co", "download.openmmlab.com", "download.pytorch.org", "github.com")
    assert not parts.query and not parts.fragment


def test_what_lies_on_hugging_face_is_of_the_commit_that_was_read(model):
    if model.host == "huggingface.co":
        assert model.address == f"https://{model.source.repository}/resolve/{model.source.commit}/"


def test_each_file_can_be_checked(model):
    assert model.files
    for file in model.files:
        assert file.name == file.name.rpartition("/")[2] != ""
        assert file.size is not None or file.sha256
        if file.size is not None:
            assert size_range(file.size)[0] > 0
        if file.sha256:
            assert re.fullmatch(r"[0-9a-f]{8}|[0-9a-f]{64}", file.sha256)
            assert len(file.sha256) == 64 or file.name.endswith(f"-{file.sha256}.pth")


def test_files_whose_names_end_with_a_hash_have_it(model):
    for file in model.files:
        named = re.search(r"-([0-9a-f]{8})\.pth$", file.name)
        assert (named[1] if named else "") == file.sha256


def test_it_has_a_licence_and_a_figure_that_is_the_publishers(model):
    assert model.licence.label and len(model.licence.terms) > 60
    metric = model.metric
    assert metric.publisher
    assert (metric.value is None) == bool(metric.note) == (not metric.name) == (not metric.dataset)
    assert metric.value is None or 0 < metric.value < 100


def test_the_suite_has_its_configuration_and_converter(model):
    assert (ROOT / model.suite / model.config).is_file()
    assert (ROOT / model.suite / COMMANDS[model.suite].converter).is_file()
    assert model.holds in ("network", "backbone")


def test_nobody_has_downloaded_any_yet():
    """Whoever has, and has seen its figure, changes this line with the entry."""
    assert not [model.name for model in MODELS.values() if model.verified]


def test_no_file_stands_twice():
    assert max(Counter(model.address + model.files[0].name for model in MODELS.values()).values()) == 1


def test_what_was_asked_for_is_there():
    wanted = [f"segformer_b{size}_ade_transformers" for size in range(6)]
    wanted += [f"segformer_b{size}_ade_mmsegmentation" for size in range(6)]
    wanted += ["retinanet_r50_nasfpn", "faster_rcnn_r2_101", "res2net50d_timm", "resnet50_timm"]
    assert not set(wanted) - set(MODELS)


def test_terms_that_are_not_open_are_plain_in_the_table():
    """NVIDIA's licence and that of Res2Net's authors reach further than their own files."""
    for model in MODELS.values():
        terms = model.licence.terms
        if "segformer" in model.name or model.name.startswith("mit_"):
            assert model.licence.restricted and "does not allow commercial use" in terms and "NVIDIA" in terms
        if "res2net" in model.name or "r2_101" in model.name:
            assert model.licence.restricted and "no commercial use" in terms
    assert not MODELS["resnet50_torchvision"].licence.restricted


def test_a_name_that_is_not_there_names_near_ones():
    with pytest.raises(BadValueError, match="did you mean retinanet_r50_nasfpn; see `list`"):
        find_model("RetinaNet-R50-NASFPNN", MODELS)
    with pytest.raises(BadValueError, match="no published weights 'zzz' in the table: see `list`"):
        find_model("zzz", MODELS)


def test_the_table_is_a_table():
    """No entry may come twice, which YAML itself would pass over."""
    names = re.findall(r"^  (\w+):$", TABLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert max(Counter(names).values()) == 1
    assert set(MODELS) <= set(names)
