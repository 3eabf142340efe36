"""Keys of the detectors: where a job's data lies, and the number of classes."""

import pytest

from utils.detection import keys
from utils.detection.keys import match_num_classes
from utils.model_utils.config.loading import load_config
from utils.model_utils.config.schema import ModelArtsKeys, TrainingKeys
from utils.model_utils.errors import BadValueError


def test_number_of_classes_is_taken_from_the_data_set_or_checked(caplog):
    caplog.set_level("INFO")
    assert match_num_classes(None, ["a", "b"], "x.json") == 2
    assert match_num_classes(2, ["a", "b"], "x.json") == 2
    assert not caplog.records
    assert match_num_classes(3, ["a", "b"], "x.json") == 2
    assert [record.message for record in caplog.records] == [
        "num_classes 3 counts the background: the 2 foreground classes of x.json are used"
    ]
    with pytest.raises(BadValueError, match="num_classes is 80 and x.json has 2 classes: set --num_classes=2"):
        match_num_classes(80, ["a", "b"], "x.json")


class JobKeys(ModelArtsKeys, keys.DetectionDataKeys, TrainingKeys):
    """What both detectors have."""


@pytest.mark.parametrize(
    ("given", "root"),
    [
        (["--enable_modelarts=True"], "/cache/data"),
        (["--enable_modelarts=True", "--dataset_path=/d"], "/d"),
        (["--enable_modelarts=True", "--coco_root=/c"], "/c"),
        (["--enable_modelarts=True", "--mindrecord_dir=/cache/data/MindRecord_COCO"], None),
        (["--enable_modelarts=True", "--dataset=other"], None),
        ([], None),
    ],
)
def test_the_data_of_a_job_is_in_data_path(given, root, tmp_path):
    (tmp_path / "default.yaml").write_text("seed: 1\n")
    config = load_config(
        JobKeys, given, suite_dir=tmp_path, default_file="default.yaml", program="train.py", description=""
    )
    assert config.coco_root == root
