"""The C++ program beside infer.py on one full-size model with random weights, on a CPU.

    python benchmarks/cpp_infer.py nas_fpn|faster_rcnn|segformer [--few=4] [--many=12]

Seconds for an image come from two runs of each, one with few and one with many pictures: their difference has no start
and no compilation in it. The network alone is the exported file, called from Python with the same inputs.
"""

import argparse
import importlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # the repository instead of this folder, whose files are named like suites

from utils.launch.cpp_build import build, cached_program
from utils.model_utils.command import run_command
from utils.model_utils.errors import BadStateError

PICTURE_SIZE = (480, 640)
NETWORK_CALLS = 7
# What is printed of the C++ program's own times, and how it calls them.
TIMES = {
    "engine's call": "median of the later calls",
    "decode, prepare": "decoding and preprocessing per image",
    "write": "writing per image",
}


# How the commands of the detectors are called, and where segformer's have other names.
CONFIG = "--device_target=CPU"
DETECTOR = {
    "config": [CONFIG],
    "export": ["--file_format=MINDIR", "--file_name=model", "--checkpoint_path={checkpoint}"],
    "infer": ["--checkpoint_path={checkpoint}", "--image_path={pictures}"],
    "model": "model.mindir",
    "num_classes": [80],
}
SUBJECTS = {
    "nas_fpn": DETECTOR,
    "faster_rcnn": DETECTOR,
    "segformer": {
        "config": [CONFIG, "--config_path=config/segformer.b0.512x1024.city.yaml"],
        "export": ["--export_format=MINDIR", "--export_ckpt_path={checkpoint}"],
        "infer": ["--infer_ckpt_path={checkpoint}", "--data_path={pictures}"],
        "model": "segformer.b0.512x1024.city.mindir",
        "num_classes": [],
    },
}


@dataclass(frozen=True)
class Cost:
    """Time of a process, or of an image.

    Attributes:
        seconds: by the clock.
        processor_seconds: of all its threads.
    """

    seconds: float
    processor_seconds: float


def main() -> None:
    """Measures one suite and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", choices=sorted(SUBJECTS))
    parser.add_argument("--few", type=int, default=4)
    parser.add_argument("--many", type=int, default=12)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cpp_infer-") as folder:
        compare(arguments.suite, (arguments.few, arguments.many), Path(folder))


def compare(suite: str, counts: tuple[int, int], folder: Path) -> None:
    """Measures and prints."""
    checkpoint, model = folder / "random.ckpt", folder / SUBJECTS[suite]["model"]
    write_checkpoint(suite, checkpoint)
    command(suite, "export", folder, [f"--run_dir={folder}"], checkpoint=checkpoint)
    program = cached_program(ROOT, suite)
    if build(ROOT, suite, program, lambda command: subprocess.run(command, stdout=sys.stderr, check=False).returncode):
        raise BadStateError("the C++ program cannot be built: see above")
    for count in counts:
        draw_pictures(folder / str(count), count)
    python, cpp = [], []
    for count in counts:  # in turns, so that a busy machine slows both
        pictures = folder / str(count)
        places = {"checkpoint": checkpoint, "pictures": pictures}
        python.append(command(suite, "infer", folder, [f"--infer_output_path={folder / 'out'}"], **places))
        cpp.append(run([str(program), f"--mindir_path={model}", f"--dataset_path={pictures}"], folder))
    times = (folder / "time_Result" / "test_perform_static.txt").read_text()
    print(f"{suite}, {counts[1] - counts[0]} pictures of {PICTURE_SIZE[0]} x {PICTURE_SIZE[1]}")
    rows = {
        "infer.py": difference(*python, counts),
        "C++": difference(*cpp, counts),
        "file alone": network_alone(model),
    }
    for name, each in rows.items():
        print(f"{name:10} {each.seconds:7.3f} s an image, {each.processor_seconds:7.3f} processor seconds")
    for title, name in TIMES.items():
        print(f"{title:16}{named_time(times, name):9.2f} ms")


def command(suite: str, name: str, folder: Path, arguments: Sequence[str], **places: Path) -> Cost:
    """Runs a command of a suite to its end; `places` are what its own arguments name."""
    subject = SUBJECTS[suite]
    own = [argument.format(**places) for argument in subject[name]]
    return run([sys.executable, str(ROOT / suite / f"{name}.py"), *subject["config"], *own, *arguments], folder)


def write_checkpoint(suite: str, path: Path) -> None:
    """Writes the weights that a training begins with."""
    from utils.training.checkpoints.checkpoint import TrainingState, save_checkpoint

    subject = SUBJECTS[suite]
    load = importlib.import_module(f"{suite}.src.config").load
    suite_build = importlib.import_module(f"{suite}.src.build")
    network = suite_build.build_network(load(subject["config"]), *subject["num_classes"])
    arrays = {parameter.name: parameter.asnumpy() for parameter in network.get_parameters()}
    save_checkpoint(path, TrainingState(arrays=arrays, suite=suite))


def draw_pictures(folder: Path, count: int) -> None:
    """Writes JPEG files of soft colours, about as large as photographs of this size are."""
    folder.mkdir()
    draws = np.random.default_rng(0)
    for number in range(count):
        coarse = draws.integers(0, 256, (60, 80, 3), np.uint8)
        picture = cv2.resize(coarse, PICTURE_SIZE[::-1], interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{number:012d}.jpg"), picture)


def run(command: Sequence[str], folder: Path) -> Cost:
    """Runs a program to its end.

    Raises:
        BadStateError: it fails.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BadStateError(f"'{command[0]} {command[1]}' ended with exit code {process.returncode}: see above")
    return Cost(time.perf_counter() - start, usage.ru_utime + usage.ru_stime)


def difference(few: Cost, many: Cost, counts: tuple[int, int]) -> Cost:
    """Returns the cost of an image."""
    images = counts[1] - counts[0]
    return Cost((many.seconds - few.seconds) / images, (many.processor_seconds - few.processor_seconds) / images)


def network_alone(model: Path) -> Cost:
    """Returns the medians of calls of the exported file from Python, after the first."""
    import mindspore as ms
    from mindspore import nn

    from utils.exporting.description import read_description

    draws = np.random.default_rng(0)
    described = read_description(model).inputs
    inputs = [ms.Tensor(draws.standard_normal(each.shape).astype(each.dtype)) for each in described]
    network = nn.GraphCell(ms.load(str(model)))
    costs = []
    for _ in range(NETWORK_CALLS + 1):
        start = time.perf_counter(), time.process_time()
        outputs = network(*inputs)
        for output in outputs if isinstance(outputs, tuple) else (outputs,):
            output.asnumpy()
        costs.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return Cost(*(statistics.median(column) for column in zip(*costs[1:], strict=True)))


def named_time(text: str, name: str) -> float:
    """Returns the milliseconds that stand after a name."""
    return float(re.search(rf"{name}: ([\d.]+)", text)[1])


if __name__ == "__main__":
    run_command(main, "cpp_infer.py")
