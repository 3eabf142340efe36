"""Writes a JSON schema of the keys of each suite, SUITE/config/keys.schema.json, by which an editor checks YAML files.

python -m utils.tools.key_schemas

Run it after a change of a key; a test compares. A YAML file names its schema in a comment,
`# yaml-language-server: $schema=keys.schema.json`, which editors with the YAML language server read.
"""

import json
from pathlib import Path

from pydantic.fields import FieldInfo

from utils.api.suites import SUITES, open_config, suite_folder
from utils.model_utils.command import run_command
from utils.model_utils.config.base import Config, FieldKind, describe_wanted, field_kind
from utils.model_utils.config.key_names import ALIASES, right_name
from utils.model_utils.config.yaml_files import BASE_KEY
from utils.model_utils.files import write_file

FILE = Path("config/keys.schema.json")
DRAFT = "http://json-schema.org/draft-07/schema#"  # what the YAML language server reads
TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
LIMITS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}


def main() -> None:
    """Writes the files."""
    for suite in SUITES:
        path = suite_folder(suite) / FILE
        write_file(path, schema_text(suite).encode())
        print(path)


def schema_text(suite: str) -> str:
    """Returns the file of a suite."""
    keys = type(open_config(suite).load([]))
    properties = {
        BASE_KEY: {
            "description": "YAML files that this one builds on, relative to it",
            "type": ["string", "array", "null"],
            "items": {"type": "string"},
        },
        **{key: _property(field) for key, field in keys.model_fields.items()},
        **_other_names(keys),
        **{
            key: {"description": f"no effect: {rule.reason}", "deprecated": True}
            for key, rule in keys.inactive_keys().items()
        },
    }
    document = {
        "$schema": DRAFT,
        "title": f"Keys of {suite}",
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": properties,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _property(field: FieldInfo) -> dict[str, object]:
    """Describes what a YAML file may say behind a key."""
    kind = field_kind(field)
    default = list(field.default) if isinstance(field.default, tuple) else field.default
    said = {"description": f"{field.description} ({describe_wanted(field)})", "default": default}
    if kind.choices and not kind.is_list:
        return said | {"enum": [*kind.choices, *([None] if kind.is_optional else [])]}
    if kind.form:
        return said | {"type": [*kind.form.kinds, "null"]}
    if kind.is_list:
        has_numbers = kind.scalar is str and "Strict" in str(field.annotation)  # classes by name or by id
        items = {"type": ["string", "integer"] if has_numbers else TYPES[kind.scalar]} | _limits(kind)
        items |= {"enum": [*kind.choices]} if kind.choices else {}
        count = {"minItems": kind.length, "maxItems": kind.length} if kind.length else {}
        return said | {"type": ["array", "null"], "items": items} | count
    may_be_null = kind.is_optional or kind.scalar is str  # null clears a text
    return said | {"type": [TYPES[kind.scalar], "null"] if may_be_null else TYPES[kind.scalar]} | _limits(kind)


def _limits(kind: FieldKind) -> dict[str, object]:
    return {
        name: getattr(limit, attribute)
        for limit in kind.limits
        for attribute, name in LIMITS.items()
        if getattr(limit, attribute, None) is not None
    }


def _other_names(keys: type[Config]) -> dict[str, object]:
    """Describes the other names under which keys are taken."""
    names = {name: right_name(keys, name) for name in ALIASES}
    return {
        name: _property(keys.model_fields[key])
        | {"description": f"another name of {key}: {keys.model_fields[key].description}"}
        for name, key in names.items()
        if key != name and key in keys.model_fields
    }


if __name__ == "__main__":
    run_command(main, "key_schemas")
