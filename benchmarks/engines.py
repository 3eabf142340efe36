"""All engines on one full-size model with random weights, on a CPU, in one run.

    python benchmarks/engines.py nas_fpn|faster_rcnn|segformer [--few=4] [--many=12] [--threads=2] [--app]

First the network alone, in processes that take turns: of the checkpoint as infer.py runs it, and of the exported files.
Then the whole C++ program over pictures; the seconds of an image come from two runs, one with few and one with many
pictures, so that no start and no compilation is in them. `--app` runs OpenVINO's own benchmark_app on the same file.
"""

import argparse
import importlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # the repository instead of this folder, whose files are named like suites

from benchmarks.cpp_infer import (
    SUBJECTS,
    TIMES,
    Cost,
    command,
    difference,
    draw_pictures,
    named_time,
    run,
    write_checkpoint,
)
from benchmarks.side_by_side import Measurement, Work, Workload, compare
from utils.engines.choice import BF16, F32, ONNXRUNTIME, OPENVINO, EngineSettings, open_onnx
from utils.exporting.description import read_description
from utils.launch.cpp_build import build, cached_program
from utils.model_utils.command import run_command
from utils.model_utils.cpu_environment import without_isa_limit
from utils.model_utils.errors import BadStateError

ROUNDS = 9
EXTRA_EXPORTS = {"segformer": ["--export_output=class_map"], "nas_fpn": [], "faster_rcnn": []}


def main() -> None:
    """Measures one suite and prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", choices=sorted(SUBJECTS))
    parser.add_argument("--few", type=int, default=4)
    parser.add_argument("--many", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--app", action="store_true", help="run OpenVINO's benchmark_app too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="engines-") as name:
        folder = Path(name)
        checkpoint, model = folder / "random.ckpt", folder / SUBJECTS[arguments.suite]["model"]
        write_checkpoint(arguments.suite, checkpoint)
        exporting = [f"--run_dir={folder}", "--with_onnx=True", *EXTRA_EXPORTS[arguments.suite]]
        command(arguments.suite, "export", folder, exporting, checkpoint=checkpoint)
        network_table(arguments, model)
        if arguments.app:
            app_lines(model.with_suffix(".onnx"))
        program_table(arguments, folder, model)


def network_table(arguments: argparse.Namespace, model: Path) -> None:
    """Prints seconds, processor seconds, first call and memory of each engine."""
    onnx, threads = model.with_suffix(".onnx"), arguments.threads
    works = {
        "checkpoint, infer.py": partial(checkpoint_work, arguments.suite, model),
        "MINDIR, MindSpore": partial(mindir_work, model),
        "ONNX, onnxruntime": partial(onnx_work, onnx, EngineSettings(ONNXRUNTIME, F32, threads)),
        "ONNX, OpenVINO": partial(onnx_work, onnx, EngineSettings(OPENVINO, F32, threads)),
        "ONNX, OpenVINO bf16": partial(onnx_work, onnx, EngineSettings(OPENVINO, BF16, threads)),
    }
    if not has_bf16():
        del works["ONNX, OpenVINO bf16"]
    made = read_description(model).preprocessing
    found = compare(works, Workload("network", made.height, made.width), threads, arguments.rounds)
    print(f"{arguments.suite}, network alone at {made.height} x {made.width}, {threads} threads")
    print(f"{'':24}{'seconds':>9}{'processor':>11}{'first':>8}{'GB':>7}")
    for name, each in found.items():
        print(format_row(name, each), flush=True)


def format_row(name: str, found: Measurement) -> str:
    """Returns a line of the table."""
    return (
        f"{name:24}{found.seconds:9.3f}{found.processor_seconds:11.3f}{found.first:8.2f}{found.peak_bytes / 1e9:7.2f}"
    )


def has_bf16() -> bool:
    """Whether OpenVINO has bfloat16 on this CPU."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def arrays_for(model: Path) -> list[np.ndarray]:
    """Returns inputs of a model, the same at each call; a picture of the input's own size."""
    described = read_description(model).inputs
    images = np.random.default_rng(0).standard_normal((1, *described[0].image_shape)).astype(np.float32)
    height, width = described[0].image_shape[1:]
    return [images, np.array([[height, width, 1, 1]], np.float32)][: len(described)]


def checkpoint_work(suite: str, model: Path, _workload: Workload) -> Work:
    """Returns a call of the network as infer.py has it, on the kernels of this repository."""
    import mindspore as ms

    build_part = importlib.import_module(f"{suite}.src.build")
    config_part = importlib.import_module(f"{suite}.src.config")
    ms.set_context(mode=ms.GRAPH_MODE)
    subject = SUBJECTS[suite]
    config = config_part.load([each for each in subject["config"] if "=config/" not in each], "infer.py")
    network = build_part.build_network(config, *subject["num_classes"])
    inference = build_part.build_inference(config, network).set_train(False)
    arrays = arrays_for(model)

    def call() -> None:
        outputs = inference(*map(ms.Tensor, arrays))
        for output in outputs if isinstance(outputs, tuple) else (outputs,):
            output.asnumpy()

    return call


def mindir_work(model: Path, _workload: Workload) -> Work:
    """Returns a call of the MindIR in MindSpore, which the C++ program's engine `python` makes too."""
    from utils.engines.mindir_network import read_mindir

    network, arrays = read_mindir(model), arrays_for(model)
    return lambda: network(arrays)


def onnx_work(model: Path, settings: EngineSettings, _workload: Workload) -> Work:
    """Returns a call of the ONNX file in an engine."""
    network, arrays = open_onnx(model, settings), arrays_for(model)
    return lambda: network(arrays)


def app_lines(onnx: Path) -> None:
    """Prints the median latency of OpenVINO's benchmark_app, on all cores, in float32 and, if there is, bfloat16."""
    program = str(Path(sys.executable).with_name("benchmark_app"))
    for precision in (F32, BF16) if has_bf16() else (F32,):
        arguments = ["-m", str(onnx), "-hint", "latency", "-infer_precision", precision]
        with without_isa_limit():
            done = subprocess.run([program, *arguments, "-t", "10"], capture_output=True, text=True, check=False)
        found = re.search(r"Median:\s+([\d.]+) ms", done.stdout)
        print(f"benchmark_app -hint latency, {precision}: {found[1] if found else done.stdout[-300:]} ms", flush=True)


def program_table(arguments: argparse.Namespace, folder: Path, model: Path) -> None:
    """Prints what an image costs the whole C++ program with each engine."""
    program, counts = cached_program(ROOT, arguments.suite), (arguments.few, arguments.many)
    if build(
        ROOT, arguments.suite, program, lambda each: subprocess.run(each, stdout=sys.stderr, check=False).returncode
    ):
        raise BadStateError("the C++ program cannot be built: see above")
    for count in counts:
        draw_pictures(folder / str(count), count)
    onnx, threads = str(model.with_suffix(".onnx")), f"--num_threads={arguments.threads}"
    engines: dict[str, Sequence[str]] = {
        "MINDIR, MindSpore": [f"--mindir_path={model}"],
        "ONNX, OpenVINO": [f"--mindir_path={onnx}", threads],
        "ONNX, OpenVINO bf16": [f"--mindir_path={onnx}", threads, "--cpu_precision=bf16"],
    }
    if not has_bf16():
        del engines["ONNX, OpenVINO bf16"]
    print(f"{arguments.suite}, the C++ program, {counts[1] - counts[0]} pictures more, for each")
    print(f"{'':24}{'seconds':>9}{'processor':>11}" + "".join(f"{title:>18}" for title in TIMES))
    for name, flags in engines.items():
        costs: list[Cost] = []
        for count in counts:
            place = folder / f"out {name} {count}"
            place.mkdir()
            costs.append(run([str(program), *flags, f"--dataset_path={folder / str(count)}"], place))
        times = (place / "time_Result" / "test_perform_static.txt").read_text()
        cost = difference(*costs, counts)
        inner = "".join(f"{named_time(times, each):15.2f} ms" for each in TIMES.values())
        print(f"{name:24}{cost.seconds:9.3f}{cost.processor_seconds:11.3f}{inner}")


if __name__ == "__main__":
    run_command(main, "engines.py")
