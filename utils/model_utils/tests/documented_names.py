"""Takes the names that a suite's page promises out of its text: YAML keys, ModelArts settings, command flags.

Used by the tests of the suites; each keeps a copy of the names, since the pages are not part of the repository.
"""

import re
from pathlib import Path

import pytest

SPEC_FOLDER = Path(__file__).resolve().parents[4] / "shared" / "spec"
ENTRY_SCRIPTS = ("train", "eval", "infer", "export", "create_data", "convert_checkpoint", "postprocess")

FENCE = re.compile(r"^[ \t]*```(?P<title>[^\n]*)\n(?P<body>.*?)^[ \t]*```", re.MULTILINE | re.DOTALL)
YAML_LINE = re.compile(r"^[ ]*\"?(?P<key>[A-Za-z_]\w*)\"?[ ]*:(?:[ ]|\[|$)", re.MULTILINE)
SETTING = re.compile(r"(?:设置|[Ss]et|[Aa]dd|增加|路径|配置文件的路径)[ ]*\"(?P<key>_?[a-z]\w*)[ ]*[=:]")
FLAG = re.compile(r"[ ]--(?P<key>_?[A-Za-z][\w-]*)")
COMMAND = re.compile(rf"^.*\bpython[ ]+(?:{'|'.join(ENTRY_SCRIPTS)})\.py\b(?P<flags>.*)$", re.MULTILINE)


def read_page(name: str) -> str:
    """Returns the text of a page; skips the test where the pages are not beside the checkout."""
    path = SPEC_FOLDER / name
    if not path.is_file():
        pytest.skip(f"{name} is not beside this checkout")
    return path.read_text(encoding="utf-8")


def yaml_keys(page: str, block_titles: tuple[str, ...]) -> set[str]:
    """Returns the keys of the code blocks that show YAML.

    Args:
        page: text of the page.
        block_titles: words after the opening fence of those blocks.
    """
    bodies = [match["body"] for match in FENCE.finditer(page) if match["title"].strip() in block_titles]
    return {match["key"] for body in bodies for match in YAML_LINE.finditer(body)}


def modelarts_settings(page: str) -> set[str]:
    """Returns the keys that the page says to set for ModelArts, as in `set "epoch_size=300"`."""
    return {match["key"] for match in SETTING.finditer(page)}


def command_flags(page: str) -> set[str]:
    """Returns the flags of the suite's own commands, without the hyphens."""
    return {flag["key"] for line in COMMAND.finditer(page) for flag in FLAG.finditer(line["flags"])}
