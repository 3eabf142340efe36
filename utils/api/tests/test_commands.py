"""What is found of a run in its folder."""

import os

from utils.api.commands import _checkpoints, _last, _read_json


def write(path, seconds):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    os.utime(path, (seconds, seconds))
    return path


def test_checkpoints_are_told_from_the_best_and_come_oldest_first(tmp_path):
    later = write(tmp_path / "net-10_4.ckpt", 200)
    earlier = write(tmp_path / "net-9_4.ckpt", 100)
    best = write(tmp_path / "net_best.ckpt", 150)
    assert _checkpoints(tmp_path) == (best, (earlier, later))
    assert _checkpoints(tmp_path / "nowhere") == (None, ())


def test_where_workers_have_folders_other_files_are_not_the_runs(tmp_path):
    write(tmp_path / "downloaded.ckpt", 300)
    own = write(tmp_path / "ckpt_0" / "faster_rcnn-1_4.ckpt", 100)
    write(tmp_path / "weights" / "other_best.ckpt", 300)
    assert _checkpoints(tmp_path) == (None, (own,))


def test_the_last_row_of_a_kind_counts(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"kind": "step", "a": 1}\n{"kind": "step", "a": 2}\n{"kind": "x"}\n')
    rows = _read_json(tmp_path / "metrics.jsonl", by_line=True)
    assert _last(rows, "step") == {"kind": "step", "a": 2}
    assert _last(rows, "evaluation") == {}
    assert _read_json(tmp_path / "nothing.jsonl") == []
