"""Building, caching and doing without."""

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from utils.cpu_kernels import library as library_module
from utils.cpu_kernels.gelu import Gelu
from utils.cpu_kernels.library import SWITCH_VARIABLE, THREADS_VARIABLE, kernel_library
from utils.model_utils.host_lock import host_lock

ROOT = Path(__file__).resolve().parents[3]
REPETITION = ("-m", "utils.cpu_kernels.tests.repetition")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache that this process has not looked into yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kernel_library.cache_clear()
    yield tmp_path
    kernel_library.cache_clear()


@pytest.fixture
def source(cache, monkeypatch):
    """A C file that is all the library is made of, in an empty cache."""
    monkeypatch.setattr(library_module, "SOURCES", cache / "sources")
    (cache / "sources").mkdir()
    source = cache / "sources" / "one.c"
    source.write_text("int one(void) { return 1; }")
    return source


def _start(*arguments, **environment):
    """Starts Python; a variable that is None is taken out of its environment."""
    variables = {key: value for key, value in (os.environ | environment).items() if value is not None}
    return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=variables)


def _outputs(*processes):
    return [process.communicate(timeout=300)[0].strip() for process in processes]


def test_two_processes_that_build_at_once_end_with_one_library(kernels, cache):
    code = "from utils.cpu_kernels.library import kernel_library; print(kernel_library())"
    first, second = _outputs(*[_start("-c", code, XDG_CACHE_HOME=str(cache)) for _ in range(2)])
    assert first == second
    assert Path(first).is_file()
    assert sorted(path.suffix for path in Path(first).parent.iterdir()) == [".lock", ".sha256", ".so"]


def test_gradients_repeat_bit_for_bit_in_another_process_and_with_another_number_of_threads(kernels):
    first, *others = _outputs(*[_start(*REPETITION, OMP_NUM_THREADS=threads) for threads in (None, None, "1")])
    assert len(first) == hashlib.sha256().digest_size * 2
    assert others == [first, first]


def test_another_source_makes_another_library_and_the_same_none(kernels, source):
    before, text = kernel_library(), source.read_text()
    built = before.stat().st_mtime_ns
    for change, is_same in ((text + "int two(void) { return 2; }", False), (text, True)):
        source.write_text(change)
        kernel_library.cache_clear()
        assert (kernel_library() == before) == is_same
    assert before.stat().st_mtime_ns == built


def test_a_cut_library_is_built_again(kernels, source):
    built = kernel_library()
    whole = built.read_bytes()
    built.unlink()  # this process has loaded it and reads it again when it ends
    built.write_bytes(whole[: len(whole) // 2])
    kernel_library.cache_clear()
    assert kernel_library() == built
    assert len(built.read_bytes()) > len(whole) // 2


def test_without_a_compiler_one_line_says_so_and_stock_operators_run(cache, monkeypatch, caplog):
    monkeypatch.setenv("PATH", str(cache))
    values = [Gelu()(ms.Tensor(np.ones(2, np.float32))).asnumpy() for _ in range(2)]
    assert np.allclose(values, 0.8413447, atol=1e-6)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "no C compiler: none of cc, gcc, clang is on the PATH" in caplog.text


def test_a_compiler_that_fails_costs_one_line(cache, monkeypatch, caplog):
    folder = cache / "bin"
    folder.mkdir()
    compiler = folder / "cc"
    compiler.write_text("#!/bin/sh\necho 'unknown argument -march=native' >&2\nexit 1\n")
    compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/bin")
    assert kernel_library() is None
    assert "fails: unknown argument -march=native" in caplog.text
    assert not list(cache.rglob("*.so"))


def test_a_cache_that_cannot_be_made_costs_one_line(kernels, tmp_path, monkeypatch, caplog):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(in_the_way))
    kernel_library.cache_clear()
    assert kernel_library() is None
    kernel_library.cache_clear()
    assert "no fast CPU kernels" in caplog.text


def test_another_process_that_holds_the_lock_for_too_long_costs_one_line(kernels, cache, monkeypatch, caplog):
    folder = cache / "mindspore-vision-model-zoo" / "cpu_kernels"
    folder.mkdir(parents=True)
    monkeypatch.setattr(library_module, "LOCK_SECONDS", 0.1)
    with host_lock(folder / "build.lock", "builds it", 1):
        assert kernel_library() is None
    assert "waited 0.1 seconds for process" in caplog.text


def test_a_cache_that_others_can_write_is_not_used(kernels, cache, caplog):
    cache.chmod(0o777)
    assert kernel_library() is None
    assert "has mode 0777 and can be written by others" in caplog.text
    assert not list(cache.rglob("*.so"))


@pytest.mark.parametrize("value", ["off", "0", "OFF"])
def test_the_switch_turns_kernels_off(value, cache, monkeypatch):
    monkeypatch.setenv(SWITCH_VARIABLE, value)
    assert kernel_library() is None
    assert Gelu().kernel is None


THREADS = """
import ctypes
from utils.cpu_kernels.convolution import Convolution
from utils.cpu_kernels.library import kernel_library
import mindspore as ms
import numpy as np
ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")
Convolution(3, 4, 3)(ms.Tensor(np.ones((1, 3, 8, 8), np.float32)))
print("threads", ctypes.CDLL(str(kernel_library())).num_threads())
"""


@pytest.mark.parametrize(("variables", "wanted"), [({}, None), ({"OMP_NUM_THREADS": "1"}, 1)])
def test_the_kernels_use_the_cores_that_the_process_may_use(kernels, variables, wanted):
    """MindSpore sets OMP_NUM_THREADS to 1 when it starts; that must not count, the user's own value must."""
    process = _start("-c", THREADS, **{"OMP_NUM_THREADS": None, THREADS_VARIABLE: None, **variables})
    assert f"threads {wanted or len(os.sched_getaffinity(0))}" in _outputs(process)[0].splitlines()


def test_the_library_stays_when_it_is_closed(kernels):
    """MindSpore closes it with the last graph that uses it; the threads of the pool are in it."""
    code = """
import _ctypes, pathlib
from utils.cpu_kernels.library import kernel_library
path = str(kernel_library())
_ctypes.dlclose(_ctypes.dlopen(path, 0))
print(path in pathlib.Path("/proc/self/maps").read_text())
"""
    assert _outputs(_start("-c", code)) == ["True"]
