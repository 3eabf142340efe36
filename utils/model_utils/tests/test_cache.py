"""A cache whose programs others could have put there is refused; locks do not follow links."""

import os
import stat

import pytest

from utils.model_utils.errors import BadStateError
from utils.model_utils.guards import cache
from utils.model_utils.guards.cache import cache_folder, make_cache_folder
from utils.model_utils.host_lock import host_lock


@pytest.fixture
def base(tmp_path, monkeypatch):
    """The cache of a user with the umask of systems that give each user a group."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    before = os.umask(0o002)
    yield tmp_path / "cache"
    os.umask(before)


def test_every_folder_is_made_for_the_user_alone(base):
    make_cache_folder(cache_folder("kernels") / "inner")
    made = [base, *base.rglob("*")]
    assert [path.relative_to(base).as_posix() for path in made] == [
        ".",
        "mindspore-vision-model-zoo",
        "mindspore-vision-model-zoo/kernels",
        "mindspore-vision-model-zoo/kernels/inner",
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o700}


@pytest.mark.parametrize("place", ["", "mindspore-vision-model-zoo", "mindspore-vision-model-zoo/kernels"])
@pytest.mark.parametrize("mode", [0o777, 0o702, 0o770])
def test_a_folder_that_others_can_write_is_refused(base, monkeypatch, place, mode):
    monkeypatch.setattr(cache, "_is_group_of_one", lambda group_id: False)
    make_cache_folder(cache_folder("kernels"))
    (base / place).chmod(mode)
    with pytest.raises(BadStateError, match=f"has mode {mode:04o} and can be written by others.*chmod go-w"):
        make_cache_folder(cache_folder("kernels"))


def test_the_group_of_the_user_alone_may_write(base, monkeypatch):
    monkeypatch.setattr(cache, "_is_group_of_one", lambda group_id: True)
    make_cache_folder(cache_folder("kernels"))
    base.chmod(0o770)
    make_cache_folder(cache_folder("kernels"))
    base.chmod(0o772)
    with pytest.raises(BadStateError, match="has mode 0772"):
        make_cache_folder(cache_folder("kernels"))


def test_a_place_for_all_in_which_each_has_his_own_is_fine_for_the_cache_and_not_inside(base):
    make_cache_folder(cache_folder("kernels"))
    base.chmod(0o1777)
    make_cache_folder(cache_folder("kernels"))
    cache_folder("kernels").chmod(0o1777)
    with pytest.raises(BadStateError, match="has mode 1777"):
        make_cache_folder(cache_folder("kernels"))


@pytest.mark.parametrize("place", ["", "mindspore-vision-model-zoo", "mindspore-vision-model-zoo/kernels"])
def test_a_folder_of_another_user_is_refused(base, monkeypatch, place):
    make_cache_folder(cache_folder("kernels"))
    owner = os.geteuid()
    if owner == 0:
        os.chown(base / place, 4711, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(BadStateError, match=r"belongs to user \d+"):
        make_cache_folder(cache_folder("kernels"))


def test_a_lock_in_whose_place_a_link_stands_is_refused_and_its_target_kept(tmp_path):
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(BadStateError, match="lock '.*' cannot be made"), host_lock(tmp_path / "lock", "waits", 0.1):
        pass
    assert (tmp_path / "precious").read_text() == "kept"
