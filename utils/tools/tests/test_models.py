"""`models`: lists and shows the table at once, says the terms before it downloads, and converts what was checked."""

import hashlib
import shlex
import sys
from pathlib import Path

import pytest

from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.models import conversion, fetching
from utils.models.conversion import ROOT, next_command
from utils.models.table import read_table
from utils.models.tests.file_server import file_server
from utils.tests.processes import finish
from utils.tools.models import main

DETECTOR, FOLDER = b"weights of a detector", b"weights of a segmenter"
CONFIG, PROCESSOR = b'{"model_type": "segformer"}', b"{}"
TABLE = """
licences:
  own: {{label: "their own", restricted: true, terms: "Terms that are narrower than those of an open licence."}}
models:
  detector:
    suite: nas_fpn
    title: A detector
    holds: network
    address: {address}
    files: [{{name: net.pth, sha256: "{digits}"}}]
    licence: own
    config: default_config.yaml
    metric: {{publisher: somebody, name: AP, dataset: COCO, value: 40.5}}
    source: {{repository: github.com/a/b, file: index.yml, commit: {commit}}}
  segmenter:
    suite: segformer
    title: A segmenter
    holds: network
    address: {address}
    files:
      - {{name: pytorch_model.bin, size: 22}}
      - {{name: config.json, size: 27}}
      - {{name: preprocessor_config.json, size: "2 Bytes"}}
    licence: own
    config: config/segformer.base.yaml
    metric: {{publisher: somebody, note: none was found}}
    source: {{repository: huggingface.co/a/b, file: list of files, commit: {commit}}}
"""


@pytest.fixture
def server():
    files = {"net__pth": DETECTOR, "pytorch_model__bin": FOLDER, "config__json": CONFIG}
    with file_server(**files, preprocessor_config__json=PROCESSOR) as server:
        yield server


@pytest.fixture
def table(server, tmp_path):
    path = tmp_path / "table.yaml"
    digits = hashlib.sha256(DETECTOR).hexdigest()[:8]
    path.write_text(TABLE.format(address=server.address, digits=digits, commit="0" * 40))
    return path


@pytest.fixture
def converted(monkeypatch):
    """What the converter would have read, name and content of each file; the checkpoint is made."""
    seen = []

    def convert(model, source, output, overwrite):
        files = sorted(source.iterdir()) if source.is_dir() else [source]
        seen.append({path.name: path.read_bytes() for path in files if not path.name.startswith(".")})
        output.write_bytes(b"made")

    monkeypatch.setattr(fetching, "convert", convert)
    return seen


def test_a_list_needs_no_mindspore_and_no_network():
    heavy = {"mindspore", "numpy", "torch", "rich", "urllib.request", "http.client", "pydantic"}
    code = f"import sys; from utils.tools.models import main; main(['list']); print({heavy} & set(sys.modules))"
    finished = finish(sys.executable, "-c", code, cwd=ROOT)
    assert finished.returncode == 0, finished.stderr
    lines = finished.stdout.splitlines()
    assert lines[-1] == "set()"
    assert len([line for line in lines if line.startswith("  ")]) == 1 + len(read_table())
    assert max(map(len, lines)) <= 140


def test_the_command_answers_help_and_mistakes():
    finished = finish(sys.executable, "-m", "utils.tools.models", "get", "--help", cwd=ROOT)
    assert finished.returncode == 0
    assert "--folder" in finished.stdout
    finished = finish(sys.executable, "-m", "utils.tools.models", "get", "resnet-50", cwd=ROOT)
    assert finished.returncode == 2
    assert finished.stderr.startswith(
        "models: error: no published weights 'resnet-50' in the table: did you mean resnet50"
    )
    assert len(finished.stderr.splitlines()) == 1


def test_a_list_can_be_of_some(capsys):
    main(["list", "Cityscapes"])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  segformer")]
    assert [row.split()[0] for row in rows] == [f"segformer_b{size}_cityscapes_mmsegmentation" for size in range(6)]
    with pytest.raises(BadValueError, match="no published weights have 'yolo'"):
        main(["list", "yolo"])


def test_show_says_whose_figure_it_is_where_it_was_read_and_the_terms(capsys):
    main(["show", "segformer_b0_ade_mmsegmentation"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "mIoU 37.41 on ADE20K (of MMSegmentation, not measured here)" in shown
    assert "configs/segformer/metafile.yaml, commit ce0e7d37da874f069dee8b1ffb258f665d680f6a" in shown
    assert "nobody has downloaded the files yet" in shown
    assert "READ THIS FIRST" in shown and "does not allow commercial use" in shown


def test_terms_are_said_before_anything_is_asked_of_the_server(server, table, tmp_path, monkeypatch, capsys):
    said = []
    monkeypatch.setattr(fetching, "download", lambda *_: said.append(capsys.readouterr().out) or sys.exit())
    with pytest.raises(SystemExit):
        main(["get", "detector", f"--folder={tmp_path / 'w'}"], table)
    assert "licence: their own - READ THIS FIRST\n  Terms that are narrower" in said[0]
    assert server.asked == []


def test_get_downloads_checks_converts_and_names_the_next_command(
    server, table, tmp_path, converted, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    main(["get", "detector"], table)
    lines = capsys.readouterr().out.splitlines()
    digits = hashlib.sha256(DETECTOR).hexdigest()[:8]
    assert f"downloading: {server.address}net.pth" in lines
    assert f"checked: SHA-256 {digits}..., as github.com/a/b says" in lines
    script = ROOT / "nas_fpn/infer.py"
    assert lines[-1] == f"next: python {script} --checkpoint_path=weights/detector.ckpt --image_path=PICTURES"
    assert converted == [{"net.pth": DETECTOR}]
    assert Path("weights/detector.ckpt").read_bytes() == b"made"


def test_get_of_a_folder_has_all_its_files(server, table, tmp_path, converted):
    main(["get", "segmenter", f"--folder={tmp_path / 'w'}"], table)
    names = ("config.json", "preprocessor_config.json", "pytorch_model.bin")
    assert converted == [dict(zip(names, (CONFIG, PROCESSOR, FOLDER), strict=True))]
    assert [path for path, _ in server.asked] == ["/pytorch_model.bin", "/config.json", "/preprocessor_config.json"]


def test_what_is_there_is_not_downloaded_again_and_a_checkpoint_is_kept(server, table, tmp_path, converted, capsys):
    arguments = ["get", "segmenter", f"--folder={tmp_path / 'w'}"]
    main(arguments, table)
    with pytest.raises(BadStateError, match=r"segmenter.ckpt' is there already: .*--overwrite.*infer.py"):
        main(arguments, table)
    main([*arguments, "--overwrite"], table)
    assert len(server.asked) == 3
    assert capsys.readouterr().out.count("there already: ") == 3
    (tmp_path / "w/segmenter/config.json").write_bytes(b"mine")
    with pytest.raises(
        BadValueError, match=r"config.json' has 4 bytes, wanted 27 bytes: it is another file; remove it"
    ):
        main([*arguments, "--overwrite"], table)


def test_a_file_that_is_there_already_is_checked_and_left_where_it_is(server, table, tmp_path, converted):
    (tmp_path / "mine.bin").write_bytes(DETECTOR)
    main(["get", "detector", f"--file={tmp_path / 'mine.bin'}", f"--folder={tmp_path / 'w'}"], table)
    assert converted == [{"mine.bin": DETECTOR}]
    assert server.asked == []
    assert [path.name for path in (tmp_path / "w").iterdir()] == ["detector.ckpt"]
    (tmp_path / "mine.bin").write_bytes(DETECTOR[:-1])
    with pytest.raises(BadValueError, match="mine.bin' has the SHA-256 .* cut short or another file than 'net.pth'"):
        main(["get", "detector", f"--file={tmp_path / 'mine.bin'}", f"--folder={tmp_path / 'v'}"], table)
    with pytest.raises(MissingPathError, match="--file '.*none' does not exist"):
        main(["get", "detector", f"--file={tmp_path / 'none'}", f"--folder={tmp_path / 'v'}"], table)
    with pytest.raises(MissingPathError, match="--file '.*mine.bin' is not all of it: '.*' lacks 'pytorch_model.bin'"):
        main(["get", "segmenter", f"--file={tmp_path / 'mine.bin'}", f"--folder={tmp_path / 'v'}"], table)
    assert not (tmp_path / "v").exists()


@pytest.mark.parametrize("given", ["", "pytorch_model.bin"])
def test_of_a_folder_that_is_there_the_converter_sees_what_was_checked(table, tmp_path, converted, given):
    folder = tmp_path / "snapshot"
    folder.mkdir()
    contents = {"pytorch_model.bin": FOLDER, "config.json": CONFIG, "preprocessor_config.json": PROCESSOR}
    for name, content in {**contents, "model.safetensors": b"other weights, which were not checked"}.items():
        (folder / name).write_bytes(content)
    arguments = ["get", "segmenter", f"--file={folder / given}", f"--folder={tmp_path / 'w'}"]
    main(arguments, table)
    assert converted == [contents]
    (folder / "config.json").unlink()
    with pytest.raises(MissingPathError, match="snapshot' lacks 'config.json': put it there, from http://127"):
        main([*arguments, "--overwrite"], table)


def test_what_the_converter_refuses_is_its_own_sentence(table, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(conversion, "converter_command", lambda *_: ["-c", "import sys; sys.exit('no such network')"])
    with pytest.raises(BadStateError, match=r"net.pth' was not converted: the converter's own message is above"):
        main(["get", "detector", f"--folder={tmp_path / 'w'}"], table)
    assert capfd.readouterr().err == "no such network\n"
    assert sorted(path.name for path in (tmp_path / "w").rglob("*")) == [".get.lock", "detector", "net.pth"]


def test_a_second_get_of_the_same_does_not_disturb_the_first(table, tmp_path, monkeypatch):
    arguments = ["get", "detector", f"--folder={tmp_path / 'w'}"]

    def get_again(*_):
        with pytest.raises(BadStateError, match=r"process \d+ on .*, which gets detector"):
            main(arguments, table)
        sys.exit()

    monkeypatch.setattr(fetching, "download", get_again)
    with pytest.raises(SystemExit):
        main(arguments, table)


def test_a_folder_that_cannot_be_made_is_said_before_the_download(server, table, tmp_path):
    (tmp_path / "w").write_text("a file")
    with pytest.raises(MissingPathError, match="is a file; choose another --folder"):
        main(["get", "detector", f"--folder={tmp_path / 'w'}"], table)
    assert server.asked == []


@pytest.mark.parametrize(
    "name", ["faster_rcnn_r2_101", "res2net50d_timm", "segformer_b0_ade_transformers", "mit_b0_mmsegmentation"]
)
def test_the_next_command_has_flags_that_its_help_knows(name, tmp_path):
    _, script, *flags = shlex.split(next_command(read_table()[name], tmp_path / "net.ckpt"))
    known = finish(sys.executable, script, "--help").stdout
    for flag in flags:
        key, _, value = flag.partition("=")
        assert f"{key}=" in known
        assert value.startswith(("PICTURES", "DATA")) or value == str(tmp_path / "net.ckpt") or Path(value).is_file()
