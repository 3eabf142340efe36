"""The converter: whose names it knows, what it reports and stores, and what it refuses."""

import re
import shlex

import mindspore as ms
import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")

from faster_rcnn.src.config import load  # noqa: E402  (nothing here runs without torch)
from faster_rcnn.src.convert import convert  # noqa: E402
from faster_rcnn.tests import conversion  # noqa: E402
from faster_rcnn.tests.conversion import TINY, converted, in_mindspore_names, in_timm_names  # noqa: E402
from utils.detection.annotations.coco_names import COCO_CLASSES  # noqa: E402
from utils.model_utils.errors import UserError  # noqa: E402
from utils.training.checkpoints.checkpoint import load_checkpoint  # noqa: E402
from utils.training.checkpoints.checkpoint_file import write_checkpoint_file  # noqa: E402

pytestmark = pytest.mark.end_to_end


@pytest.fixture(autouse=True)
def _graph_mode():
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.fixture(scope="module")
def detector():
    return conversion.reference_detector()


def converted_here(folder, *arguments):
    """Converts in this process; returns the training state that was written."""
    path = convert(load([f"--ckpt_file={folder}", f"--run_dir={folder.parent / 'out'}", *TINY, *arguments]))
    return load_checkpoint(path)


def stored(state, key):
    return re.search(rf"^{key}: (.*)$", state.config_text, re.MULTILINE)[1]


def assert_same_backbone(state, other):
    """The same values under the same names, those of the backbone alone."""
    assert state.part == "backbone"
    assert all(name.startswith("backbone.") for name in state.arrays)
    for name, values in state.arrays.items():
        assert np.array_equal(values, other[name]), name


def test_a_whole_detector_with_the_command(detector, tmp_path):
    """The report counts every tensor of the file, and the checkpoint says what network it is of."""
    output, report = converted(tmp_path, {"meta": {}, "state_dict": detector.state_dict()}, *TINY)
    counters = sum(name.endswith("num_batches_tracked") for name in detector.state_dict())
    assert "weights.pth: MMDetection's Faster R-CNN with Res2Net, from its 'state_dict'" in report
    assert f"dropped: {counters} tensors: num_batches_tracked" in report
    total = int(re.search(r"in all +([\d,]+)", report)[1].replace(",", ""))
    assert total + counters == len(detector.state_dict())
    assert "res2net_stage1_pool: false" in report
    assert "classes: 3" in report
    assert f"eval.py --checkpoint_path={output} --coco_root=COCO)" in report
    assert "whose names the file does not say" in report
    assert "nothing is permuted" in report
    state = load_checkpoint(output)
    assert (state.part, state.suite) == ("", "faster_rcnn")
    assert [stored(state, key) for key in ("num_classes", "res2net_stage1_pool")] == ["3", "false"]
    assert state.class_names == ()


@pytest.fixture(scope="module")
def timm_backbone(detector, tmp_path_factory):
    folder = tmp_path_factory.mktemp("timm")
    torch.save(in_timm_names(detector.backbone), folder / "res2net.pth")
    return converted_here(folder / "res2net.pth")


def test_timm_and_mindspore_name_the_same_backbone(detector, timm_backbone, tmp_path, capsys):
    """ImageNet weights average-pool in stage 1; MindSpore's detector names its shortcuts in yet another way."""
    assert stored(timm_backbone, "res2net_stage1_pool") == "true"
    arrays = in_mindspore_names(detector.backbone)
    write_checkpoint_file(tmp_path / "a.ckpt", arrays)
    state = converted_here(tmp_path / "a.ckpt")
    assert stored(state, "res2net_stage1_pool") == "true"
    assert_same_backbone(state, timm_backbone.arrays)
    report = capsys.readouterr().out
    assert "dropped: 2 tensors: end_point.*, the classifier" in report
    assert "their features are not the same" in report

    renamed = {
        "accum.backbone.conv1_0.weight": np.ones(2, np.float32),
        "rcnn.cls.weight": np.ones(2, np.float32),
        "learning_rate": np.float32(1),
    }
    for name, values in arrays.items():
        conv, norm = (
            ("down_sample_layer.0", "down_sample_layer.1")
            if name.startswith("layer1")
            else ("down_sample_layer.1", "down_sample_layer.2")
        )
        renamed["backbone." + name.replace(conv, "conv_down_sample").replace(norm, "bn_down_sample")] = values
    for name in ("end_point.weight", "end_point.bias"):
        del renamed[f"backbone.{name}"]
    write_checkpoint_file(tmp_path / "b.ckpt", renamed)
    assert_same_backbone(converted_here(tmp_path / "b.ckpt"), timm_backbone.arrays)


def test_mindcv_names_the_same_backbone(detector, timm_backbone, tmp_path, capsys):
    """`res2net50_v1b`: timm's stem, `down_sample`, MindSpore's norms, and the optimizer's moments in the file."""
    arrays = {"moments.conv1.0.weight": np.ones(2, np.float32), "learning_rate": np.float32(1)}
    for name, value in in_timm_names(detector.backbone).items():
        layer, part = name.replace("downsample.", "down_sample.").rsplit(".", 1)
        if layer.startswith("layer1") and "down_sample" in layer:  # without the pool, which has a place in timm's list
            layer = f"{layer[:-1]}{int(layer[-1]) - 1}"
        part = conversion.MINDSPORE_NORM[part] if value.dim() == 1 and part != "num_batches_tracked" else part
        if part != "num_batches_tracked" and layer != "fc":
            arrays[f"{layer}.{part}"] = value.numpy()
    arrays |= {"classifier.weight": np.ones((10, 4), np.float32), "classifier.bias": np.ones(10, np.float32)}
    write_checkpoint_file(tmp_path / "a.ckpt", arrays)
    state = converted_here(tmp_path / "a.ckpt")
    assert stored(state, "res2net_stage1_pool") == "true"
    assert_same_backbone(state, timm_backbone.arrays)
    report = capsys.readouterr().out
    assert "a Res2Net v1b with the names of MindCV" in report
    assert "dropped: 2 tensors: classifier.*, the classifier" in report
    assert "a start for training alone" in report


def test_mmdetection_and_this_suite_name_the_same_backbone(detector, timm_backbone, tmp_path):
    """A detector of this suite gives its backbone, with the pool that it stores."""
    state = {f"backbone.{name}": value for name, value in detector.backbone.state_dict().items()}
    torch.save({**state, "head.fc.weight": torch.ones(10, 4), "head.fc.bias": torch.ones(10)}, tmp_path / "a.pth")
    backbone = converted_here(tmp_path / "a.pth")
    assert stored(backbone, "res2net_stage1_pool") == "false"
    assert_same_backbone(backbone, timm_backbone.arrays)

    weights = {**timm_backbone.arrays, "neck.laterals.0.weight": np.ones(2, np.float32)}
    write_checkpoint_file(tmp_path / "plain.ckpt", weights)
    plain = converted_here(tmp_path / "plain.ckpt", "--res2net_stage1_pool=true")
    assert stored(plain, "res2net_stage1_pool") == "true"
    assert_same_backbone(plain, timm_backbone.arrays)


def test_a_converted_backbone_converts_to_itself(timm_backbone, tmp_path):
    from utils.training.checkpoints.checkpoint import save_checkpoint

    save_checkpoint(tmp_path / "again.ckpt", timm_backbone)
    again = converted_here(tmp_path / "again.ckpt")
    assert stored(again, "res2net_stage1_pool") == "true"
    assert_same_backbone(again, timm_backbone.arrays)


def test_safetensors_give_the_same(detector, timm_backbone, tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    state = in_timm_names(detector.backbone)
    numpy.save_file({name: value.numpy() for name, value in state.items()}, tmp_path / "a.safetensors")
    assert_same_backbone(converted_here(tmp_path / "a.safetensors"), timm_backbone.arrays)


def test_the_depth_is_the_files(tmp_path, capsys):
    """A file of 3, 4, 23 and 3 blocks is res2net_101, whatever the configuration says."""
    reference = conversion.reference_detector(layers=(3, 4, 23, 3))
    torch.save(in_timm_names(reference.backbone), tmp_path / "deep.pth")
    state = converted_here(tmp_path / "deep.pth", "--res2net_layers=null", "--backbone=res2net_50")
    assert stored(state, "backbone") == "res2net_101"
    assert "train.py --backbone=res2net_101 --coco_root=COCO --pre_trained=" in capsys.readouterr().out
    assert sum(name.endswith("expand.conv.weight") for name in state.arrays) == 33


def test_80_classes_are_those_of_coco(tmp_path):
    torch.save(conversion.reference_detector(num_classes=80).state_dict(), tmp_path / "a.pth")
    state = converted_here(tmp_path / "a.pth")
    assert tuple(state.class_names) == COCO_CLASSES
    assert state.category_ids[-1] == 90


def test_the_recipe_of_mmdetection_is_stored(detector, timm_backbone, tmp_path, capsys):
    """Thresholds of its test_cfg; what is typed counts before it, and so does a --config_path. A backbone has none."""
    from faster_rcnn.src.build import open_checkpoint

    torch.save(detector.state_dict(), tmp_path / "a.pth")
    network = [argument for argument in TINY if not argument.startswith("--img")]
    path = convert(load([f"--ckpt_file={tmp_path / 'a.pth'}", f"--run_dir={tmp_path}", *network, "--test_iou_thr=0.4"]))
    assert "recipe: sizes and thresholds of default_config_mmdet.yaml are stored" in capsys.readouterr().out
    config, _ = open_checkpoint(load([f"--checkpoint_path={path}"], "eval.py"), path)
    assert (config.img_height, config.img_width, config.keep_ratio) == (800, 1344, True)
    assert (config.canvas, config.canvas_sides, config.canvas_divisor) == ("picture", (1333, 800), 32)
    assert (config.test_score_thr, config.test_iou_thr, config.test_max_per_img) == (0.05, 0.4, 100)
    assert (config.rpn_nms_thr, config.rpn_nms_pre, config.rpn_max_num) == (0.7, 1000, 1000)
    assert config.img_norm_mean == (123.675, 116.28, 103.53)
    state = converted_here(tmp_path / "a.pth", "--config_path=default_config.yaml")
    assert [stored(state, key) for key in ("epoch_size", "lr_schedule")] == ["12", "long_cosine"]
    assert stored(timm_backbone, "lr_schedule") == "long_cosine"


PROGRAM = """
test_pipeline = [dict(type='Resize', scale=(9, 9))]
img_scale = (1000, 600)
model = dict(
    type='FasterRCNN',
    data_preprocessor=dict(type='DetDataPreprocessor', mean=[1.5, 2, 3], std=[4, 5, 6], bgr_to_rgb=True,
        pad_size_divisor=24),
    test_cfg=dict(
        rpn=dict(nms_pre=900, max_per_img=800, nms=dict(type='nms', iou_threshold=0.65), min_bbox_size=0),
        rcnn=dict(score_thr=0.01, nms=dict(type='nms', iou_threshold=0.45), max_per_img=50)))
test_dataloader = dict(dataset=dict(pipeline=[dict(type='Resize', scale=img_scale, keep_ratio=True)]))
"""


def test_the_files_own_configuration_counts_before_the_recipe(detector, tmp_path, capsys):
    """Sizes and thresholds of `meta.cfg`; a key that is typed counts before it. The levels need multiples of 32 too."""
    torch.save({"state_dict": detector.state_dict(), "meta": {"cfg": PROGRAM}}, tmp_path / "a.pth")
    state = converted_here(tmp_path / "a.pth", "--test_max_per_img=60")
    keys = ("test_score_thr", "test_iou_thr", "test_max_per_img", "rpn_nms_pre", "rpn_max_num", "rpn_nms_thr")
    assert [stored(state, key) for key in keys] == ["0.01", "0.45", "60", "900", "800", "0.65"]
    assert "recipe: the file's own configuration counts before it: test_score_thr 0.01" in capsys.readouterr().out
    assert yaml.safe_load(state.config_text)["img_norm_mean"] == [1.5, 2, 3]
    assert yaml.safe_load(state.config_text)["canvas_sides"] == [1000, 600]
    assert stored(state, "canvas_divisor") == "96"
    state = converted_here(tmp_path / "a.pth", "--config_path=default_config.yaml", "--overwrite=True")
    assert [stored(state, key) for key in keys[:2]] == ["0.05", "0.5"]


def test_what_the_suite_cannot_have_of_the_files_own_configuration_is_left_out(detector, tmp_path, capsys):
    """MMDetection's -1 sets no limit; a file that has it converts, and the report says it."""
    program = PROGRAM.replace("max_per_img=50", "max_per_img=-1").replace("nms_pre=900", "nms_pre=-1")
    program = program.replace("pad_size_divisor=24", "pad_size_divisor=1")
    torch.save({"state_dict": detector.state_dict(), "meta": {"cfg": program}}, tmp_path / "a.pth")
    state = converted_here(tmp_path / "a.pth")
    keys = ("test_score_thr", "test_max_per_img", "rpn_nms_pre", "rpn_max_num", "canvas_divisor")
    assert [stored(state, key) for key in keys] == ["0.01", "100", "1000", "800", "32"]
    assert "left out: what its configuration says and this detector cannot have, " in (out := capsys.readouterr().out)
    assert "test_max_per_img -1" in out and "rpn_nms_pre -1" in out


def test_the_command_that_is_printed_is_one_for_a_shell(timm_backbone, tmp_path, capsys):
    """Spaces in the name of the file and in the list of blocks would make several arguments of one."""
    state = {name: torch.tensor(values) for name, values in timm_backbone.arrays.items()}
    torch.save(state, tmp_path / "my weights.pth")
    converted_here(tmp_path / "my weights.pth")
    (words,) = re.findall(r": train\.py (.*)\)$", capsys.readouterr().out, re.MULTILINE)
    keys, data, file = shlex.split(words)
    assert (keys, data) == ("--res2net_layers=[1,2,1,1]", "--coco_root=COCO")
    assert file == f"--pre_trained={tmp_path / 'out' / 'my weights.ckpt'}"


def test_averaged_weights_by_the_key(detector, tmp_path, capsys):
    """MMCV's buffers have the values of the parameters plus 1, and none for the statistics."""
    state = detector.state_dict()
    names = dict(detector.named_parameters())
    both = {**state, **{f"ema_{name.replace('.', '_')}": state[name] + 1 for name in names}}
    torch.save({"state_dict": both, "meta": {"CLASSES": ("a", "b", "c")}}, tmp_path / "a.pth")
    plain = converted_here(tmp_path / "a.pth")
    assert "buffers ema_* are left out, which --ema=True takes" in capsys.readouterr().out
    averaged = converted_here(tmp_path / "a.pth", "--ema=True", "--overwrite=True")
    assert f"averages: {len(names)} weights are taken from the buffers ema_*" in capsys.readouterr().out
    assert tuple(averaged.class_names) == ("a", "b", "c")
    for name, values in plain.arrays.items():
        assert np.array_equal(averaged.arrays[name], values + (0 if "moving" in name else np.float32(1))), name


def refused(folder, state, *arguments, name="weights.pth"):
    """Converts in this process; returns the sentence, and sees to it that nothing was written."""
    path = folder / name
    torch.save(state, path) if path.suffix == ".pth" else write_checkpoint_file(path, state)
    with pytest.raises(UserError) as caught:
        convert(load([f"--ckpt_file={path}", f"--run_dir={folder}", *TINY, *arguments]))
    assert [item.name for item in folder.iterdir()] == [name]
    return str(caught.value)


def test_what_does_not_fit_is_named_and_counted(detector, tmp_path):
    """One tensor gone, one too many, one of another shape: one sentence with all three."""
    state = dict(detector.state_dict())
    del state["neck.lateral_convs.1.conv.weight"]
    state["roi_head.mask_head.conv.weight"] = torch.zeros(2)
    state["rpn_head.rpn_reg.bias"] = torch.zeros(24)
    sentence = refused(tmp_path, state)
    assert "1 tensors missing (neck.lateral_convs.1.conv.weight)" in sentence
    assert "1 tensors left over (roi_head.mask_head.conv.weight)" in sentence
    assert "rpn_head.rpn_reg.bias (24,) instead of (12,)" in sentence
    assert "anchor_ratios" in sentence


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({"conv1.0.weight": None, "conv1.weight": (16, 3, 7, 7)}, "one 7x7 convolution"),
        ({"conv1.0.weight": None}, "none has the name of a Res2Net's first convolution"),
        ({"layer1.0.convs.3.weight": (4, 4, 3, 3)}, "5 splits of 4 channels in its first block (4w x 5s)"),
        ({f"layer1.0.convs.{index}.weight": (14, 14, 3, 3) for index in range(3)}, "set res2net_base_width"),
        ({f"layer1.0.convs.{index}.weight": (4, 2, 3, 3) for index in range(3)}, "4 channels in 2 groups"),
        ({f"layer1.0.convs.{index}.weight": None for index in range(3)}, "so it is no Res2Net, perhaps a ResNet-D"),
        ({"layer1.0.downsample.0.weight": (64, 16, 1, 1)}, "shortcuts without an average pool"),
        ({"layer1.1.conv1.weight": (4, 64, 1, 1)}, "[2, 2, 1, 1] blocks in its stages, which is none of res2net_50"),
        ({"layer1.0.convs.0.weight": ()}, "4 splits of 0 channels"),
        ({"layer1.0.se.fc1.weight": (4,)}, "1 tensors left over (layer1.0.se.fc1.weight)"),
    ],
)
def test_another_network_is_refused(detector, tmp_path, changes, phrase):
    state = in_timm_names(detector.backbone) | {
        name: None if shape is None else torch.zeros(shape) for name, shape in changes.items()
    }
    assert phrase in refused(tmp_path, {name: value for name, value in state.items() if value is not None})


@pytest.mark.parametrize(
    ("changes", "arguments", "phrase"),
    [
        ({}, ("--num_classes=80",), "num_classes is 80"),
        ({}, ("--res2net_stage1_pool=true",), "is of a network with false"),
        ({"roi_head.bbox_head.fc_reg.bias": (4,)}, (), "boxes that all classes share are not built"),
        ({"roi_head.bbox_head.fc_cls.bias": None}, (), "no whole Faster R-CNN"),
        ({"backbone.stem.0.weight": None, "backbone.conv1.weight": (16, 3, 7, 7)}, (), "one 7x7 convolution"),
    ],
)
def test_another_detector_is_refused(detector, tmp_path, changes, arguments, phrase):
    state = dict(detector.state_dict()) | {
        name: None if shape is None else torch.zeros(shape) for name, shape in changes.items()
    }
    state = {name: value for name, value in state.items() if value is not None}
    assert phrase in refused(tmp_path, state, *arguments)


class _Runs:
    def __reduce__(self):
        return (print, ("code of the file ran",))


def test_code_in_a_pickle_is_not_run(tmp_path, capsys):
    assert "1 entries that are no tensors, first 'a' (__builtin__.print)" in refused(tmp_path, {"a": _Runs()})
    assert "code of the file ran" not in capsys.readouterr().out


def test_a_damaged_and_a_foreign_mindspore_file_are_refused(tmp_path):
    sentence = refused(tmp_path, {"fc.weight": np.ones(2, np.float32)}, name="a.ckpt")
    assert "none has the name of a Res2Net's first convolution" in sentence
    sentence = refused(tmp_path, {"fc.weight": np.float32([np.nan])}, name="a.ckpt")
    assert "not finite" in sentence and ": 1 of 1 value, in 1 of 1 parameter (fc.weight, 1 of 1)" in sentence
    (tmp_path / "a.ckpt").write_bytes((tmp_path / "a.ckpt").read_bytes()[:10])
    with pytest.raises(UserError, match="cut short"):
        convert(load([f"--ckpt_file={tmp_path / 'a.ckpt'}", f"--run_dir={tmp_path}", *TINY]))


def test_an_existing_output_stays(detector, tmp_path):
    """The refusals that go through the command: code 2, one sentence, the file untouched."""
    torch.save(detector.state_dict(), tmp_path / "weights.pth")
    (tmp_path / "out.ckpt").write_text("mine")
    finished = conversion.run_command(
        f"--ckpt_file={tmp_path / 'weights.pth'}", f"--output={tmp_path / 'out.ckpt'}", *TINY
    )
    assert finished.returncode == 2
    assert "Traceback" not in finished.stderr
    assert "--overwrite=True" in finished.stderr
    assert (tmp_path / "out.ckpt").read_text() == "mine"


def test_the_file_that_is_read_is_never_written(detector, tmp_path):
    """As the default output, beside it, gets another name; asked for, it is refused."""
    source = tmp_path / "net.ckpt"
    write_checkpoint_file(source, in_mindspore_names(detector.backbone))
    before = source.read_bytes()
    arguments = (f"--ckpt_file={source}", f"--run_dir={tmp_path}", "--overwrite=True", *TINY)
    assert convert(load(arguments)) == tmp_path / "net_converted.ckpt"
    with pytest.raises(UserError, match="is the file that is read"):
        convert(load([*arguments, f"--output={source}"]))
    assert source.read_bytes() == before
