"""Commands on disks that get full, which need root: a sentence, nothing half written, and later all is as ever."""

import pytest

from tests.full_disk import Trial, drawn_sizes, names_in, python
from tests.suites import DETECTORS, ROOT, SEGFORMER, SUITES, for_suites
from utils.tools.small_disk import small_disk

pytestmark = pytest.mark.end_to_end


def check(trial, disk, sizes, keep, least_failures=1):
    moments = [trial.at(kilobytes, keep) for kilobytes in sizes]
    assert [str(moment) for moment in moments if moment.faults] == []
    for moment in moments:
        assert moment.code == 0 or "No space left on device, " in moment.last_line, str(moment)
    assert sum(moment.code == 2 for moment in moments) >= least_failures


@for_suites
def test_an_evaluation_whose_numbers_find_no_room_ends_with_a_sentence(toy, disk, tmp_path):
    suite = toy.suite
    records = () if suite is SEGFORMER else (f"--mindrecord_dir={toy.here / 'records'}",)
    data = (f"--{suite.data}={toy.data}", *records)
    arguments = (*suite.tiny.TOY, *data, toy.loaded_by("eval.py"), f"--run_dir={disk / 'run'}")
    with small_disk(disk, 4):
        (disk / "fill").write_bytes(bytes(4096))
        refused = suite.run("eval.py", *arguments, cwd=tmp_path)
        assert refused.returncode == 2, refused.stderr
        assert "Traceback" not in refused.stderr
        assert " cannot be written (No space left on device, 0.0 MB are free): " in refused.stderr.splitlines()[-1]
        assert names_in(disk) == ("fill",)
        assert not refused.stdout  # the configuration is written first, so that nothing is evaluated in vain


def test_sample_data_on_disks_of_drawn_sizes(disk, tmp_path):
    options = ["--train", 2, "--val", 1, "--height", 64, "--width", 96, "--workers", 2]
    trial = Trial([*python(ROOT / "utils/sample_data/toy_town.py"), disk / "town", *options], disk, tmp_path)
    needed = trial.undisturbed(tmp_path / "keep")
    check(trial, disk, drawn_sizes(1, needed, 4), tmp_path / "keep", least_failures=2)


@pytest.mark.long_run
@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_trainings_on_disks_of_drawn_sizes_go_on_bit_equal(suite, disk, tmp_path):
    data = suite.tiny.write_toy_data(tmp_path / "data")
    records = (f"--mindrecord_dir={tmp_path / 'records'}",) if suite in DETECTORS else ()
    shorter = [word for word in suite.tiny.TOY_TRAINING if "epoch" not in word and "profiling" not in word]
    arguments = [*suite.tiny.TOY, *shorter, "--epoch_size=3", "--eval_start_epoch=2", "--eval_interval=1"]
    command = [*python(suite.path / "train.py"), *arguments, f"--{suite.data}={data}", *records]
    run_dir = f"--run_dir={disk / 'run'}"
    trial = Trial([*command, run_dir], disk, tmp_path, again=["--resume=auto"], may_lack=("curves.png", ".jpg"))
    needed = trial.undisturbed(tmp_path / "keep")
    check(trial, disk, drawn_sizes(0, needed, 5), tmp_path / "keep", least_failures=3)
