"""The import rules of the architecture, as a walk over a file's syntax tree, and how full a folder may be."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from utils.api.suites import SUITES

CLOUD_CLIENTS = ("moxing", "obs", "boto3", "botocore")
PREPARING_FILE = "utils/__init__.py"
PREPARATIONS = ("prepare_cpu_environment", "refuse_other_pythons")  # before anything else is imported
SUITES_DOOR = "utils/api/suites.py"  # the one place where utils imports a suite, by name
DOOR_USERS = ("utils/api/", "utils/cli/", "utils/tools/")

# The rooms of utils from the ground up. A file stands in the longest place that its path begins with; it imports from
# its own place and from lower floors, so that nothing points back and rooms of one floor know nothing of each other.
FLOORS = (
    ("utils/installation", "utils/words"),
    ("utils/model_utils",),
    ("utils/model_utils/storage",),
    ("utils/model_utils/config",),
    ("utils/model_utils/moxing_adapter", "utils"),  # "utils": the files beside the rooms
    ("utils/models", "utils/api/suites"),
    (
        "utils/checking",
        "utils/cpp_infer",
        "utils/cpu_kernels",
        "utils/data_sets",
        "utils/drawing",
        "utils/hccl_tools/tables",
        "utils/sample_data",
        "utils/tools",
        "utils/videos",
    ),
    ("utils/exporting", "utils/hccl_tools", "utils/launch/processes", "utils/reports", "utils/training/checkpoints"),
    ("utils/engines",),
    ("utils/launch", "utils/tools/ascend_check", "utils/tools/torture", "utils/training/record", "utils/training/step"),
    ("utils/training/pictures",),
    ("utils/training", "utils/detection/annotations", "utils/detection/boxes"),
    ("utils/forms",),
    ("utils/detection/data",),
    ("utils/detection/canvases/plan",),
    ("utils/detection",),
    (
        "utils/detection/canvases",
        "utils/detection/copy_paste",
        "utils/detection/evaluated",
        "utils/detection/test_time",
    ),
    ("utils/detection/results",),
    ("utils/detection/show",),
    ("utils/detection/builders",),
    ("utils/detection/checking",),
    ("utils/api", "utils/doctor", "utils/tools/compare", "utils/tools/data"),
    ("utils/cli",),
)
# Python files of a folder, tests apart: more are hard to look over. The kernels have a file for each operator.
MOST_FILES, MOST_KERNELS, MOST_OF_SRC = 13, 20, 20

OTHER_SUITE = "a suite never imports another suite"
UTILS_SUITE = f"utils never imports a suite, but for {SUITES_DOOR}, by name"
DOOR = f"only the Python API, the command line and utils/tools go through {SUITES_DOOR}"
UTILS_BACK = "inside utils nothing points back: a room imports those below it in FLOORS of tests/import_rules.py"
NO_PLACE = "a room of utils has its place in FLOORS of tests/import_rules.py"
SEGMENTATION = "segformer imports nothing of utils.detection"
BENCHMARKS = "nothing imports benchmarks"
RELATIVE = "inside src, imports of src are relative"
ENTRY = "entry scripts say `from src...`"
TESTS = "tests say `from SUITE.src...`"
AT_IMPORT = "nothing runs at import but definitions"
CLOUD = "cloud clients are imported inside a function of moxing_adapter.py, nowhere else"

_DEFINITIONS = (
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
)


@dataclass(frozen=True)
class Violation:
    """One broken rule; prints as `file:line: sentence`."""

    path: str
    line: int
    rule: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}"


def check_file(root: Path, path: Path) -> list[Violation]:
    """Returns what `path` breaks; `root` is the repository."""
    return check_source(path.read_text(encoding="utf-8"), path.relative_to(root).as_posix())


def check_source(source: str, path: str) -> list[Violation]:
    """Returns what `source` breaks, were it the file `path` (POSIX, relative to the repository)."""
    tree = ast.parse(source, path)
    broken = [(line, rule) for line, name in _imports(tree) for rule in _broken_by_import(path, name)]
    broken += [(line, UTILS_SUITE) for line in _imports_by_name(tree) if _is_in_utils(path) and path != SUITES_DOOR]
    if _is_in_utils(path) and _place(path) == "utils" and path.count("/") > 1:
        broken.append((1, NO_PLACE))
    broken += _cloud_imports(tree, path)
    if not _is_test(path):
        broken += [(node.lineno, AT_IMPORT) for node in tree.body if not _is_definition(node, path)]
    return [Violation(path, line, rule) for line, rule in sorted(set(broken))]


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yields line and full name of every absolute import; relative ones stay inside their package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _imports_by_name(tree: ast.AST) -> Iterator[int]:
    """Yields the line of every call that imports a module by a text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            yield node.lineno


def _place(path: str) -> str:
    """Returns the place of `FLOORS` in which a path inside utils stands."""
    places = (place for floor in FLOORS for place in floor)
    return max((place for place in places if f"{path.removesuffix('.py')}/".startswith(f"{place}/")), key=len)


def _floor(place: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if place in floor)


def _points_back(path: str, name: str) -> bool:
    own, other = _place(path), _place(name.replace(".", "/"))
    return own != other and _floor(own) <= _floor(other)


def crowded_folders(files: Iterable[str]) -> list[str]:
    """Returns a sentence for each folder that has more Python files than it may; `files`: as for `check_source`."""
    counts = Counter(str(PurePosixPath(path).parent) for path in files if path.endswith(".py") and not _is_test(path))
    found = []
    for folder, count in counts.items():
        parts = folder.split("/")
        most = MOST_OF_SRC if parts[0] in SUITES else MOST_KERNELS if parts[1:2] == ["cpu_kernels"] else MOST_FILES
        if parts[0] in ("utils", *SUITES) and count > most:
            found.append(f"{folder} has {count} Python files, at most {most} can be looked over: make rooms in it")
    return found


def _broken_by_import(path: str, module: str) -> Iterator[str]:
    parts, home = module.split("."), PurePosixPath(path).parts
    in_suite = home[0] in SUITES
    in_src = in_suite and len(home) > 2 and home[1] == "src"
    if parts[0] in SUITES and in_suite and parts[0] != home[0]:
        yield OTHER_SUITE
    if parts[0] in SUITES and home[0] == "utils":
        yield UTILS_SUITE
    if module.startswith("utils.api.suites") and not _is_test(path) and not path.startswith(DOOR_USERS):
        yield DOOR
    if _is_in_utils(path) and parts[0] == "utils" and len(parts) > 1 and _points_back(path, module):
        yield UTILS_BACK
    if home[0] == "segformer" and parts[:2] == ["utils", "detection"] and not _is_test(path):
        yield SEGMENTATION
    if parts[0] == "benchmarks" and home[0] != "benchmarks" and not _is_test(path):
        yield BENCHMARKS
    if in_src and not _is_test(path) and (parts[0] == "src" or parts[:2] == [home[0], "src"]):
        yield RELATIVE
    if in_suite and not in_src and not _is_test(path) and parts[:2] == [home[0], "src"]:
        yield ENTRY
    if in_suite and _is_test(path) and parts[0] == "src":
        yield TESTS


def _cloud_imports(tree: ast.Module, path: str) -> list[tuple[int, str]]:
    inside_functions = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    at_home = path.endswith("model_utils/moxing_adapter.py")
    found = []
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
        is_cloud = any(name.split(".")[0] in CLOUD_CLIENTS for name in names)
        if is_cloud and not _is_test(path) and not (at_home and id(node) in inside_functions):
            found.append((node.lineno, CLOUD))
    return found


def _is_in_utils(path: str) -> bool:
    return path.startswith("utils/") and not _is_test(path)


def _is_test(path: str) -> bool:
    return "tests" in PurePosixPath(path).parts or path.endswith("conftest.py")


def _is_definition(node: ast.stmt, path: str) -> bool:
    """Says whether a top-level statement only defines something."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test) in ("__name__ == '__main__'", "not __package__", "TYPE_CHECKING")
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        name = ast.unparse(node.value.func)
        puts_utils_on_path = path.endswith("src/__init__.py") and name == "_put_utils_on_path"
        return puts_utils_on_path or (path == PREPARING_FILE and name in PREPARATIONS)
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, _DEFINITIONS)
