"""The configuration that an evaluation leaves never takes the place of a file that somebody has written."""

import pytest
from pydantic import Field

from utils.model_utils.config.base import Config
from utils.model_utils.config.leaving import leave_config
from utils.model_utils.files import METRICS_NAME, is_stored_config

MINE = "lr: 0.1  # mine\n"


class Tiny(Config):
    lr: float = Field(0.1, description="learning rate")


@pytest.mark.parametrize(
    ("there", "written"),
    [
        ((), "config.yaml"),
        ((METRICS_NAME,), "eval_config.yaml"),
        (("config.yaml",), "eval_config.yaml"),
        (("config.yaml", "eval_config.yaml"), None),
        ((METRICS_NAME, "eval_config.yaml"), None),
    ],
)
def test_it_is_written_where_nothing_of_anybody_is(tmp_path, caplog, there, written):
    for name in there:
        (tmp_path / name).write_text(MINE)
    for _ in range(2):  # its own file is replaced
        leave_config(tmp_path, Tiny())
    found = {path.name for path in tmp_path.iterdir()} - set(there)
    assert found == ({written} if written else set())
    assert all((tmp_path / name).read_text() == MINE for name in there)
    assert written is None or is_stored_config(tmp_path / written)
    assert ("the configuration is not written: " in caplog.text) == (written is None)
