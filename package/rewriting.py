"""Turns a source of the repository into one of the package `mszoo`: absolute imports get its name before them.

Everything else of a file stays as it is, byte for byte: the places come from its syntax tree. Standard library only.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

PACKAGE = "mszoo"
SUITES = ("faster_rcnn", "nas_fpn", "segformer")
TOP_LEVEL = ("utils", *SUITES)
PUTS_UTILS_ON_PATH = "_put_utils_on_path"  # in src/__init__.py: an installed package finds `utils` without it


@dataclass(frozen=True)
class _Change:
    """Bytes of a source that are replaced: from `start` to before `end`."""

    start: int
    end: int
    text: str


def rewrite(source: str, path: str) -> str:
    """Returns `source` as it stands in the package.

    Args:
        source: of a Python file.
        path: of the file in the repository, POSIX.

    Raises:
        ValueError: it has an import that cannot be rewritten.
    """
    tree = ast.parse(source, path)
    content = source.encode()
    starts = [0]
    for line in content.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    changes = sorted(_changes(tree, path, content, starts), key=lambda change: change.start)
    for change in reversed(changes):
        content = content[: change.start] + change.text.encode() + content[change.end :]
    return content.decode()


def _changes(node: ast.AST, path: str, content: bytes, starts: list[int]) -> Iterator[_Change]:
    own = list(_own_changes(node, path, content, starts))
    yield from own
    if not own:  # what lies in a replaced place goes with it
        for child in ast.iter_child_nodes(node):
            yield from _changes(child, path, content, starts)


def _own_changes(node: ast.AST, path: str, content: bytes, starts: list[int]) -> Iterator[_Change]:
    if isinstance(node, ast.Import):
        yield from (_import_change(alias, path, starts) for alias in node.names if _prefix(alias.name, path))
    elif isinstance(node, ast.ImportFrom) and node.level == 0 and _prefix(node.module, path):
        start, end = _extent(node, starts)
        place = start + re.match(rb"from[\s\\]+", content[start:end]).end()
        yield _Change(place, place, _prefix(node.module, path))
    elif _is_call_of(node, "sys.path.insert") or _is_call_of(node, PUTS_UTILS_ON_PATH):
        yield _Change(*_extent(node, starts), "pass")
    elif isinstance(node, ast.FunctionDef) and node.name == PUTS_UTILS_ON_PATH:
        yield _Change(*_extent(node, starts), "")
    elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "sys.path[0]":
        # Not the script's folder, and last: where packages are installed a typing.py may lie, older than Python's own.
        above = len(PurePosixPath(path).parts)  # the package's own folder is one more than the repository's
        folder = f"str(Path(__file__).resolve().parents[{above}])"
        yield _Change(*_extent(node, starts), f"sys.path[:] = [*sys.path[1:], {folder}]")


def _import_change(alias: ast.alias, path: str, starts: list[int]) -> _Change:
    if "." in alias.name and alias.asname is None:
        raise ValueError(f"{path}:{alias.lineno}: `import {alias.name}` binds a name that the package lacks: use from")
    start, end = _extent(alias, starts)
    prefix = _prefix(alias.name, path)
    if alias.asname:
        return _Change(start, start, prefix)
    return _Change(start, end, f"{prefix}{alias.name} as {alias.name}")


def _prefix(module: str, path: str) -> str:
    """Returns what stands before the name of a module in the package; "" where it is someone else's."""
    top, suite = module.partition(".")[0], PurePosixPath(path).parts[0]
    if top in TOP_LEVEL:
        return f"{PACKAGE}."
    return f"{PACKAGE}.{suite}." if top == "src" and suite in SUITES else ""


def _extent(node: ast.AST, starts: list[int]) -> tuple[int, int]:
    return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset


def _is_call_of(node: ast.AST, function: str) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == function
