"""The average of checkpoints: means in float64, integers of the last, and what is refused."""

import numpy as np
import pytest

from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.training.averaging.average import average_checkpoints
from utils.training.averaging.command import last_checkpoints, main
from utils.training.checkpoints.checkpoint import TrainingState, load_checkpoint, save_checkpoint

BIG = 2.0**24  # the float32 after it is 2 larger


def write(path, weight, **options):
    """A checkpoint of a weight float32[2], statistics float32[1], a float16[1] and a counter."""
    arrays = {
        "conv.weight": np.float32(weight),
        "norm.moving_variance": np.float32([weight[0] + 1]),
        "half": np.float16([weight[1]]),
        "count": np.int64([path.stem[-1]]),
        "optimizer.momentum.conv.weight": np.float32([7, 7]),
    }
    arrays |= options.pop("arrays", {})
    state = {"suite": "tiny", "epoch": 3, "config_text": "lr: 1", "class_names": ("a", "b"), **options}
    save_checkpoint(path, TrainingState({name: array for name, array in arrays.items() if array is not None}, **state))
    return path


def test_the_mean_is_that_of_float64_and_keeps_what_the_last_one_says(tmp_path):
    """BIG, 1 and 1 sum to BIG + 2 in float64; in float32 the ones are lost one by one."""
    paths = [
        write(tmp_path / f"net-{number}.ckpt", weight)
        for number, weight in enumerate(([BIG, 0.5], [1.0, 1.0], [1.0, 3.0]), start=1)
    ]
    found = average_checkpoints(paths)
    np.testing.assert_array_equal(found.arrays["conv.weight"], np.float32([(BIG + 2) / 3, 1.5]))
    np.testing.assert_array_equal(
        found.arrays["norm.moving_variance"], np.float32([(BIG + 4) / 3])
    )  # BIG + 1 rounds to BIG
    np.testing.assert_array_equal(found.arrays["half"], np.float16([1.5]))
    np.testing.assert_array_equal(found.arrays["count"], [3])
    assert found.arrays.keys() == {"conv.weight", "norm.moving_variance", "half", "count"}
    assert [found.arrays[name].dtype for name in ("conv.weight", "half", "count")] == [np.float32, np.float16, np.int64]
    assert (found.suite, found.epoch, found.config_text, found.class_names) == ("tiny", 3, "lr: 1", ("a", "b"))


def test_running_means_count_where_there_are_any(tmp_path):
    averages = {"ema.conv.weight": np.float32([8.0, 8.0])}
    paths = [write(tmp_path / f"net-{number}.ckpt", [number, number], arrays=averages) for number in (1, 2)]
    assert average_checkpoints(paths).arrays["conv.weight"].tolist() == [8.0, 8.0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"suite": "other"}, "has suite 'other' and"),
        ({"class_names": ("b", "a")}, r"has class_names \['b', 'a'\] and"),
        ({"arrays": {"half": None}}, "1 parameter differs in name or shape, such as half: average checkpoints of one"),
        ({"arrays": {"half": np.float16([1, 2]), "more": np.float32([1])}}, "2 parameters differ in .* as half, more"),
        ({"arrays": {"half": np.float16([np.nan])}}, "not finite"),
    ],
)
def test_other_networks_are_refused(options, said, tmp_path):
    first = write(tmp_path / "net-1.ckpt", [1.0, 1.0])
    with pytest.raises(BadValueError, match=said):
        average_checkpoints([first, write(tmp_path / "net-2.ckpt", [1.0, 1.0], **options)])


def test_the_last_of_a_run_are_found_by_the_numbers_in_their_names(tmp_path):
    folder = tmp_path / "run" / "ckpt"
    for name in ("net-2_10", "net-10_4", "net-9_40", "net-10_40", "net_best", "average_of_3"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.ckpt").touch()
    assert [path.name for path in last_checkpoints(tmp_path / "run", 3)] == [
        "net-9_40.ckpt",
        "net-10_4.ckpt",
        "net-10_40.ckpt",
    ]
    (folder / "resnet50.ckpt").touch()
    with pytest.raises(BadValueError, match="has 4 checkpoints of epochs and --last is 5: lower it"):
        last_checkpoints(tmp_path / "run", 5)
    (folder / "other-1_1.ckpt").touch()
    with pytest.raises(BadValueError, match="has checkpoints of 2 names, 'net' and 'other': give the files themselves"):
        last_checkpoints(tmp_path / "run", 2)
    (folder / "other-1_1.ckpt").unlink()
    (tmp_path / "run" / "old").mkdir()
    (tmp_path / "run" / "old" / "net-1_1.ckpt").touch()
    with pytest.raises(BadValueError, match="has checkpoints in 2 folders, such as"):
        last_checkpoints(tmp_path / "run", 2)
    with pytest.raises(MissingPathError, match="run folder 'none' is not there"):
        last_checkpoints(type(folder)("none"), 2)


def test_the_command_writes_beside_the_run_or_where_it_is_told(tmp_path, capsys):
    for number in (1, 2, 3):
        write(tmp_path / f"net-{number}.ckpt", [number, number])
    main(["--run", str(tmp_path), "--last", "2"])
    path = tmp_path / "average_of_2.ckpt"
    assert load_checkpoint(path, "tiny").arrays["conv.weight"].tolist() == [2.5, 2.5]
    assert capsys.readouterr().out.splitlines()[-1] == f"averaged 4 parameters of 2 checkpoints: {path}"
    files = [str(tmp_path / f"net-{number}.ckpt") for number in (1, 3)]
    with pytest.raises(BadStateError, match="is there already; choose another --out, or replace it with --overwrite"):
        main([*files, f"--out={path}"])
    main([*files, f"--out={path}", "--overwrite"])
    assert load_checkpoint(path).arrays["conv.weight"].tolist() == [2.0, 2.0]
    with pytest.raises(BadStateError, match="is one of the checkpoints"):
        main([*files, f"--out={files[0]}", "--overwrite"])
    for arguments, said in (
        ([], "name the checkpoints, or a run"),
        ([*files, "--run=x", "--last=2"], "one of the two"),
        (files, "the file to write is not given"),
        ([*files, files[0], "--out=x.ckpt"], "is named twice: name each checkpoint once"),
        ([files[0], "--out=x.ckpt"], "1 checkpoint to average, wanted two or more"),
        (["--run=x"], "--run needs --last=N"),
        (["--run=x", "--last=1"], "command line: argument --last: '1', wanted a whole number from 2 on"),
    ):
        with pytest.raises(BadValueError, match=said):
            main(arguments)
