"""The command compare: what it reads of runs, shows, writes and refuses."""

import json

import pytest

from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.reports.tests.browser import visit
from utils.tools.compare.__main__ import main
from utils.tools.compare.reading import read_runs

SCRIPT = """
const cells = (row) => Array.from(row.cells, (cell) => cell.textContent);
return {
  numbers: Array.from(document.querySelectorAll("#numbers tbody tr"), cells),
  keys: Array.from(document.querySelectorAll("#keys tbody tr"), cells),
  charts: Array.from(document.querySelectorAll("#metrics h3, #losses h3"), (each) => each.textContent),
  lines: document.querySelectorAll("#metrics path").length,
};
"""


def training(folder, values, lr, **more):
    """Writes a run whose evaluations, one an epoch, find these values of mAP."""
    folder.mkdir(parents=True)
    rows = []
    for epoch, value in enumerate(values, start=1):
        place = {"epoch": epoch, "global_step": 4 * epoch}
        losses = {"total": 1.0 / epoch, "box": 0.5 / epoch}
        rows.append({"kind": "epoch", **place, "losses": losses, "seconds": 2.5, "images_per_second": 8.0})
        rows.append({"kind": "evaluation", **place, "metrics": {"mAP": value, "AP50": value and 1.5 * value}})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    keys = {"lr": lr, "batch_size": 4, "run_dir": f"/{folder.name}", **more}
    (folder / "config.yaml").write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in keys.items()))
    return folder


def evaluation(folder, **numbers):
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps({"mode": "whole", **numbers}))
    return folder


@pytest.fixture()
def runs(tmp_path):
    one = training(tmp_path / "a" / "run", [0.1, 0.4, 0.3], 0.1)
    other = training(tmp_path / "b" / "run", [0.2, None, 0.5], 0.05, flip=True)
    return one, other


def test_numbers_keys_and_curves_of_two_trainings(runs, tmp_path, capsys):
    out = tmp_path / "page.html"
    main([*map(str, runs), "--out", str(out)])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["a/run", "b/run"], "as much of the paths as tells them apart"
    assert ["best", "mAP", "0.4000", "0.5000"] in lines
    assert ["lr", "0.1", "0.05"] in lines
    assert ["not", "shown:", "1", "key", "that", "only", "some", "of", "the", "runs", "have"] in lines
    assert not any(line[:1] in (["batch_size"], ["run_dir"]) for line in lines)
    seen = visit(out, tmp_path, SCRIPT)
    assert (seen.console, seen.fetched) == ([], [])
    told = seen.told
    numbers = {name: values for name, *values in told["numbers"]}
    assert numbers["epochs"] == ["3", "3"]
    assert numbers["loss total (last epoch)"] == ["0.3333", "0.3333"]
    assert numbers["seconds of training"] == ["7.5000", "7.5000"]
    assert numbers["epoch of the best evaluation"] == ["2", "3"]
    assert numbers["best AP50"] == ["0.6000", "0.7500"]
    assert told["keys"] == [["lr", "0.1", "0.05"]]
    assert told["charts"] == ["mAP", "AP50", "total", "box"]
    assert told["lines"] == 4


def test_evaluations_are_compared_by_class(runs, tmp_path, capsys):
    one = evaluation(tmp_path / "c", mAP=0.5, num_images=3, F1_threshold=None, per_class={"cat": 0.25, "dog": -1.0})
    other = evaluation(tmp_path / "d", mIoU=0.75, per_class={"cat": {"IoU": 0.5, "accuracy": 0.9}})
    main([*map(str, (one, other, runs[0])), "--out", str(tmp_path / "page.html")])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["mAP", "0.5000", "–", "–"] in lines
    assert ["num_images", "3", "–", "–"] in lines
    assert ["cat", "0.2500", "0.5000", "–"] in lines
    assert ["dog", "–", "–", "–"] in lines


def test_trainings_are_compared_by_the_classes_of_their_best_evaluations(runs, tmp_path, capsys):
    """Of equal ones the last is the best, as for the checkpoint that a run keeps."""
    for run, values in zip(runs, ([0.25, 0.75, 0.5], [0.125, 0.0, None]), strict=True):
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        evaluations = [row for row in rows if row["kind"] == "evaluation"]
        for row, value in zip(evaluations, values, strict=True):
            row["metrics"]["mAP"] = 0.5 if value in (0.5, 0.75, None) else 0.25
            row["per_class"] = {"AP": {"cat": value}, "AP50": {"cat": 1.0}}
        (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    main([*map(str, runs), "--out", str(tmp_path / "page.html")])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["cat", "0.5000", "–"] in lines
    assert ["epoch", "of", "the", "best", "evaluation", "3", "3"] in lines


def test_what_cannot_be_compared_is_a_sentence(runs, tmp_path):
    out = ["--out", str(tmp_path / "page.html")]
    with pytest.raises(BadValueError, match="compare got 1 run, wanted two or more"):
        main([str(runs[0]), *out])
    with pytest.raises(MissingPathError, match=r"there is no folder '.*nowhere'"):
        main([str(runs[0]), str(tmp_path / "nowhere"), *out])
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingPathError, match="has neither metrics.jsonl nor result.json"):
        main([str(runs[0]), str(tmp_path / "empty"), *out])
    with pytest.raises(BadValueError, match=r"run/metrics.jsonl' is named twice"):
        main([str(runs[0]), str(runs[0] / "metrics.jsonl"), *out])
    for text in ("{", "[1]", '{"a": ' * 100_000):
        (tmp_path / "empty" / "result.json").write_text(text)
        with pytest.raises(BadValueError, match="is no result of an evaluation.*: evaluate again"):
            main([str(runs[0]), str(tmp_path / "empty"), *out])
    assert not (tmp_path / "page.html").exists()


def test_only_its_own_page_is_replaced(runs, tmp_path):
    out = tmp_path / "page.html"
    out.write_text("a letter")
    with pytest.raises(BadStateError, match="is there already: choose another --out, or replace it with --overwrite"):
        main([*map(str, runs), "--out", str(out)])
    assert out.read_text() == "a letter"
    main([*map(str, runs), "--out", str(out), "--overwrite"])
    main([*map(str, runs), "--out", str(out)])
    with pytest.raises(BadStateError, match="is a folder"):
        main([*map(str, runs), "--out", str(tmp_path)])


def test_a_short_training_has_curves_of_its_steps(tmp_path):
    folder = training(tmp_path / "run", [0.1], 0.1)
    steps = [
        {"kind": "step", "epoch": 1, "step": n, "steps_per_epoch": 4, "global_step": n, "losses": {"total": 1.0 / n}}
        for n in range(1, 5)
    ]
    with (folder / "metrics.jsonl").open("a") as file:
        file.write("".join(json.dumps(row) + "\n" for row in steps))
    (run,) = read_runs([folder])
    assert run.losses() == {"total": ([0.25, 0.5, 0.75, 1.0], [1.0, 0.5, 1 / 3, 0.25])}
