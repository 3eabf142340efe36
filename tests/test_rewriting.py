"""How a source becomes one of the package: absolute imports by position, everything else as it was."""

import ast
from pathlib import Path

import pytest

from package.rewriting import SUITES, rewrite
from utils.tools import bundle

ROOT = Path(__file__).resolve().parent.parent
TESTS = {"tests", "conftest.py"}


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("utils/a.py", "from utils.b import c\n", "from mszoo.utils.b import c\n"),
        ("utils/a.py", "from utils import c\n", "from mszoo.utils import c\n"),
        ("utils/a.py", "import utils\n", "import mszoo.utils as utils\n"),
        ("utils/a.py", "import os, utils.b as b, utilsx\n", "import os, mszoo.utils.b as b, utilsx\n"),
        ("utils/a.py", "from utilsx import c\nfrom .utils import d\n", "from utilsx import c\nfrom .utils import d\n"),
        ("nas_fpn/train.py", "from src.train import train\n", "from mszoo.nas_fpn.src.train import train\n"),
        ("segformer/tools/a.py", "import src  # finds it\n", "import mszoo.segformer.src as src  # finds it\n"),
        ("utils/a.py", "from src import b\n", "from src import b\n"),  # nobody's of ours
        (
            "utils/a.py",
            'x = "from utils.b import c"  # import utils\n',
            'x = "from utils.b import c"  # import utils\n',
        ),
        ("utils/a.py", "from  utils . b  import (\n    c,\n)\n", None),
        (
            "utils/a.py",
            "def f():\n    'é'; from utils.b import c\n",
            "def f():\n    'é'; from mszoo.utils.b import c\n",
        ),
        ("utils/a.py", "try:\n    from utils.b import (\n        c,  # é\n    )\nexcept E:\n    pass\n", None),
        # a script of the package that runs as a file finds it in the folder that it is in, after all others
        (
            "utils/launch/a.py",
            "if x:\n    sys.path[0] = str(X)  # here\n",
            "if x:\n    sys.path[:] = [*sys.path[1:], str(Path(__file__).resolve().parents[3])]  # here\n",
        ),
        ("segformer/tools/a.py", "sys.path.insert(0, str(SUITE))\n", "pass\n"),
        (
            "nas_fpn/src/__init__.py",
            "def _put_utils_on_path():\n    sys.path.insert(0, 'x')\n    import utils\n\n\n_put_utils_on_path()\n",
            "\n\n\npass\n",
        ),
    ],
)
def test_a_source_is_rewritten_by_position(path, before, after):
    if after is None:  # as the tree says
        after = ast.unparse(ast.parse(before)).replace("from utils", "from mszoo.utils")
        assert ast.unparse(ast.parse(rewrite(before, path))) == after
    else:
        assert rewrite(before, path) == after


def test_an_import_that_binds_another_name_is_refused():
    with pytest.raises(ValueError, match=r"utils/a.py:2: `import utils.b` binds a name"):
        rewrite("x = 1\nimport utils.b\n", "utils/a.py")


def shipped_sources():
    for top in ("utils", *SUITES):
        for path in sorted((ROOT / top).rglob("*.py")):
            if not TESTS & set(path.relative_to(ROOT).parts):
                yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def test_the_suites_are_those_of_the_commands():
    assert SUITES == bundle.SUITES


def test_every_source_imports_the_package_alone_and_lets_the_path_be():
    for path, source in shipped_sources():
        rewritten = rewrite(source, path)
        tree = ast.parse(rewritten)
        modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 0]
        modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        assert not {"utils", "src", *SUITES} & {module.partition(".")[0] for module in modules}, path
        changed = [line for line in rewritten.splitlines() if "sys.path" in line]
        assert all(line.strip().startswith("sys.path[:] = [*sys.path[1:], ") for line in changed), path
        assert rewrite(rewritten, path).count("mszoo.mszoo") == 0


def test_names_of_modules_in_texts_come_from_one_helper():
    """`-m utils.a` or import_module("utils.a") would not be found in the package."""
    helpers = ("module_name", "module_command")
    found = []
    for path, source in shipped_sources():
        if path == "utils/installation.py":  # the helper itself
            continue
        tree = ast.parse(source)
        helped = {
            id(text)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (*helpers, "Command", "Action")  # their tables
            for text in ast.walk(node)
        }
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            if _is_module(text) and id(node) not in helped:
                found.append(f"{path}:{node.lineno}: {text}")
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                names = [ast.unparse(each.func) for each in ast.walk(node) if isinstance(each, ast.Call)]
                if not set(names) & set(helpers):
                    found.append(f"{path}:{node.lineno}: import_module without module_name")
    assert not found, "\n".join(found)


def _is_module(text: str) -> bool:
    parts = text.split(".")
    if len(parts) < 2 or parts[0] not in ("utils", *SUITES) or not all(part.isidentifier() for part in parts):
        return False
    place = ROOT.joinpath(*parts)
    return place.with_suffix(".py").is_file() or place.is_dir()
