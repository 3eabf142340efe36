"""The import rules of the architecture, as a walk over a file's syntax tree."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

SUITES = ("faster_rcnn", "segformer", "nas_fpn")
CLOUD_CLIENTS = ("moxing", "obs", "boto3", "botocore")
CPU_VARIABLE_HOME = "utils/__init__.py"

OTHER_SUITE = "a suite never imports another suite"
UTILS_SUITE = "utils never imports a suite"
UTILS_BACK = "inside utils, model_utils is imported by the other rooms and imports none of them, but in its tests"
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
    broken += _cloud_imports(tree, path)
    if not _is_test(path):
        broken += [(node.lineno, AT_IMPORT) for node in tree.body if not _is_definition(node, path)]
    return [Violation(path, line, rule) for line, rule in sorted(set(broken))]


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yields line and module of every absolute import; relative ones stay inside their package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module or ""


def _broken_by_import(path: str, module: str) -> Iterator[str]:
    parts, home = module.split("."), PurePosixPath(path).parts
    in_suite = home[0] in SUITES
    in_src = in_suite and len(home) > 2 and home[1] == "src"
    if parts[0] in SUITES and in_suite and parts[0] != home[0]:
        yield OTHER_SUITE
    if parts[0] in SUITES and home[0] == "utils":
        yield UTILS_SUITE
    is_of_model_utils = home[:2] == ("utils", "model_utils") and not _is_test(path)
    if is_of_model_utils and parts[0] == "utils" and len(parts) > 1 and parts[1] != "model_utils":
        yield UTILS_BACK
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


def _is_test(path: str) -> bool:
    return "tests" in PurePosixPath(path).parts or path.endswith("conftest.py")


def _is_definition(node: ast.stmt, path: str) -> bool:
    """Says whether a top-level statement only defines something."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test) in ("__name__ == '__main__'", "not __package__", "TYPE_CHECKING")
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        name = ast.unparse(node.value.func)
        puts_utils_on_path = path.endswith("src/__init__.py") and name == "_put_utils_on_path"
        return puts_utils_on_path or (path == CPU_VARIABLE_HOME and name == "prepare_cpu_environment")
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, _DEFINITIONS)
