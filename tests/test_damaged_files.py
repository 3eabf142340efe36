"""Whatever is in a file that a user gives, its reader returns or says one sentence, within a second.

Each reader gets a budget of damaged copies of a good file, drawn from a fixed seed: 200, and 2,000 with --all.
"""

import io
import json
import re
import sys
import tarfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from mindspore.train.checkpoint_pb2 import Checkpoint as CheckpointMessage
from PIL import Image

from nas_fpn.src.config import load
from segformer.src.labels.codings import coding_of
from segformer.src.labels.files import ImagePair, check_size, read_classes
from segformer.src.labels.forms import palette_texts
from segformer.src.labels.patterns import Layout
from utils.detection.data.coco_file import load_coco, read_ground_truth
from utils.detection.data.mindrecord_info import read_mindrecord_info
from utils.detection.data.txt_file import load_txt
from utils.detection.tests.mindrecord_sets import PREFIX
from utils.detection.tests.mindrecord_sets import write as write_mindrecord
from utils.exporting.description import (
    ModelDescription,
    Preprocessing,
    TensorDescription,
    read_description,
    write_description,
)
from utils.exporting.result_files import read_result_files
from utils.hccl_tools.tables.table_file import load_table
from utils.images import decode_image, decode_ordinary, read_header, write_image
from utils.model_utils.config.yaml_files import read_yaml_layers
from utils.model_utils.errors import UserError
from utils.model_utils.host_lock import describe_owner
from utils.model_utils.storage.unpacking import unpack
from utils.tools.compare.page import compare_page
from utils.tools.compare.reading import read_runs
from utils.training.checkpoints.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from utils.training.record.metrics_log import MetricsLog, read_metrics

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mutations import mutations

PICTURE_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM", "JPEG2000")
BUDGET, LARGE_BUDGET = 200, 2_000
MOST_LETTERS = 800  # of a sentence, with paths of temporary folders in it; a value takes 60
MOST_SECONDS = 5.0  # of one file, on a busy machine; all take milliseconds


@dataclass(frozen=True)
class Reader:
    """A reader of files.

    Attributes:
        name: of the file, which has the suffix that the reader wants.
        make: returns a good file's content; may put other files into the folder, which stay.
        read: reads the file.
    """

    name: str
    make: object
    read: object


def palette_table(folder):
    return b"# name:colour\nroad lane:128,64,128::\n0 0 255\tcar\nignore 0 0 0\n"


def split_list(folder):
    for place in ("images/a.png", "images/b.png", "masks/a.png", "masks/b.png"):
        write_image(folder / "set" / place, np.zeros((4, 6, 3), np.uint8))
    return b"a\n/data/images/b.jpg /data/masks/b.png\n"


def read_split_list(path):
    (path.parent / "set" / "train.txt").write_bytes(path.read_bytes())
    Layout("images/*.png", "masks/*.png", "{split}.txt").pairs(path.parent / "set", "train")


def label_picture(file_format):
    def make(folder):
        buffer = io.BytesIO()
        image = Image.fromarray(np.random.default_rng(0).integers(0, 3, (24, 32), np.uint8), "P")
        image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
        image.save(buffer, file_format)
        return buffer.getvalue()

    return make


def read_coded(path):
    for keys in (
        {"label_map": ("0: ignore", "1: 0"), "palette": None},
        {"label_map": None, "palette": ("0 0 0", "255 0 0")},
    ):
        coding = coding_of(**keys, num_classes=2, names=("a", "b"), ignore_label=255, ignores_unknown=True, fix="")
        check_size(ImagePair(path, path, coding=coding))
        read_classes(path, coding)


def yaml_text(folder):
    return b"__BASE__: base.yaml\nlr: 0.05\nseed: 0xC\nimg_norm_mean: &three [120, 110.5, 100]\nimg_norm_std: *three\n"


def read_yaml(path):
    path.with_name("base.yaml").write_text("lr: 1\n")
    read_yaml_layers(path)
    load([f"--config_path={path}"])


def coco_text(folder):
    write_image(folder / "images" / "a.png", np.zeros((40, 60, 3), np.uint8))
    image = {"id": 1, "file_name": "a.png", "height": 40, "width": 60}
    box = {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1.5, 2, 30, 20], "area": 600, "iscrowd": 0}
    return json.dumps(
        {"images": [image], "annotations": [box, {**box, "id": 2}], "categories": [{"id": 3, "name": "cat"}]}
    ).encode()


def read_coco(path):
    read_ground_truth(path)
    load_coco(path, path.parent / "images")


def mindrecord_header(folder):
    """The JSON at the beginning of a shard, which the pages of the records follow."""
    source = folder / "annotations.json"
    source.write_bytes(coco_text(folder))
    info = write_mindrecord(load_coco(source, folder / "images"), folder / "set", shards=1)
    (folder / "whole").write_bytes(info.files[0].read_bytes())
    with info.files[0].open("rb") as file:
        return file.read(int.from_bytes(file.read(8), "little"))


def read_mindrecord(path):
    whole, header = (path.parent / "whole").read_bytes(), path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    (shard,) = (file for file in (path.parent / "set").iterdir() if file.suffix != ".db" and file.name[0] != ".")
    shard.write_bytes(len(header).to_bytes(8, "little") + header + whole[start:])
    read_mindrecord_info(path.parent / "set", PREFIX)


def txt_lines(folder):
    write_image(folder / "a.png", np.zeros((40, 60, 3), np.uint8))
    return b"a.png 1,2,30,20,1,0 5,6,50,30,2,1\n"


def rank_table(folder):
    devices = [{"device_id": str(i), "device_ip": f"192.168.100.{i + 1}", "rank_id": str(i)} for i in range(2)]
    servers = [{"server_id": "10.0.0.1", "device": devices}]
    return json.dumps({"version": "1.0", "server_count": "1", "server_list": servers, "status": "completed"}).encode()


def metrics_rows(folder):
    step = {"kind": "step", "epoch": 1, "global_step": 1, "step": 1, "steps_per_epoch": 2, "losses": {"loss": 1.5}}
    step |= {"learning_rate": 0.1, "is_finite": True, "step_ms": 3.5, "data_ms": 1.0}
    evaluation = {"kind": "evaluation", "epoch": 1, "global_step": 2, "metrics": {"mAP": 0.5}}
    return "".join(json.dumps(row) + "\n" for row in (step, {**step, "step": 2, "global_step": 2}, evaluation)).encode()


def result_of_evaluation(folder):
    classes = {"cat": 0.5, "dog": -1.0, "road": {"IoU": 0.5, "accuracy": None}}
    return json.dumps({"mAP": 0.5, "F1_threshold": None, "num_images": 3, "per_class": classes}).encode()


def read_run(path):
    (path.parent / "result.json").write_bytes(path.read_bytes())
    compare_page(read_runs([path.parent]))


def read_rows(path):
    read_metrics(path)
    MetricsLog(path).cut(1, keep_evaluation=True)


def checkpoint(folder):
    state = TrainingState({"conv.weight": np.arange(6, dtype=np.float32).reshape(2, 3)}, suite="nas_fpn", epoch=2)
    state.best = {"epoch": 1, "global_step": 4, "metrics": {"mAP": 0.5}}
    save_checkpoint(folder / "good", state)
    return (folder / "good").read_bytes()


def checkpoint_without_checksum(folder):
    message = CheckpointMessage()
    for name, kind, dims, content in (
        ("conv.weight", "Float32", (2, 3), np.arange(6, dtype=np.float32)),
        ("moments.conv.weight", "Float16", (2,), np.zeros(2, np.float16)),
        ("global_step", "Int32", (1,), np.int32([7])),
    ):
        value = message.value.add()
        value.tag, value.tensor.tensor_type = name, kind
        value.tensor.dims.extend(dims)
        value.tensor.tensor_content = content.tobytes()
    return message.SerializeToString()


def training_state(folder):
    return json.dumps(
        {
            "format_version": 1,
            "suite": "nas_fpn",
            "epoch": 2,
            "step_in_epoch": 1,
            "global_step": 5,
            "steps_per_epoch": 4,
            "num_workers": 1,
            "seed": 1,
            "best": {"epoch": 1, "global_step": 4, "metrics": {"mAP": 0.5}},
            "loss_scale": 1.0,
            "class_names": ["a"],
            "category_ids": [1],
            "min_scores": {"overall": 0.25, "by_class": [0.5]},
        }
    ).encode()


def read_state(path):
    from utils.training.checkpoints.checkpoint_file import STATE_NAME, write_checkpoint_file

    text = np.frombuffer(path.read_bytes() or b" ", np.uint8)
    write_checkpoint_file(path, {STATE_NAME: text, "w": np.zeros(1, np.float32)})
    found = load_checkpoint(path)
    assert found.epochs_done >= -1
    assert found.min_scores is None or all(0 <= score <= 1 for score in found.min_scores["by_class"])
    assert found.best is None or isinstance(found.best["metrics"], dict)


def description(folder):
    rules = Preprocessing("RGB", "keep_ratio", 32, 64, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), "bottom_right")
    images = TensorDescription("images", "float32", (None, 3, 32, 64))
    boxes = TensorDescription("boxes", "float32", (None, 10, 4))
    model = ModelDescription("toy", "good.mindir", "MINDIR", (images,), (boxes,), rules, ("a",), (1,), {"score": 0.5})
    return write_description(folder, model).read_bytes()


def read_descriptions(path):
    read_description(path.with_suffix(".mindir"))


def result_index(folder):
    (folder / "file").mkdir()
    np.zeros(2, np.float32).tofile(folder / "file" / "a_0.bin")
    return json.dumps(
        {
            "model": "net.mindir",
            "outputs": [{"name": "boxes", "dtype": "float32", "shape": [2]}],
            "images": [{"file": "a.jpg", "stem": "a", "height": 4, "width": 6, "scale_y": 0.5, "scale_x": 0.5}],
            "skipped": [{"file": "b.jpg", "reason": "is truncated"}],
        }
    ).encode()


def read_results(path):
    results = read_result_files(path.with_suffix(""))
    for image in results.images:
        results.arrays(image)


def picture(file_format):
    def make(folder):
        buffer = io.BytesIO()
        image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8))
        image.save(buffer, file_format)
        return buffer.getvalue()

    return make


def read_picture(path):
    read_header(path.read_bytes(), "x")
    decode_image(path.read_bytes(), "x")


def read_row(path):
    decode_ordinary(path.read_bytes(), "x")


def tar_archive(folder):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as file:
        for name in ("a/ü.txt", "b/" + "c" * 120 + ".txt"):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = 5, 1.5
            file.addfile(info, io.BytesIO(b"hello"))
    return buffer.getvalue()


def zip_archive(folder):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/b.txt", b"hello" * 20)
        file.writestr("c.txt", b"")
    return buffer.getvalue()


def read_archive(path):
    unpack(path, path.parent / "unpacked")


READERS = {
    "YAML": Reader("file.yaml", yaml_text, read_yaml),
    "COCO": Reader("file.json", coco_text, read_coco),
    "MindRecord": Reader("header", mindrecord_header, read_mindrecord),
    "TXT": Reader("file.txt", txt_lines, lambda path: load_txt(path, path.parent, ["a", "b"])),
    "palette": Reader("file.txt", palette_table, lambda path: palette_texts(str(path), "")),
    "split list": Reader("file.txt", split_list, read_split_list),
    **{f"label {name}": Reader("file", label_picture(name), read_coded) for name in ("PNG", "GIF", "TIFF", "BMP")},
    "rank table": Reader("file.json", rank_table, load_table),
    "metrics": Reader("file.jsonl", metrics_rows, read_rows),
    "checkpoint": Reader("file.ckpt", checkpoint, load_checkpoint),
    "checkpoint without checksum": Reader("file.ckpt", checkpoint_without_checksum, load_checkpoint),
    "training state": Reader("file.ckpt", training_state, read_state),
    "description": Reader("good.json", description, read_descriptions),
    "results": Reader("file.json", result_index, read_results),
    "result": Reader("run.json", result_of_evaluation, read_run),
    "lock": Reader("lock", lambda folder: b'{"host": "a", "pid": 1, "doing": "copies"}', describe_owner),
    **{name: Reader("file", picture(name), read_picture) for name in PICTURE_FORMATS},
    "row JPEG": Reader("file", picture("JPEG"), read_row),
    "row PNG": Reader("file", picture("PNG"), read_row),
    "tar": Reader("file.tar", tar_archive, read_archive),
    "zip": Reader("file.zip", zip_archive, read_archive),
}


def with_other_texts(good, _budget):
    """Copies of a JSON file in which one text, a key or a value, is longer than any name, or one that no file takes."""
    for text in re.finditer(rb'"[^"]*"', good):
        for other in (b'"' + b"k" * 5000 + b'"', rb'"\ud800"', b'"1_0"'):
            yield good[: text.start()] + other + good[text.end() :]


def check(reader, folder, budget, damaged=mutations):
    good = reader.make(folder)
    path = folder / reader.name
    path.write_bytes(good)
    reader.read(path)
    refused = 0
    for number, content in enumerate(damaged(good, budget)):
        path.write_bytes(content)
        started = time.process_time()
        try:
            reader.read(path)
        except UserError as error:
            refused += 1
            assert "\n  File " not in str(error)
            assert len(str(error)) < MOST_LETTERS, f"case {number}"
        except Exception as error:
            raise AssertionError(f"case {number}: {type(error).__name__}: {error}") from error
        assert time.process_time() - started < MOST_SECONDS, f"case {number}"
    return refused


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused_in_a_sentence(tmp_path, name):
    refused = check(READERS[name], tmp_path, BUDGET)
    assert refused >= BUDGET // 10 or name in ("metrics", "lock", "BMP", "label BMP", "row PNG", "row JPEG")


@pytest.mark.parametrize(
    "name",
    ["COCO", "MindRecord", "rank table", "metrics", "training state", "description", "results", "result", "lock"],
)
def test_texts_of_any_length_are_read_or_refused_in_a_short_sentence(tmp_path, name):
    check(READERS[name], tmp_path, 0, with_other_texts)


@pytest.mark.long_run
@pytest.mark.parametrize("name", READERS)
def test_two_thousand_damaged_files_are_read_or_refused_in_a_sentence(tmp_path, name):
    check(READERS[name], tmp_path, LARGE_BUDGET)
