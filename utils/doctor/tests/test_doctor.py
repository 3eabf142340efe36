"""What the doctor makes of machines and environments that are written down here, and of this one."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from utils.doctor import computing, machine, software
from utils.doctor.__main__ import SECTIONS, look, main
from utils.doctor.computing import Tried, judge
from utils.doctor.findings import Finding, format_report, has_fault
from utils.installation import ROOT, module_command
from utils.tests.processes import finish

CPUINFO = "model name\t: AMD EPYC\nflags\t\t: fpu sse4_2 avx2 avx512f\nprocessor\t: 1\n"
STEP = {
    "counts": {"Ascend": 0, "GPU": 0},
    "cards": {"Ascend": 0, "GPU": 0},
    "device": "CPU",
    "kernels": "/home/ann/.cache/kernels.so",
    "why_no_kernels": "",
    "loss": 67.4496,
    "gradient": 126.162,
    "expected_loss": 67.4496,
    "expected_gradient": 126.162,
    "step_seconds": 0.8,
    "convolution_seconds": 0.003,
}


def judged(**changed):
    return {each.name: each for each in judge(Tried(0, f"a line\n{json.dumps(STEP | changed)}\n", "", 3.0))}


def test_a_report_has_the_advice_at_its_end_faults_first_and_no_name_of_the_user():
    sections = {
        "machine": [Finding("memory", "2 GB", "end what needs memory"), Finding("cache", "/home/ann/.cache: 1 GB")],
        "computing": [Finding("step", "ended", "install numpy 1", is_fault=True)],
    }
    assert format_report(sections, Path("/home/ann")).splitlines() == [
        "machine",
        "  memory  2 GB",
        "  cache   ~/.cache: 1 GB",
        "",
        "computing",
        "  step    ended",
        "",
        "to mend",
        "  step: commands cannot work: install numpy 1",
        "  memory: end what needs memory",
    ]
    assert has_fault(sections)
    assert not has_fault({"machine": sections["machine"]})
    assert format_report({"machine": [Finding("memory", "8 GB")]}).endswith("nothing to mend")


def test_the_versions_are_compared_with_those_of_the_requirements(monkeypatch):
    lines = ["# made", "numpy==1.26.4", "mszoo[dev]==2.0 ; extra == 'x'", "torch>=2", "pillow == 13.0.0"]
    assert software.pinned(lines) == {"numpy": "1.26.4", "mszoo": "2.0", "pillow": "13.0.0"}
    assert {"mindspore", "numpy", "pydantic"} <= set(software.required_versions())
    installed = {"numpy": "2.4.6", "pillow": "13.0.0", "rich": ""}
    monkeypatch.setattr(
        software, "required_versions", lambda: {"numpy": "1.26.4", "pillow": "13.0.0", "rich": "15.0.0"}
    )
    monkeypatch.setattr(software, "_version", lambda name: installed.get(name, ""))
    found = {each.name: each for each in software.look_at_software()}
    assert found["numpy"].value == "2.4.6"
    assert found["versions"].is_fault
    assert found["versions"].advice.startswith("numpy 2.4.6 (wanted 1.26.4), rich is missing (wanted 15.0.0): install")
    installed |= {"rich": "15.0.1", "numpy": "1.26.4"}
    versions = {each.name: each for each in software.look_at_software()}["versions"]
    assert (versions.value, versions.is_fault) == ("1 of 3 are not the tested ones", False)


def test_what_the_processor_is_and_can():
    assert machine.processor_name(CPUINFO) == "AMD EPYC"
    assert machine.instruction_sets(CPUINFO) == ["sse4_2", "avx2", "avx512f"]
    assert machine.instruction_sets("Features\t: fp asimd sve\nCPU part\t: 0xd01\n") == ["asimd", "sve"]
    assert machine.processor_name("CPU part\t: 0xd01\n") == "part 0xd01"
    assert machine.instruction_sets("") == []


@pytest.mark.parametrize(
    ("environment", "cpu_max", "advice"),
    [
        ({}, "max 100000\n", ""),
        ({}, "", ""),
        ({}, "150000 100000\n", "4 threads share the time of 1.5 cores .*set CPU_KERNEL_THREADS=2"),
        ({"CPU_KERNEL_THREADS": "2"}, "150000 100000\n", ""),
        ({"OMP_NUM_THREADS": "4"}, "", ""),
        ({"OMP_NUM_THREADS": "64"}, "", "OMP_NUM_THREADS is 64 and there are 4 cores.*: set it to 4"),
        ({"CPU_KERNEL_THREADS": "many", "OMP_NUM_THREADS": "64"}, "", "CPU_KERNEL_THREADS is 'many', wanted a number"),
    ],
)
def test_threads_that_are_more_than_the_cores_get_advice(environment, cpu_max, advice):
    found = machine.threads(environment, 4, cpu_max)
    assert found.value.startswith("4 cores of ")
    assert bool(found.advice) == bool(advice)
    assert re.search(advice, found.advice)


def test_little_memory_gets_advice():
    text = "MemTotal:        8000000 kB\nMemFree: 10 kB\nMemAvailable:    {} kB\n"
    assert machine.memory(text.format(4000000)) == Finding("memory", "8.2 GB, 4.1 GB free")
    low = machine.memory(text.format(1000000))
    assert low.value == "8.2 GB, 1.0 GB free"
    assert "1.0 GB are free, a small training takes 1.4" in low.advice
    assert machine.memory("").value == "unknown"


def test_onednn_is_to_be_limited_where_the_processor_has_avx_512():
    assert machine.onednn({"ONEDNN_MAX_CPU_ISA": "AVX2"}, ["avx512f"]).advice == ""
    assert machine.onednn({}, ["avx2"]).advice == ""
    assert "unset it, or set it to AVX2" in machine.onednn({"ONEDNN_MAX_CPU_ISA": "ALL"}, ["avx512f"]).advice


def test_a_cache_that_others_can_write_and_a_full_disk_get_advice(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert [each.advice for each in machine.disks() if each.name == "cache"] == [""]
    (tmp_path / "mindspore-vision-model-zoo").chmod(0o777)
    (cache,) = [each for each in machine.disks() if each.name == "cache"]
    assert "can be written by others" in cache.advice
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: SimpleNamespace(free=int(5e8)))
    assert "0.5 GB are free in " in next(machine.disks()).advice


def test_a_step_that_is_right_and_quick_needs_nothing():
    found = judged()
    assert not any(each.advice for each in found.values())
    assert found["step"].value == "0.8 s, 3.0 s with the import; equal to numpy"
    assert found["kernels"].value == "built for this processor: /home/ann/.cache/kernels.so"
    assert found["device"].value == "CPU (0 Ascend, 0 GPU that MindSpore can use)"


def test_cards_that_mindspore_cannot_use_get_advice():
    device = judged(cards={"Ascend": 8, "GPU": 1})["device"]
    assert device.advice == (
        "MindSpore cannot use any of the 8 Ascend cards of this machine: source set_env.sh of CANN, of a version that "
        "this MindSpore takes; MindSpore cannot use the GPU card of this machine: install CUDA and cuDNN of the "
        "versions that this MindSpore takes"
    )
    assert not device.is_fault
    assert judged(cards={"Ascend": 8, "GPU": 0}, counts={"Ascend": 2, "GPU": 0})["device"].advice == ""


def test_a_step_with_other_numbers_is_a_fault():
    step = judged(gradient=126.2)["step"]
    assert step.is_fault
    assert "gradient 126.2 where numpy has 126.162" in step.advice
    assert not judged(gradient=126.2, device="Ascend")["step"].is_fault  # 3e-4: fewer bits


def test_missing_kernels_and_a_slow_convolution_get_advice():
    found = judged(kernels="", why_no_kernels="no fast CPU kernels (no C compiler)", convolution_seconds=0.2)
    assert "no C compiler" in found["kernels"].advice
    assert "0.20 s of the processor" in found["convolution"].advice
    assert not any(each.is_fault for each in found.values())
    assert "CPU_KERNELS switches them off: unset it" in judged(kernels="")["kernels"].advice
    assert judged(kernels="", device="Ascend")["kernels"].advice == ""


@pytest.mark.parametrize(("code", "how"), [(-4, "signal 4"), (1, "exit code 1")])
def test_a_process_that_dies_is_a_fault_with_its_last_words(code, how):
    (step,) = judge(Tried(code, "", "Traceback\nImportError: libgomp.so.1\n", 2.0))
    assert step.value == f"ended with {how} after 2 s"
    assert "MindSpore cannot compute (Traceback ImportError: libgomp.so.1)" in step.advice
    assert step.is_fault


def test_a_section_that_fails_keeps_what_it_has_found():
    def section():
        yield Finding("memory", "8 GB")
        raise OSError("no such thing")

    assert [each.value for each in look(section)] == ["8 GB", "OSError: no such thing"]


def test_the_exit_code_says_whether_commands_can_work(monkeypatch, capsys):
    monkeypatch.setitem(SECTIONS, "computing", lambda: judge(Tried(0, json.dumps(STEP), "", 3.0)))
    code = main([])
    said = capsys.readouterr().out
    assert [line for line in said.splitlines() if line and not line.startswith(" ")][:3] == [*SECTIONS]
    assert (code == 1) == ("commands cannot work" in said)
    monkeypatch.setitem(SECTIONS, "computing", lambda: judge(Tried(-11, "", "", 3.0)))
    assert main([]) == 1
    assert "it said nothing" in capsys.readouterr().out


def test_the_smoke_step_has_numpys_numbers():
    from utils.doctor import smoke_step

    np.testing.assert_allclose(smoke_step.step(), smoke_step.expected(), rtol=computing.TOLERANCE["CPU"])


@pytest.mark.long_run
def test_this_machine_is_looked_at():
    finished = finish(*module_command("utils.cli", "doctor"), cwd=ROOT)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "equal to numpy" in finished.stdout
