"""Who may open a file for writing, as a walk over a file's syntax tree: the one writer, and a few others."""

import ast
from collections.abc import Iterator
from pathlib import PurePosixPath

WRITER = "utils/model_utils/files.py"
RULE = f"files are written by write_file or replaced_file of {WRITER}: whole or not at all, with a sentence"
# What calls have in common that make or change a file, by the last part of their name.
WRITING = {
    "write_text",
    "write_bytes",
    "imwrite",
    "savez",
    "savez_compressed",
    "savetxt",
    "tofile",
    "savefig",
    "copyfile",
    "copy2",
    "copytree",
    "to_csv",
    "FileHandler",
    "FileWriter",
    "VideoWriter",
    "extractall",
}
OWNERS = {  # calls of too common a name, with what they belong to
    "save": ("np", "numpy", "Image", "torch", "fromarray"),
    "dump": ("json", "pickle"),
    "copy": ("shutil",),
    "move": ("shutil",),
    "export": ("ms", "mindspore"),
    "save_checkpoint": ("ms", "mindspore"),
}
WRITE_FLAGS = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_APPEND", "O_TRUNC"}
# Places that write without it, and why.
ALLOWED = {
    WRITER: "the writer itself",
    "utils/training/record/growing_file.py": "adds lines to a file, each whole",
    "utils/training/record/loggers/tensorboard.py": "adds events to a file, each in one piece",
    "utils/model_utils/host_lock.py": "a lock has no content",
    "utils/model_utils/in_use.py": "a lock has no content",
    "utils/model_utils/command.py": "opens the null device",
    "utils/model_utils/guards/checksums.py": "adds to files of a hidden folder, before the set in it is whole",
    "utils/model_utils/guards/exchange.py": "into memory",
    "utils/drawing/figures.py": "into memory",
    "utils/images.py": "into memory",
    "utils/launch/job.py": "makes the log that a worker adds to",
    "utils/launch/worker.py": "the log to which all output of a worker goes",
    "utils/launch/processes/logged_process.py": "the log to which all output of a process goes",
    "utils/launch/cpp_build.py": "a program of the cache, under another name until it is whole",
    "utils/cpu_kernels/library.py": "a library of the cache, in a temporary folder until it is whole",
    "utils/detection/data/mindrecord_writer.py": "MindRecord writes, in a hidden folder until the set is whole",
    "utils/videos/writing.py": "OpenCV writes, under a temporary name until the video is found whole",
    "utils/exporting/export.py": "MindSpore writes, in a hidden folder until the model is checked",
    "utils/exporting/primitives.py": "MindSpore writes, into a temporary folder",
    "utils/model_utils/storage/unpacking.py": "an archive, in a hidden folder until its last byte is read",
    "utils/model_utils/storage/result_uploader.py": "copies for the storage, in a temporary folder",
    "utils/tools/torture/bench.py": "copies of the data, and of what was lost, in a folder of the tool's own",
    "utils/tools/torture/watched.py": "the log to which all output of a training goes",
    "utils/tools/bundle.py": "a folder that takes its name when it is whole",
    "utils/models/download.py": "what has arrived of a download, which takes its name when it is checked",
    "package/hatch_build.py": "sources, in a temporary folder until the wheel is made; runs outside the environment",
    "package/requirements.py": "files of a checkout, whose earlier content git has; runs outside the environment",
    "utils/tools/mend_environment.py": "runs before anything of the repository can be imported",
}


def writings(source: str, path: str) -> Iterator[tuple[int, str]]:
    """Yields line and text of every call in a file that opens a file for writing.

    Args:
        source: of the file.
        path: POSIX, relative to the repository.
    """
    for node in ast.walk(ast.parse(source, path)):
        if isinstance(node, ast.Call) and _writes(node):
            yield node.lineno, ast.unparse(node.func)


def is_bound(path: str) -> bool:
    """Returns whether a file keeps the rule: those of suites and utils, tests apart."""
    parts = PurePosixPath(path).parts
    return "tests" not in parts and parts[0] not in ("tests", "benchmarks", "findings") and len(parts) > 1


def _writes(call: ast.Call) -> bool:
    parts = ast.unparse(call.func).replace("()", "").split(".")
    name, owner = parts[-1], parts[-2] if len(parts) > 1 else ""
    owner = owner.partition("(")[0]
    if name == "open":
        return _opens_for_writing(call, owner)
    if name in OWNERS:
        owners = OWNERS[name]
        return owner in owners or any(f"{each}." in ".".join(parts[:-1]) for each in owners)
    return name in WRITING


def _opens_for_writing(call: ast.Call, owner: str) -> bool:
    if owner == "os":
        return any(flag in ast.unparse(call) for flag in WRITE_FLAGS)
    position = 1 if owner in ("", "io", "gzip", "codecs") else 0
    modes = [each.value for each in call.keywords if each.arg == "mode"] + call.args[position : position + 1]
    return any(isinstance(mode, ast.Constant) and set(str(mode.value)) & set("wax+") for mode in modes)
