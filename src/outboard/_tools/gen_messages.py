"""Generate the message catalogue from the pinned supervisor schemas.

::

    python -m outboard._tools.gen_messages               # writes protocol/messages/_generated.py and __init__.pyi
    python -m outboard._tools.gen_messages --check       # exits 1 when they are stale
    python -m outboard._tools.gen_messages --pin FILE    # first pins a released schema.json, without its prose

A schema comes with each Task SDK, as ``airflow/sdk/execution_time/schema/schema.json``. What is pinned keeps names,
types, defaults and required-ness. See ``fixtures/README.md`` for which release each date comes from.

The catalogue is that of the newest date. Each date has only added to the one before, so beside it stands what each has added; a
schema that takes something away fails here. Messages of outboard's own are written by hand, in ``_own.py``; only the stub shows
them beside the others.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from outboard.protocol.messages._own import DEFINITIONS as OWN_DEFINITIONS

ROOT = Path(__file__).resolve().parents[3]
SCHEMAS = ROOT / "fixtures" / "schema"
PACKAGE = ROOT / "src" / "outboard" / "protocol" / "messages"
DATES = ("2026-06-16", "2026-10-30")

# The supervisor takes null here, the API behind it refuses it: the default is the empty list.
EMPTY_LISTS = {("SucceedTask", "task_outlets"), ("SucceedTask", "outlet_events")}

FORMATS = {"date-time": "datetime", "uuid": "uuid", "duration": "duration", "path": "str"}
SCALARS = {"string": "str", "integer": "int", "number": "number", "boolean": "bool", "null": "null"}
PYTHON_TYPES = {
    "any": "object", "bool": "bool", "datetime": "datetime", "duration": "timedelta", "int": "int",
    "json": "object", "null": "None", "number": "float", "str": "str", "uuid": "str",
}  # fmt: skip

# Keywords that this module understands, or that say nothing about what may be sent.
KEYWORDS = {
    "additionalProperties", "anyOf", "const", "default", "discriminator", "enum", "exclusiveMinimum", "format", "items",
    "maxItems", "minItems", "minimum", "oneOf", "prefixItems", "type", "$ref",
}  # fmt: skip

Schema = dict[str, Any]


def pin(source: Path) -> Path:
    """Keep a released schema without its prose. Returns the pinned file."""
    schema = json.loads(source.read_text())
    target = SCHEMAS / f"{schema['api_version']}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    definitions = {name: _without_prose(definition) for name, definition in sorted(schema["$defs"].items())}
    pinned = {"api_version": schema["api_version"], "$defs": definitions}
    target.write_text(json.dumps(pinned, indent=1, ensure_ascii=False) + "\n")
    return target


def _without_prose(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_prose(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {}
    for key, value in node.items():
        if key == "properties":
            kept[key] = {name: _without_prose(field) for name, field in value.items()}
        elif key not in ("description", "title", "examples"):
            kept[key] = value if key in ("default", "const", "enum", "required") else _without_prose(value)
    return kept


def type_of(node: Schema, definitions: Schema) -> Any:
    """The type expression of one property, as `outboard.protocol.codec` reads it."""
    unknown = set(node) - KEYWORDS
    if unknown:
        raise ValueError(f"keywords that nothing here understands: {', '.join(sorted(unknown))} in {node}")
    if "$ref" in node:
        return _referred(node["$ref"].rpartition("/")[2], definitions)
    if "const" in node:
        return ("enum", node["const"])
    if "enum" in node:
        return ("enum", *node["enum"])
    for key in ("anyOf", "oneOf"):
        if key in node:
            return _union([type_of(option, definitions) for option in node[key]])
    if node.get("type") == "array":
        return _array(node, definitions)
    if node.get("type") == "object":
        values = node.get("additionalProperties", True)
        return ("map", "any" if values is True else type_of(values, definitions))
    if "format" in node:
        return FORMATS[node["format"]]
    return _bounded(node, SCALARS[node["type"]]) if "type" in node else "any"


def _referred(name: str, definitions: Schema) -> Any:
    if name == "JsonValue":
        return "json"
    definition = definitions[name]
    # What is neither a structure nor an enumeration is only a name for its type.
    named = "properties" in definition or "enum" in definition
    return ("ref", name) if named else type_of(definition, definitions)


def _bounded(node: Schema, scalar: str) -> Any:
    if "exclusiveMinimum" in node:
        return ("above", node["exclusiveMinimum"], scalar)
    return ("least", node["minimum"], scalar) if "minimum" in node else scalar


def _array(node: Schema, definitions: Schema) -> Any:
    if "prefixItems" in node:
        return ("tuple", *(type_of(item, definitions) for item in node["prefixItems"]))
    items = node.get("items") or {}
    return ("list", type_of(items, definitions) if items else "any", node.get("minItems", 0))


def _union(options: list[Any]) -> Any:
    rest = [option for option in options if option != "null"]
    inner = rest[0] if len(rest) == 1 else ("union", *rest)
    return ("optional", inner) if len(rest) < len(options) else inner


def fields_of(name: str, definitions: Schema) -> list[tuple[str, Any, bool, Any]]:
    """Each field as (name, type expression, required, default)."""
    definition = definitions[name]
    required = set(definition.get("required", ()))
    fields = []
    for field, node in definition["properties"].items():
        if field == "type" and "const" in node:
            continue
        fields.append((field, type_of(node, definitions), field in required, _default(name, field, node)))
    return fields


def _default(name: str, field: str, node: Schema) -> Any:
    if (name, field) in EMPTY_LISTS:
        return []
    if "default" in node:
        return node["default"]
    return {"array": [], "object": {}}.get(node.get("type", ""))


def added(older: Schema, newer: Schema) -> dict[str, tuple[str, ...] | None]:
    """What a schema has added to the one before: names of fields by definition, None for one that is wholly new."""
    found: dict[str, tuple[str, ...] | None] = {}
    for name, definition in newer.items():
        if "properties" not in definition:
            continue
        if name not in older:
            found[name] = None
            continue
        before, after = older[name]["properties"], definition["properties"]
        if set(before) - set(after) or set(older[name].get("required", ())) != set(definition.get("required", ())):
            raise ValueError(f"{name} takes fields away, or changes which are required")
        if set(after) - set(before):
            found[name] = tuple(sorted(set(after) - set(before)))
    if set(older) - set(newer):
        raise ValueError(f"definitions are gone: {', '.join(sorted(set(older) - set(newer)))}")
    return found


def render_table(schemas: list[Schema]) -> str:
    """The module that holds the catalogue as data."""
    definitions = schemas[-1]["$defs"]
    lines = [
        '"""The message catalogue as data. Generated by outboard._tools.gen_messages; do not edit."""',
        "",
        f"SCHEMA_DATES = {tuple(schema['api_version'] for schema in schemas)!r}",
        "",
        "# date: {definition: (fields that it added) or None for a new definition}",
        "ADDED: dict[str, dict[str, tuple[str, ...] | None]] = {",
    ]
    for older, newer in itertools.pairwise(schemas):
        lines.append(f"    {json.dumps(newer['api_version'])}: {{")
        lines += [f"        {name!r}: {what!r}," for name, what in added(older["$defs"], newer["$defs"]).items()]
        lines.append("    },")
    lines += [
        "}",
        "",
        "# name: (values)",
        "ENUMS: dict[str, tuple[str, ...]] = {",
    ]
    for name, definition in definitions.items():
        if "enum" in definition:
            lines.append(f"    {json.dumps(name)}: {tuple(definition['enum'])!r},")
    lines += ["}", "", "# name: (is a message, forbids unknown fields, ((field, type, required, default), …))"]
    lines += ["DEFINITIONS: dict[str, tuple[bool, bool, tuple[tuple[str, object, bool, object], ...]]] = {"]
    for name, definition in definitions.items():
        if "properties" not in definition:
            continue
        is_message = "const" in definition["properties"].get("type", {})
        closed = definition.get("additionalProperties") is False
        lines.append(f"    {json.dumps(name)}: ({is_message}, {closed}, (")
        lines += [f"        {field!r}," for field in fields_of(name, definitions)]
        lines.append("    )),")
    return "\n".join([*lines, "}", ""])


def render_stub(schemas: list[Schema]) -> str:
    """The stub through which type checkers and editors see the classes."""
    definitions = schemas[-1]["$defs"]
    enums = {name: definition["enum"] for name, definition in definitions.items() if "enum" in definition}
    classes = [name for name, definition in definitions.items() if "properties" in definition]
    lines = [
        "# Generated by outboard._tools.gen_messages; do not edit.",
        "from datetime import datetime, timedelta",
        "from typing import Any, ClassVar, Final, Literal, TypeAlias",
        "",
        "SCHEMA_DATES: Final[tuple[str, ...]]",
        "ADDED: Final[dict[str, dict[str, tuple[str, ...] | None]]]",
        "TERMINAL: Final[frozenset[str]]",
        "TASK_GREETING: Final[str]",
        "PARSE_GREETING: Final[str]",
        "PARSE_RESULT: Final[str]",
        "TRIGGER_GREETING: Final[str]",
        "TRIGGER_REPORTS: Final[frozenset[str]]",
        "OWN: Final[frozenset[str]]",
        "MESSAGES: Final[frozenset[str]]",
        "DEFINED: Final[frozenset[str]]",
        "",
        "class Message:",
        "    is_message: ClassVar[bool]",
        "    closed: ClassVar[bool]",
        "    spec: ClassVar[tuple[tuple[str, Any, bool, Any], ...]]",
        "    def __eq__(self, other: object) -> bool: ...",
        "",
        "def definition(name: str) -> type[Message]: ...",
        "def enum_values(name: str) -> tuple[str, ...] | None: ...",
        "",
    ]
    lines += [f"{name}: TypeAlias = Literal[{', '.join(map(json.dumps, values))}]" for name, values in enums.items()]
    for name in classes:
        is_message = "const" in definitions[name]["properties"].get("type", {})
        lines += ["", *_stub_class(name, is_message, fields_of(name, definitions))]
    for name, (is_message, _, fields) in OWN_DEFINITIONS.items():
        lines += ["", *_stub_class(name, is_message, fields)]
    return "\n".join([*lines, ""])


def _stub_class(name: str, is_message: bool, fields: Iterable[tuple[str, Any, bool, Any]]) -> list[str]:
    lines = [f"class {name}(Message):"]
    if is_message:
        lines.append("    type: ClassVar[str]")
    lines += [f"    {field}: {_python_type(kind, default)}" for field, kind, _, default in fields]
    arguments = [
        f"{field}: {_python_type(kind, default)}" + ("" if required else " = ...")
        for field, kind, required, default in fields
    ]
    lines.append(f"    def __init__(self, *, {', '.join(arguments)}) -> None: ..." if fields else "    ...")
    return lines


def _python_type(kind: Any, default: Any = None) -> str:
    if isinstance(kind, str):
        return PYTHON_TYPES[kind]
    head, *rest = kind
    if head == "optional":
        inner = _python_type(rest[0])
        return inner if default == [] else f"{inner} | None"
    if head in ("above", "least"):
        return PYTHON_TYPES[rest[1]]
    if head == "enum":
        return f"Literal[{', '.join(map(json.dumps, rest))}]"
    if head == "list":
        return f"list[{_python_type(rest[0])}]"
    if head == "map":
        return "dict[str, Any]" if rest[0] in ("any", "json") else f"dict[str, {_python_type(rest[0])}]"
    if head == "tuple":
        return f"tuple[{', '.join(_python_type(item) for item in rest)}]"
    if head == "union":
        return " | ".join(_python_type(item) for item in rest)
    return str(rest[0])


def main(argv: list[str] | None = None) -> int:
    """Write the catalogue, or check that it is current."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 when a generated file is stale")
    parser.add_argument("--pin", type=Path, metavar="FILE", help="a released schema.json to pin first")
    arguments = parser.parse_args(argv)
    if arguments.pin:
        print(f"pinned {pin(arguments.pin).relative_to(ROOT)}")
    schemas = [json.loads((SCHEMAS / f"{date}.json").read_text()) for date in DATES]
    outputs = {PACKAGE / "_generated.py": render_table(schemas), PACKAGE / "__init__.pyi": render_stub(schemas)}
    stale = [path for path, text in outputs.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        print(f"{'stale' if arguments.check else 'wrote'} {path.relative_to(ROOT)}")
        if not arguments.check:
            path.write_text(outputs[path])
    return 1 if arguments.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
