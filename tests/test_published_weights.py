"""`models get` over files of exactly the published layouts in miniature: downloaded, checked, converted, used."""

import dataclasses
import hashlib
import shlex
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import json  # noqa: E402  (nothing here runs without the two above)

from safetensors.torch import save_file  # noqa: E402

from faster_rcnn.tests import conversion as faster_rcnn  # noqa: E402
from nas_fpn.tests import conversion as nas_fpn  # noqa: E402
from nas_fpn.tests import torch_mmdet  # noqa: E402
from segformer.src.variants import MIT_VARIANTS  # noqa: E402
from segformer.tests import foreign_files  # noqa: E402
from segformer.tests.mmsegmentation_reference import Network  # noqa: E402
from segformer.tests.transformers_reference import reference  # noqa: E402
from utils.images import write_image  # noqa: E402
from utils.models import conversion, download  # noqa: E402
from utils.models.checks import size_range  # noqa: E402
from utils.models.fetching import get  # noqa: E402
from utils.models.table import read_table  # noqa: E402
from utils.models.tests.file_server import file_server  # noqa: E402
from utils.tests.processes import finish  # noqa: E402
from utils.training.checkpoints.checkpoint import load_checkpoint  # noqa: E402

MODELS = read_table()
PROCESSOR = {  # of its 271 bytes: what SegformerFeatureExtractor wrote
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "SegformerFeatureExtractor",
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "reduce_labels": True,
    "resample": 2,
    "size": 512,
}

pytestmark = pytest.mark.end_to_end


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0)


def _get(name, contents, folder):
    """Gets an entry that has `contents` as its files, the first of which is cut half way; returns the checkpoint.

    One that is there already is replaced.
    """
    folder.mkdir()
    (folder / f"{name}.ckpt").write_bytes(b"an old one")
    model, files, wanted = MODELS[name], {}, []
    for file, content in zip(model.files, contents, strict=True):
        digits = hashlib.sha256(content).hexdigest()[:8]
        new = file.name.replace(file.sha256, digits) if file.sha256 else file.name
        files[new] = content
        size = None if file.size is None else len(content)
        wanted.append(dataclasses.replace(file, name=new, size=size, sha256=digits if file.sha256 else ""))
    with file_server() as server:
        server.files = files
        server.cuts = [len(contents[0]) // 2]
        here = dataclasses.replace(model, address=server.address, files=tuple(wanted))
        checkpoint = get(here, folder, None, overwrite=True)
        assert len(server.asked) == len(files) + 1
    return checkpoint


def _saved(state, path):
    torch.save(state, path)
    return path.read_bytes()


def _with_keys(monkeypatch, *keys):
    """Lets the converter read a network that is smaller than the published one."""
    command = conversion.converter_command
    monkeypatch.setattr(conversion, "converter_command", lambda *arguments: [*command(*arguments), *keys])


def test_a_folder_of_transformers_is_had_converted_and_used_by_the_command_that_is_named(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)  # not the checkout: the command names all paths in full
    model = reference("mit_b0", num_classes=150)
    model.config.id2label = {number: f"class {number}" for number in range(150)}
    model.config.save_pretrained(tmp_path / "config")
    weights = _saved(foreign_files.file_names(model), tmp_path / "weights")
    config = (tmp_path / "config/config.json").read_bytes()
    contents = (weights, config, json.dumps(PROCESSOR).encode())
    checkpoint = _get("segformer_b0_ade_transformers", contents, tmp_path / "w")
    stored = load_checkpoint(checkpoint)
    assert (stored.suite, stored.part, len(stored.class_names)) == ("segformer", "", 150)
    said = capfd.readouterr().out
    assert "pictures stretched to 512x512 (preprocessor_config.json)" in said
    assert said.index("NVIDIA's own") < said.index("downloading:")
    named = said.splitlines()[-1]
    assert named.startswith("next: python /")
    write_image(tmp_path / "street.png", np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8))
    words = [word.replace("PICTURES", str(tmp_path / "street.png")) for word in shlex.split(named)[2:]]
    finished = finish(sys.executable, *words, f"--infer_output_path={tmp_path / 'out'}", cwd=tmp_path, seconds=500)
    assert finished.returncode == 0, finished.stderr
    assert list((tmp_path / "out").rglob("*street*"))


def test_a_network_of_mmsegmentation(tmp_path, capfd):
    content = _saved({"meta": {}, "state_dict": Network("mit_b0", 150).file_content()}, tmp_path / "weights")
    checkpoint = _get("segformer_b0_ade_mmsegmentation", [content], tmp_path / "w")
    assert load_checkpoint(checkpoint).part == ""
    assert "150 classes, MMSegmentation's head" in capfd.readouterr().out


def test_a_detector_of_mmdetection(tmp_path, monkeypatch, capfd):
    detector = torch_mmdet.randomise(torch_mmdet.Detector(**nas_fpn.TINY_NETWORK))
    content = _saved({"meta": {}, "state_dict": detector.state_dict()}, tmp_path / "weights")
    _with_keys(monkeypatch, *nas_fpn.TINY)
    checkpoint = _get("retinanet_r50_nasfpn", [content], tmp_path / "w")
    assert (load_checkpoint(checkpoint).suite, load_checkpoint(checkpoint).part) == ("nas_fpn", "")
    assert "nas_fpn/infer.py --checkpoint_path=" in capfd.readouterr().out.splitlines()[-1]


def test_a_backbone_of_timm(tmp_path, monkeypatch, capfd):
    backbone = faster_rcnn.reference_detector().backbone
    state = {name: value.contiguous() for name, value in faster_rcnn.in_timm_names(backbone).items()}
    save_file(state, tmp_path / "weights")
    _with_keys(monkeypatch, *faster_rcnn.TINY)
    checkpoint = _get("res2net50d_timm", [(tmp_path / "weights").read_bytes()], tmp_path / "w")
    assert (load_checkpoint(checkpoint).suite, load_checkpoint(checkpoint).part) == ("faster_rcnn", "backbone")
    named = capfd.readouterr().out.splitlines()[-1]
    assert "faster_rcnn/train.py --config_path=" in named
    assert named.endswith(f"--pre_trained={checkpoint} --coco_root=DATA")


def _segformer_values(size, num_classes):
    """How many weights and moving statistics SegFormer has, from the shapes in the paper's tables."""
    widths, depths = MIT_VARIANTS[f"mit_b{size}"].widths, MIT_VARIANTS[f"mit_b{size}"].depths
    channels = 256 if size < 2 else 768
    values, before = 4 * channels * channels + 4 * channels + (channels + 1) * num_classes, 3
    for width, depth, kernel, reduction in zip(widths, depths, (7, 3, 3, 3), (8, 4, 2, 1), strict=True):
        attention = 4 * (width * width + width) + (reduction**2 * width * width + 3 * width if reduction > 1 else 0)
        mlp = 2 * 4 * width * width + 5 * width + (9 + 1) * 4 * width
        values += kernel**2 * before * width + 3 * width + depth * (attention + mlp + 4 * width) + 2 * width
        values += width * channels + channels
        before = width
    return values


@pytest.mark.parametrize("size", range(6))
def test_the_sizes_of_the_table_are_those_of_networks_with_so_many_weights(size):
    """Four bytes a value, and at most 1 % for names and the like: no size stands beside another network."""
    assert _segformer_values(0, 19) == 3_719_539  # as the converter counts
    model = MODELS[f"segformer_b{size}_ade_transformers"]
    values = _segformer_values(size, 150)
    least, most = size_range(model.files[0].size)
    assert least <= 4.04 * values
    assert most >= 4 * values
