"""What the messages of the repository advise, and whether it exists: keys, flags, files and commands.

A message is a text in the source: a literal of Python or C++, what a shell script prints or says in its comments. It is
held against every command that can come to it, found by following names from the `main` of each command; a class counts
as a whole. What a command takes are the keys of its suite's schema or the arguments of its parser.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import PurePosixPath

from utils.api.suites import SUITES

HOLE = "{}"  # what stands in a message for a value

# Files that are named but lie in no checkout, each with the source that writes or defines its name.
WRITTEN = {
    "config.yaml": "utils/training/record/run_folder.py",
    "metrics.jsonl": "utils/model_utils/files.py",
    "jobstart_hccl.json": "utils/hccl_tools/tables/table_file.py",
    "result_Files.json": "utils/cpp_infer/src/result_files.cc",
    "predictions.json": "utils/detection/results/result_json.py",
    "result.json": "utils/model_utils/files.py",
    "build.log": "utils/launch/infer_310.py",
    "infer.log": "utils/launch/infer_310.py",
    "acc.log": "utils/launch/infer_310.py",
    "loss_0.log": "faster_rcnn/src/train.py",
}
STARTERS = (
    "utils/launch/",
    "utils/tools/",
    "utils/cpp_infer/",
    "utils/training/averaging/",
)  # what they say is about the commands of every suite
LAUNCHER = "a launcher's"  # --flag: of those that start several processes
ACTIONS = "utils/tools/data/__main__.py"  # whose table of this name says by a text which `main` an action has
DOORS = {"open_build": "build"}  # what opens a module of the suite that is asked for
CONFIG = "config_path"  # what every command has that reads a suite's keys
ANY_KEY = ("key", "name")  # stand for the name of one
FOREIGN = ("tar", "zip", "pip", "docker", "cmake")  # programs of others, whose arguments are not looked at
FOREIGN_FILES = ("set_env.sh",)  # of CANN

_FLAG = re.compile(r"(?<![\w-])--([A-Za-z][\w-]*)")
_SCRIPT = re.compile(rf"[\w./-]*?\b[\w-]+\.(?:py|sh)\b|{LAUNCHER}")
_FILE = re.compile(r"(?<![\w.*{}<>/-])(?:[\w.-]+/)*[\w-]+\.(?:py|sh|ya?ml|jsonl?|toml|md|txt|log|lock)\b(?![*{}(])")
_VERBS = (
    r"set|sets|lower|raise|give|leave|clear|correct|remove|check|list|choose another|give another|choose its"
    r"|the key|keys?|names? in|allow|see"
)
_NAME = r"([a-z]\w*_\w+)"
_ADVISED = (
    re.compile(rf"\b(?:{_VERBS}) (?:(?:one|all|any) of )?{_NAME}\b(?!\.\w|\()"),
    re.compile(r"\bset ([a-z]\w*)(?: to |=)"),
    re.compile(rf"(?<=[a-z;:] ){_NAME}=(?!=)"),
    re.compile(rf"\b(?:in|or|and) {_NAME} (?:to|out)\b"),
)
_KEY = re.compile(r"(?<![\w.'\"-])[a-z]+_\w+(?![\w.'\"(])")
_PRONOUNS = {"it", "them", "this", "these", "one"}


@dataclass(frozen=True)
class Message:
    """A text, and where it stands: file relative to the repository, line, name of the top-level definition."""

    path: str
    line: int
    text: str
    home: str = ""


@dataclass(frozen=True)
class Command:
    """What can be typed after a command.

    Attributes:
        path: of the script, relative to the repository.
        names: keys and flags, without dashes.
    """

    path: str
    names: frozenset[str]

    @property
    def suite(self) -> str:
        """Name of its suite, "" where it is of none."""
        first = self.path.split("/")[0]
        return first if first in SUITES else ""

    def is_meant_by(self, script: str, asking: "Command") -> bool:
        """Says whether a message of the command `asking` means this one by the name of a script."""
        if script == LAUNCHER:
            return self.path == "utils/launch/distribute.py"
        return f"/{self.path}".endswith(f"/{script.lstrip('/')}") and self.suite in ("", asking.suite or self.suite)


@dataclass
class Module:
    """A Python file: its definitions, what each refers to, and its messages."""

    path: str
    tree: ast.Module
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)

    @cached_property
    def parts(self) -> dict[str, list[ast.stmt]]:
        """Top-level statements by the names that they define; "__main__" is what runs."""
        parts: dict[str, list[ast.stmt]] = {}
        for node in self.tree.body:
            for name in _names_of(node):
                parts.setdefault(name, []).append(node)
        return parts

    def messages(self) -> Iterator[Message]:
        """Yields every literal but docstrings; values in f-strings are holes."""
        for name, nodes in self.parts.items():
            for node in nodes:
                yield from (Message(self.path, line, text, name) for line, text in _texts(node))


def _names_of(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
    return [] if isinstance(node, ast.Import | ast.ImportFrom) else ["__main__"]


def _texts(root: ast.AST) -> Iterator[tuple[int, str]]:
    """Yields line and text of the literals beneath a node that are said to somebody.

    Of texts without a space these are the flags that a call or a default hands to what says them, as in
    `check_output(path, "--output")`; one in a list is a part of a command line, one by itself a name.
    """
    if isinstance(root, ast.Expr) and isinstance(root.value, ast.Constant):
        return  # a docstring
    hands_on = isinstance(root, ast.Call | ast.keyword | ast.arguments | ast.IfExp) and not _is_declaration(root)
    for node in ast.iter_child_nodes(root):
        text = None if isinstance(root, ast.JoinedStr) else _literal(node)
        if text is not None and (" " in text.strip() or (hands_on and text.startswith("--"))):
            yield node.lineno, text
        if not (isinstance(root, ast.JoinedStr) and isinstance(node, ast.Constant)):
            yield from _texts(node)


def _literal(node: ast.AST) -> str | None:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else _shown(part) for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _shown(part: ast.FormattedValue) -> str:
    """Returns what a value in a text is known to be: the file of `shown_file("FILE")`; else a hole."""
    call = part.value
    is_file = isinstance(call, ast.Call) and ast.unparse(call.func) == "shown_file"
    return call.args[0].value if is_file else HOLE


def _is_declaration(node: ast.AST) -> bool:
    """Says whether a call takes flags as what they are, not as a part of a sentence."""
    called = getattr(node, "func", None)
    return getattr(called, "attr", getattr(called, "id", "")) in ("add_argument", "startswith", "_pip")


def _references(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yields the names that a node uses, with the attribute taken of each or ""; annotations are no use."""
    opened = node.value.func if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Call) else None
    if isinstance(opened, ast.Name) and opened.id in DOORS:
        yield opened.id, node.attr
        yield from _references(node.value)
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        yield node.value.id, node.attr
    elif isinstance(node, ast.Name):
        yield node.id, ""
    else:
        for name, value in ast.iter_fields(node):
            if name not in ("annotation", "returns"):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        yield from _references(child)


class Sources:
    """The Python files of a tree, and who comes to what in them."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """Takes sources by their path."""
        self.modules = {path: Module(path, ast.parse(text, path)) for path, text in texts.items()}
        for module in self.modules.values():
            self._read_imports(module)

    def _read_imports(self, module: Module) -> None:
        home = PurePosixPath(module.path)
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ImportFrom):
                continue
            base = home.parents[node.level - 1] if node.level else PurePosixPath()
            if not node.level and (node.module or "").split(".")[0] == "src":
                base = PurePosixPath(module.path.split("/")[0])
            folder = base.joinpath(*(node.module or "").split(".")) if node.module else base
            for alias in node.names:
                file, inner = self._file(folder), self._file(folder / alias.name)
                if inner and not (file and alias.name in self.modules[file].parts):
                    module.imports[alias.asname or alias.name] = (inner, "")
                elif file:
                    module.imports[alias.asname or alias.name] = (file, alias.name)

    def _file(self, folder: PurePosixPath) -> str:
        return next((name for name in (f"{folder}.py", f"{folder}/__init__.py") if name in self.modules), "")

    def _module(self, name: str) -> str:
        """Returns the file of a module by its full name, "" for any other text."""
        return self._file(PurePosixPath(name.replace(".", "/")))

    def entries(self) -> list[str]:
        """Returns the files that can be run."""
        return [path for path, module in self.modules.items() if any(map(_starts_main, module.tree.body))]

    @cache  # noqa: B019  (one object in a process)
    def _next(self, path: str, name: str) -> tuple[tuple[str, str], ...]:
        return tuple(self._followers(path, name))

    def reached_from(self, entry: str) -> set[tuple[str, str]]:
        """Returns (file, definition) of everything that a command can come to."""
        waiting = [(entry, "__main__")]
        home = f"{entry.split('/')[0]}/src/__init__.py"  # runs when a command of the suite starts
        waiting += [(home, name) for name in self.modules[home].parts] if home in self.modules else []
        reached: set[tuple[str, str]] = set()
        while waiting:
            place = waiting.pop()
            if place not in reached:
                reached.add(place)
                waiting += self._next(*place)
        return reached

    def _followers(self, path: str, name: str) -> Iterator[tuple[str, str]]:
        module = self.modules[path]
        for node in module.parts.get(name, ()):
            for used, attribute in _references(node):
                if used in DOORS and attribute:
                    yield from ((f"{suite}/src/{DOORS[used]}.py", attribute) for suite in SUITES)
                elif used in module.parts:
                    yield path, used
                elif used in module.imports:
                    file, inner = module.imports[used]
                    yield file, inner or attribute
            if path == ACTIONS and name == "ACTIONS":
                named = (_literal(each) for each in ast.walk(node))
                yield from ((file, "main") for text in named if text and (file := self._module(text)))
        if name not in module.parts and name in module.imports:  # handed on
            file, inner = module.imports[name]
            yield file, inner

    def messages(self) -> Iterator[Message]:
        """Yields the messages of all files."""
        for module in self.modules.values():
            yield from module.messages()

    def constants(self, reached: set[tuple[str, str]], folder: str) -> set[str]:
        """Returns the texts of the constants of a folder that are reached."""
        inside = [(path, name) for path, name in reached if path.startswith(folder) and name.isupper()]
        parts = [node for path, name in inside for node in self.modules[path].parts.get(name, ())]
        return {text for part in parts for node in ast.walk(part) if (text := _literal(node)) is not None}

    def arguments(self, reached: set[tuple[str, str]]) -> set[str]:
        """Returns the flags of the parsers in what is reached."""
        return {flag for place in reached for flag in self._arguments_of(*place)}

    @cache  # noqa: B019  (one object in a process)
    def _arguments_of(self, path: str, name: str) -> frozenset[str]:
        parts = self.modules[path].parts.get(name, ())
        calls = [(node, part) for part in parts for node in ast.walk(part) if isinstance(node, ast.Call)]
        added = [_flags_added(*each) for each in calls if getattr(each[0].func, "attr", "") == "add_argument"]
        return frozenset().union(*added)


def _starts_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def _flags_added(call: ast.Call, home: ast.AST) -> set[str]:
    """Returns the flags of an `add_argument`; one with a hole stands for all words of the function around it."""
    if any(isinstance(argument, ast.JoinedStr) for argument in call.args):
        words = [node.value for node in ast.walk(home) if isinstance(node, ast.Constant)]
        return {word for word in words if isinstance(word, str) and re.fullmatch(r"[a-z]+", word)}
    named = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    return {name.removeprefix("--") for name in named if name.startswith("--")}


def faults(message: Message, asking: Command, commands: Iterable[Command], files: Set[str]) -> Iterator[str]:
    """Yields what a message names that the command it comes from does not have.

    Args:
        message: the message.
        asking: the command that shows it.
        commands: all of them, for messages that name another.
        files: those of the repository.
    """
    for flag, script in flags_in(message.text):
        takers = [each for each in commands if each.is_meant_by(script, asking)] if script else [asking]
        if not any(flag in each.names for each in takers):
            yield f"--{flag} is no argument of {script or asking.path}"
    keys = set(keys_in(message.text))
    if CONFIG in asking.names:  # speaks of keys: of one that other suites have, whatever it says
        keys |= set(_KEY.findall(message.text)) & {
            name for each in commands if CONFIG in each.names for name in each.names
        }
    for key in sorted(keys - asking.names):
        yield f"{key} is no key of {asking.path}"
    for file in files_in(message.text):
        if file not in FOREIGN_FILES and not _is_there(file, asking, files):
            yield f"{file} is not there for {asking.path}"


def _is_there(file: str, asking: Command, files: Set[str]) -> bool:
    """Says whether a file is in the repository, in the command's folder, its suite or, for a launcher, every suite."""
    if file in files or file in WRITTEN or f"{PurePosixPath(asking.path).parent}/{file}" in files:
        return True
    suites = [asking.suite] if asking.suite else SUITES if asking.path.startswith(STARTERS) else ()
    return bool(suites) and all(files & {f"{suite}/{file}", f"{suite}/scripts/{file}"} for suite in suites)


def flags_in(text: str) -> list[tuple[str, str]]:
    """Returns the flags that a text names, each with the script that it is given to, "" where the text names none."""
    found = []
    for match in _FLAG.finditer(text):
        if match[1] in ANY_KEY:
            continue
        before = re.split(r"[,;:`()](?!\w)|\.\s(?=[A-Z])", text[: match.start()])[-1]
        scripts = _SCRIPT.findall(before)
        if not any(re.search(rf"\b{program}\b", before) for program in FOREIGN):
            found.append((match[1], scripts[-1] if scripts else ""))
    return found


def keys_in(text: str) -> list[str]:
    """Returns the names that a text advises to set, lower, leave out and so on."""
    text = _FLAG.sub(" ", text)
    found = [match[1] for pattern in _ADVISED for match in pattern.finditer(text)]
    return sorted(set(found) - _PRONOUNS)


def files_in(text: str) -> list[str]:
    """Returns the files that a text names in full."""
    return _FILE.findall(
        re.sub(r"e\.g\. \S+/instances_\S+|\w+_RANK\.|(?<=python ){}/", "", text)
    )  # an example out of COCO; a number; a suite


def shell_messages(path: str, text: str) -> list[Message]:
    """Returns the comments of a shell script and what it prints."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        printed = re.search(r"\b(?:echo|printf|die|environment_die)\b.*", line)
        comment = re.match(r"\s*# (?!shellcheck)(.*)", line)
        texts = [comment[1]] if comment else re.findall(r'"([^"]*)"', printed[0]) if printed else []
        said = [each for each in texts if comment or " " in each]
        found += [Message(path, number, re.sub(r"\$\{[^}]*\}|\$\([^)]*\)|\$\w+", HOLE, each)) for each in said]
    return found


def cpp_messages(path: str, text: str) -> list[Message]:
    """Returns the string literals of a C++ file, those of one expression joined, a hole for each value between them."""
    literal, between = r'"(?:[^"\\\n]|\\.)*"', r"\s*(?:\+\s*[\w.:()\->]+\s*)?\+?\s*"
    found = []
    for match in re.finditer(f"{literal}(?:{between}{literal})*", text):
        said = re.sub(f'"({between})"', lambda gap: HOLE if re.search(r"\w", gap[1]) else "", match[0])
        if " " in said:
            found.append(Message(path, text.count("\n", 0, match.start()) + 1, said.strip('"')))
    return found
