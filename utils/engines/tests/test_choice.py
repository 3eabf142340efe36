"""Which engine runs a file, and what is said where none can."""

import importlib.util

import pytest

from utils.engines import choice
from utils.engines.choice import EngineSettings, choose_engine, open_onnx
from utils.model_utils.errors import BadStateError, BadValueError


@pytest.fixture()
def installed(monkeypatch):
    """Lets a test say which packages are there."""
    names = set()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in names else None)
    return names


def test_the_faster_one_of_those_that_are_installed_is_taken(installed):
    installed.update(("onnxruntime", "openvino"))
    assert choose_engine("auto") == "openvino"
    assert choose_engine("onnxruntime") == "onnxruntime"
    installed.remove("openvino")
    assert choose_engine("auto") == "onnxruntime"


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("auto", r"no engine for ONNX files is installed: install it with `pip install openvino==\S+`, or use the"),
        ("openvino", r"the engine openvino is not installed: install it with `pip install openvino=="),
    ],
)
def test_an_engine_that_is_missing_is_a_sentence_with_pips_command(installed, wanted, sentence):
    with pytest.raises(BadStateError, match=sentence):
        choose_engine(wanted)


def test_bfloat16_is_openvinos(installed, tmp_path):
    installed.add("onnxruntime")
    with pytest.raises(BadValueError, match="cpu_precision is bf16, which onnxruntime does not have: leave it out"):
        open_onnx(tmp_path / "a.onnx", EngineSettings(precision="bf16"))


def test_the_pins_are_those_of_the_optional_group():
    project = (choice.Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8")
    for pinned in choice.PACKAGES.values():
        assert f'"{pinned}"' in project


@pytest.mark.parametrize(
    ("limit", "has_avx512", "is_refused"),
    [
        ("AVX2", True, True),
        ("avx2_vnni", True, True),
        ("AVX2", False, False),
        ("AVX512_CORE", True, False),
        ("", True, False),
    ],
)
def test_a_users_limit_that_openvino_does_not_survive_is_refused(limit, has_avx512, is_refused):
    network = pytest.importorskip("utils.engines.openvino_network")
    if not is_refused:
        network.refuse_low_limit(limit, has_avx512)
        return
    with pytest.raises(BadStateError, match=f"ONEDNN_MAX_CPU_ISA is '{limit}' in the environment, with which OpenVINO"):
        network.refuse_low_limit(limit, has_avx512)
