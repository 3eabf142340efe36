"""What the launchers for several devices would start on eight cards of a rank table."""

import json
import re
import shlex

import pytest

from tests.suites import FASTER_RCNN, NAS_FPN, SEGFORMER, SUITES

CONFIG = "config/segformer.b0.512x1024.city.yaml"
CALLS = {
    NAS_FPN: ("run_distribute_train.sh", "8", "table.json", "records", "net.ckpt", "2"),
    FASTER_RCNN: ("run_distribute_train_ascend.sh", "table.json", "", "res2net_101", "data", "records"),
    SEGFORMER: ("run_distribute_train.sh", "8", "table.json", CONFIG, "data", "net.ckpt", "False", "--batch_size=4"),
}
PLACES = {  # folder and log of a rank
    NAS_FPN: ("LOG{}", "log.txt"),
    FASTER_RCNN: ("train_parallel{}", "log"),
    SEGFORMER: ("run_distribute_train_device{}", "train.log"),
}
ARGUMENTS = {
    NAS_FPN: ("--mindrecord_dir={here}/records", "--pre_trained={here}/net.ckpt", "--pre_trained_epoch_size=2"),
    FASTER_RCNN: (
        "--backbone=res2net_101",
        f"--config_path={FASTER_RCNN.path}/default_config_101.yaml",
        "--coco_root={here}/data",
        "--mindrecord_dir={here}/records",
    ),
    SEGFORMER: (
        f"--config_path={SEGFORMER.path}/{CONFIG}",
        "--data_path={here}/data",
        "--pretrained_ckpt_path={here}/net.ckpt",
        "--run_eval=False",
        "--batch_size=4",
    ),
}


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_a_dry_run_shows_the_eight_ranks_of_a_table_and_leaves_nothing(suite, tmp_path):
    devices = [{"device_id": str(i), "device_ip": f"192.98.92.{i}", "rank_id": str(i)} for i in range(8)]
    servers = [{"server_id": "127.0.0.1", "device": devices, "host_nic_ip": "reserve"}]
    table = {"version": "1.0", "server_count": "1", "status": "completed", "server_list": servers}
    (tmp_path / "table.json").write_text(json.dumps(table))
    (tmp_path / "data").mkdir()
    (tmp_path / "net.ckpt").touch()
    printed = suite.launch(*CALLS[suite], "--dry_run", cwd=tmp_path).stdout
    assert printed.startswith("8 ranks on 1 host, 8 here (Ascend); the scheduler listens on 127.0.0.1 port ")
    start = printed.splitlines()[2]
    assert "ASCEND_RT_VISIBLE_DEVICES=0,1,2,3,4,5,6,7 HCCL_CONNECT_TIMEOUT=600 " in start
    assert " --worker_num=8 --local_worker_num=8 --node_rank=0 " in start
    ranks = re.findall(r"^rank (\d): folder (.*), log (.*?)(?:, cores .*)?\n  (.*)$", printed, re.MULTILINE)
    assert [int(rank) for rank, *_ in ranks] == list(range(8))
    for rank, folder, log, command in ranks:
        assert folder == str(tmp_path / PLACES[suite][0].format(rank))
        assert log == f"{folder}/{PLACES[suite][1]}"
        words = shlex.split(command)
        for variable in (f"RANK_ID={rank}", f"DEVICE_ID={rank}", "DEVICE_NUM=8", "RANK_SIZE=8"):
            assert variable in words
        assert f"RANK_TABLE_FILE={tmp_path}/table.json" in words
        script = words.index(f"{suite.path}/train.py")
        expected = ["--device_target=Ascend", "--run_distribute=True"]
        expected += [argument.format(here=tmp_path) for argument in ARGUMENTS[suite]]
        assert {*expected} <= set(words[script + 1 :])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "net.ckpt", "table.json"]
