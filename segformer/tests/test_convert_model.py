"""tools/convert_model.py: every naming that it reads, by the real command, and what it refuses."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from safetensors.torch import save_file

from segformer.src import build
from segformer.src.config import load
from segformer.src.convert_model import convert
from segformer.src.results.canvases import FixedCanvas, PictureCanvas
from segformer.src.variants import MIT_VARIANTS
from segformer.tests.transformers_reference import build as build_network
from segformer.tests.transformers_reference import own_arrays, reference, relative
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.training.checkpoints.checkpoint import load_checkpoint
from utils.training.checkpoints.loading import load_weights

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from segformer.tests import foreign_files  # noqa: E402  (needs torch)
from segformer.tests.mmsegmentation_reference import Network  # noqa: E402

pytestmark = pytest.mark.end_to_end

TOOL = Path(__file__).resolve().parent.parent / "tools" / "convert_model.py"
DEPTHS = MIT_VARIANTS["mit_b0"].depths


@pytest.fixture(scope="module")
def model():
    return reference("mit_b0")


@pytest.fixture(scope="module")
def release_file(model, tmp_path_factory):
    """An ImageNet backbone of the first release."""
    path = tmp_path_factory.mktemp("release") / "mit_b0.pth"
    torch.save(foreign_files.release_backbone(model), path)
    return path


def _run(folder, *arguments):
    return subprocess.run(
        [sys.executable, str(TOOL), *arguments], cwd=folder, capture_output=True, text=True, timeout=300
    )


def _command(source, folder, *arguments):
    """Converts by the command, given in another folder; returns the checkpoint and what was printed."""
    output = folder / "made" / "own.ckpt"
    done = _run(folder, f"--pt_model_path={source}", f"--ms_model_path={output}", *arguments)
    assert done.returncode == 0, done.stderr
    return output, done.stdout


def _converted(source, folder):
    """Converts in this process; returns the checkpoint and the report."""
    return folder / "made" / "own.ckpt", convert(source, folder / "made" / "own.ckpt")


def _assert_same_logits(checkpoint, model):
    """The converted network computes what transformers' does, to 1e-4."""
    network = build_network("mit_b0")
    load_weights(network, load_checkpoint(checkpoint, "segformer"))
    images = np.random.default_rng(5).standard_normal((1, 3, 64, 96)).astype(np.float32)
    ms.set_context(mode=ms.PYNATIVE_MODE)
    logits = network(ms.Tensor(images)).asnumpy()
    ms.set_context(mode=ms.GRAPH_MODE)
    assert relative(logits, model(torch.tensor(images)).logits.detach().numpy()) < 1e-4


def _assert_same_encoder(checkpoint, model):
    state = load_checkpoint(checkpoint)
    assert (state.suite, state.part) == ("segformer", "backbone")
    expected = {name: value for name, value in own_arrays(model, DEPTHS).items() if name.startswith("backbone.")}
    assert set(state.arrays) == set(expected)
    assert all(np.array_equal(state.arrays[name], value) for name, value in expected.items())


def test_a_folder_of_transformers(model, tmp_path):
    source = tmp_path / "a folder"
    model.save_pretrained(source)
    checkpoint, printed = _command(source, tmp_path)
    assert "SegFormer with MiT-B0 in transformers' names, 19 classes, the paper's head of 256 channels" in printed
    assert "eval.py --data_path=DATA --eval_ckpt_path=" in printed
    assert "3,719,539" in printed  # 3,719,027 and the moving statistics of 256 channels
    assert load_checkpoint(checkpoint).part == ""
    _assert_same_logits(checkpoint, model)


def test_a_folder_in_several_files(model, tmp_path):
    model.save_pretrained(tmp_path / "model", max_shard_size="4MB")
    shards = sorted((tmp_path / "model").glob("model-*.safetensors"))
    assert len(shards) > 2
    report = convert(tmp_path / "model", tmp_path / "own.ckpt")
    assert report.startswith("model.safetensors.index.json: SegFormer with MiT-B0")
    _assert_same_logits(tmp_path / "own.ckpt", model)
    index = tmp_path / "model" / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    for places, sentence in (
        (content["weight_map"] | {"extra.weight": shards[0].name}, "lacks 1 tensor .* first 'extra.weight'"),
        ({"extra.weight": "../own.ckpt"}, "no weight_map of names and files beside it"),
    ):
        index.write_text(json.dumps({"weight_map": places}))
        with pytest.raises(BadValueError, match=sentence):
            convert(tmp_path / "model", tmp_path / "other.ckpt")
    index.write_text(json.dumps(content))
    shards[1].unlink()
    with pytest.raises(MissingPathError, match=f"1 of the {len(shards)} files .* missing, first '{shards[1]}'"):
        convert(tmp_path / "model", tmp_path / "other.ckpt")
    assert not (tmp_path / "other.ckpt").exists()


def test_a_folder_with_several_bin_files(model, tmp_path):
    model.config.save_pretrained(tmp_path / "model")
    weights = foreign_files.file_names(model)
    places = {}
    for number, names in enumerate((list(weights)[:100], list(weights)[100:]), start=1):
        places |= dict.fromkeys(names, f"pytorch_model-0000{number}-of-00002.bin")
        torch.save({name: weights[name] for name in names}, tmp_path / "model" / places[names[0]])
    (tmp_path / "model" / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))
    convert(tmp_path / "model", tmp_path / "own.ckpt")
    _assert_same_logits(tmp_path / "own.ckpt", model)


def test_a_folder_says_names_sizes_and_normalisation(tmp_path):
    model = reference("mit_b0", num_classes=3)
    model.config.id2label = {0: "wall", 1: "floor", 2: "rest"}
    model.save_pretrained(tmp_path / "model")
    processor = {"size": 640, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25], "do_reduce_labels": True}
    (tmp_path / "model" / "preprocessor_config.json").write_text(json.dumps(processor))
    report = convert(tmp_path / "model", tmp_path / "own.ckpt")
    assert "pictures stretched to 640x640 (preprocessor_config.json)" in report
    assert "labels: class 0 is 1 in the label files" in report
    config, stored = build.open_checkpoint(load([], "infer.py"), tmp_path / "own.ckpt")
    assert (config.class_names, tuple(stored.class_names)) == (("wall", "floor", "rest"),) * 2
    assert build.build_canvas(config) == PictureCanvas((640, 640), 1, keeps_ratio=False)
    assert (config.img_norm_mean, config.img_norm_std) == ((127.5,) * 3, (63.75,) * 3)


def test_a_folder_with_pytorch_model_bin(model, tmp_path):
    model.config.save_pretrained(tmp_path / "model")
    torch.save(foreign_files.file_names(model), tmp_path / "model" / "pytorch_model.bin")
    convert(tmp_path / "model", tmp_path / "own.ckpt")
    _assert_same_logits(tmp_path / "own.ckpt", model)


def test_a_safetensors_file_with_the_names_of_transformers_modules(model, tmp_path):
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, tmp_path / "net.safetensors")
    report = convert(tmp_path / "net.safetensors", tmp_path / "own.ckpt")
    assert "transformers 5's modules" in report
    _assert_same_logits(tmp_path / "own.ckpt", model)


def test_a_whole_checkpoint_of_the_first_release(model, tmp_path):
    torch.save(
        {"meta": {"epoch": 3}, "state_dict": foreign_files.release(model), "optimizer": {}},
        tmp_path / "segformer.b0.pth",
    )
    checkpoint, printed = _converted(tmp_path / "segformer.b0.pth", tmp_path)
    assert "first release" in printed
    assert "from its 'state_dict'" in printed
    assert "dropped: 2 tensors: decode_head.conv_seg.*, a layer that the head never uses" in printed
    _assert_same_logits(checkpoint, model)


def test_an_imagenet_backbone_of_the_first_release(model, release_file, tmp_path):
    checkpoint, printed = _converted(release_file, tmp_path)
    assert "mit_b0.pth: encoder of MiT-B0 in the names of the first release" in printed
    assert "dropped: 2 tensors: head.*, the classifier of ImageNet" in printed
    assert f"train.py --data_path=DATA --backbone=mit_b0 --pretrained_ckpt_path={checkpoint}" in printed
    _assert_same_encoder(checkpoint, model)


def test_a_whole_network_of_mmsegmentation(tmp_path):
    """Its checkpoint alone says which head and which epsilon of layer norms it has."""
    expected = Network("mit_b0")
    torch.save({"state_dict": expected.file_content()}, tmp_path / "mmseg.pth")
    checkpoint, printed = _converted(tmp_path / "mmseg.pth", tmp_path)
    assert "MiT-B0 in MMSegmentation's names, 19 classes, MMSegmentation's head of 256 channels" in printed
    assert "3,722,611" in printed  # 3,720,051 and the moving statistics of five times 256 channels
    config, stored = build.open_checkpoint(load([], "infer.py"), checkpoint)
    assert (config.head, config.layer_norm_eps) == ("mmsegmentation", 1e-6)
    network = build.load_network(config, stored).set_train(False)
    images = np.random.default_rng(5).standard_normal((1, 3, 64, 96)).astype(np.float32)
    with torch.no_grad():
        wanted = expected(torch.tensor(images)).numpy()
    assert relative(network(ms.Tensor(images)).asnumpy(), wanted) < 1e-5


def test_classes_and_pipeline_of_mmsegmentation_travel(tmp_path):
    """Of ADE20K's recipe a file has three classes of its own; 19 classes without names are Cityscapes'."""
    expected = Network("mit_b0", 3)
    meta = {"dataset_meta": {"classes": ("wall", "floor", "rest"), "palette": [[0, 0, 0]] * 3}}
    torch.save({"state_dict": expected.file_content(), "meta": meta}, tmp_path / "mmseg.pth")
    report = convert(tmp_path / "mmseg.pth", tmp_path / "own.ckpt")
    assert "classes: 3, 'wall', 'floor', 'rest'" in report
    assert (
        "recipe: ADE20K's, pictures within 2048x512; the file says no other: give eval.py and infer.py canvas_sides"
        in report
    )
    pipeline = "test_pipeline = [dict(type='Resize', scale=(640, 320), keep_ratio=True)]\n"
    preprocessor = "model = dict(data_preprocessor=dict(mean=[1.5, 2, 3], std=[4, 5, 6], bgr_to_rgb=True))"
    torch.save(
        {"state_dict": expected.file_content(), "meta": meta | {"cfg": pipeline + preprocessor}}, tmp_path / "own.pth"
    )
    report = convert(tmp_path / "own.pth", tmp_path / "own.ckpt", overwrite=True)
    assert "recipe: that of the configuration in the file, pictures within 640x320\n" in report
    config, _ = build.open_checkpoint(load([], "eval.py"), tmp_path / "own.ckpt")
    assert build.names_of_classes(config) == ("wall", "floor", "rest")
    assert build.build_canvas(config) == PictureCanvas((640, 320), 1)
    documented = ["--config_path=config/segformer.b0.512x1024.city.yaml"]
    config, _ = build.open_checkpoint(load(documented, "eval.py"), tmp_path / "own.ckpt")
    assert build.build_canvas(config) == PictureCanvas((640, 320), 1)
    assert config.img_norm_mean == (1.5, 2.0, 3.0)  # that of the weights with such a file too
    fixed = ["--canvas=fixed", *documented]
    config, _ = build.open_checkpoint(load(fixed, "eval.py"), tmp_path / "own.ckpt")
    assert build.build_canvas(config) == FixedCanvas((512, 1024))


def test_an_encoder_of_segmentation_models_pytorch(model, tmp_path):
    """Its encoder has the names of the first release; its decoder is left out, and said."""
    weights = {
        f"encoder.{name}": value
        for name, value in foreign_files.release_backbone(model).items()
        if not name.startswith("head.")
    }
    decoder = {"decoder.blocks.0.conv1.0.weight": torch.zeros(1), "segmentation_head.0.bias": torch.zeros(1)}
    torch.save({"state_dict": weights | decoder}, tmp_path / "unet.pth")
    report = convert(tmp_path / "unet.pth", tmp_path / "own.ckpt")
    assert (
        "dropped: 2 tensors: the decoder of segmentation_models_pytorch, another network than the head here" in report
    )
    _assert_same_encoder(tmp_path / "own.ckpt", model)


def test_a_lightning_module_of_another_program(tmp_path):
    """Its network is the attribute `model`; what lies beside that is left out, and said."""
    expected = Network("mit_b0")
    state = {f"model.{name}": value for name, value in expected.file_content().items()}
    content = {"state_dict": state | {"criterion.weight": torch.zeros(3)}, "pytorch-lightning_version": "2.1"}
    torch.save(content, tmp_path / "last.ckpt")
    report = convert(tmp_path / "last.ckpt", tmp_path / "own.ckpt")
    assert "MMSegmentation's head of 256 channels, from its 'state_dict'" in report
    assert "left out: 1 tensor of the Lightning module beside 'model', first 'criterion.weight'" in report
    assert load_checkpoint(tmp_path / "own.ckpt").part == ""


def test_averaged_weights_are_taken_where_they_are_asked_for(model, tmp_path):
    weights = foreign_files.release_backbone(model)
    last = {name: torch.zeros_like(value) for name, value in weights.items()}
    torch.save({"state_dict": last, "state_dict_ema": weights}, tmp_path / "mit.pth")
    assert "'state_dict_ema', which --ema takes" in convert(tmp_path / "mit.pth", tmp_path / "last.ckpt")
    checkpoint, printed = _command(tmp_path / "mit.pth", tmp_path, "--ema")
    assert "the averaged weights of the file are taken" in printed
    _assert_same_encoder(checkpoint, model)
    assert not any(array.any() for array in load_checkpoint(tmp_path / "last.ckpt").arrays.values())
    with pytest.raises(BadValueError, match="has no averaged weights; leave --ema out"):
        convert(tmp_path, tmp_path / "other.ckpt", averaged=True)


def test_the_encoder_alone_of_mmsegmentation(tmp_path):
    expected = Network("mit_b0")
    torch.save({"state_dict": expected.file_content()}, tmp_path / "mmseg.pth")
    report = convert(tmp_path / "mmseg.pth", tmp_path / "own.ckpt", backbone_only=True)
    assert "encoder of MiT-B0 in MMSegmentation's names" in report
    assert "dropped: 32 tensors: decode_head.*" in report
    _assert_same_encoder(tmp_path / "own.ckpt", expected.model)


def test_a_classifier_of_transformers_gives_its_encoder(model, tmp_path):
    weights = {name: value for name, value in foreign_files.file_names(model).items() if name.startswith("segformer.")}
    save_file(
        {**weights, "classifier.weight": torch.zeros(1000, 256), "classifier.bias": torch.zeros(1000)},
        tmp_path / "mit.safetensors",
    )
    convert(tmp_path / "mit.safetensors", tmp_path / "own.ckpt")
    _assert_same_encoder(tmp_path / "own.ckpt", model)


def test_a_head_may_have_another_width_and_number_of_classes(tmp_path):
    model = reference("mit_b0", num_classes=7, decoder_channels=32)
    save_file(foreign_files.file_names(model), tmp_path / "net.safetensors")
    report = convert(tmp_path / "net.safetensors", tmp_path / "own.ckpt")
    assert "7 classes, the paper's head of 32 channels" in report
    load_weights(build_network("mit_b0", 7, 32), load_checkpoint(tmp_path / "own.ckpt", "segformer"))


def _changed(release_file, folder, change):
    weights = torch.load(release_file, weights_only=True)
    change(weights)
    torch.save(weights, folder / "changed.pth")
    return folder / "changed.pth"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda w: w.pop("block2.1.attn.kv.bias"),
            r"2 tensors missing \(block2.1.attn.kv\[key\].bias; block2.1.attn.kv",
        ),
        (lambda w: w.update({"extra.weight": torch.zeros(1)}), r"1 tensor left over \(extra.weight\)"),
        (lambda w: w.update({"norm1.weight": torch.zeros(3)}), r"norm1.weight \(3,\) instead of \(32,\)"),
        (lambda w: w.pop("patch_embed1.proj.weight"), r"none has the name of a Mix Transformer's first layer"),
        (lambda w: w.update({"block1.2.norm1.weight": torch.zeros(32)}), r"\[3, 2, 2, 2\] blocks .* none of mit_b0"),
        (lambda w: w.update({"norm1.bias": torch.full((32,), float("nan"))}), r"not finite .*: 32 of [\d,]+ values"),
    ],
    ids=["missing", "left over", "misshaped", "another network", "another size", "not finite"],
)
def test_what_does_not_fit_is_named(release_file, tmp_path, change, sentence):
    with pytest.raises(BadValueError, match=sentence):
        convert(_changed(release_file, tmp_path, change), tmp_path / "own.ckpt")
    assert not (tmp_path / "own.ckpt").exists()


class _Code:
    def __reduce__(self):
        return print, ("code ran",)


def test_damaged_and_dangerous_files_are_a_sentence(release_file, tmp_path, capsys):
    (tmp_path / "short.pth").write_bytes(release_file.read_bytes()[:20000])
    torch.save({"patch_embed1.proj.weight": _Code()}, tmp_path / "code.pth")
    for name, sentence in (("short.pth", "cut short"), ("code.pth", "no tensors, first 'patch_embed1.proj.weight'")):
        with pytest.raises(BadValueError, match=sentence):
            convert(tmp_path / name, tmp_path / "own.ckpt")
    assert "code ran" not in capsys.readouterr().out
    with pytest.raises(MissingPathError, match="does not exist"):
        convert(tmp_path / "missing.pth", tmp_path / "own.ckpt")


def test_folders_that_do_not_fit_are_a_sentence(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    with pytest.raises(MissingPathError, match="neither model.safetensors nor pytorch_model.bin"):
        convert(folder, tmp_path / "own.ckpt")
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(MissingPathError, match="config.json' is missing"):
        convert(folder, tmp_path / "own.ckpt")
    for text, sentence in (
        ("{", "no JSON object"),
        ("[1]", "no JSON object"),
        ('{"model_type": "bert"}', "network 'bert', wanted 'segformer'"),
        ('{"hidden_act": "relu"}', "hidden_act = relu, and every published"),
    ):
        (folder / "config.json").write_text(text)
        with pytest.raises(BadValueError, match=sentence):
            convert(folder, tmp_path / "own.ckpt")


def test_an_output_in_the_way_is_kept(release_file, tmp_path):
    output = tmp_path / "own.ckpt"
    output.write_text("mine")
    with pytest.raises(BadStateError, match="--overwrite"):
        convert(release_file, output)
    with pytest.raises(BadStateError, match="is a folder"):
        convert(release_file, tmp_path)
    copy = shutil.copy(release_file, tmp_path / "net.pth")
    with pytest.raises(BadStateError, match="is the file that is read"):
        convert(copy, copy, overwrite=True)
    assert output.read_text() == "mine"
    convert(release_file, output, overwrite=True)
    assert load_checkpoint(output).part == "backbone"


def test_a_pth_file_converts_without_torch(release_file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    convert(release_file, tmp_path / "own.ckpt")
    assert load_checkpoint(tmp_path / "own.ckpt").part == "backbone"


def test_a_missing_argument_is_named(tmp_path):
    done = _run(tmp_path, "--pt_model_path=a.pth")
    assert done.returncode == 2
    assert "--ms_model_path" in done.stderr
