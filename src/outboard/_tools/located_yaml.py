"""YAML whose mappings know their line, so that what is wrong in one can be told with its place.

All scalars stay text, since YAML would make a date of ``2026-06-16`` and a falsehood of ``no``. What the text means is the
reader's business.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import attrs
import yaml

__all__ = ("LocatedYamlError", "Table", "Value", "read")

Value: TypeAlias = "str | list[Value] | Table"


class LocatedYamlError(ValueError):
    """The file is no YAML, or not of the form that its reader wants; the text begins with the place."""


@attrs.frozen
class Table:
    """A mapping.

    Attributes:
        place: the file's name, and the line on which the mapping begins.
        entries: its values by key, in the order of the file.
    """

    place: str
    entries: dict[str, Value]

    def only(self, *keys: str) -> None:
        """Refuse keys beside these."""
        unknown = sorted(self.entries.keys() - set(keys))
        if unknown:
            raise self.wrong(f"does not know {', '.join(unknown)}; it may have {', '.join(keys)}")

    def text(self, key: str, default: str | None = None) -> str:
        """The text under a key that must be there, or have a default, and may not be empty."""
        value = self.entries.get(key, default)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(f"needs a text under {key}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of texts under a key; empty where there is none."""
        value = self.entries.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            raise self.wrong(f"needs a list of texts under {key}")
        return tuple(map(str, value))

    def table(self, key: str) -> Table:
        """The mapping under a key."""
        value = self.entries.get(key)
        if not isinstance(value, Table):
            raise self.wrong(f"needs a mapping under {key}")
        return value

    def tables(self, key: str) -> tuple[Table, ...]:
        """The list of mappings under a key."""
        value = self.entries.get(key)
        if not isinstance(value, list):
            raise self.wrong(f"needs a list under {key}")
        found = tuple(item for item in value if isinstance(item, Table))
        if len(found) != len(value):
            raise self.wrong(f"needs a list of mappings under {key}")
        return found

    def wrong(self, text: str) -> LocatedYamlError:
        """Make the error that says this of the mapping."""
        return LocatedYamlError(f"{self.place}: the mapping {text}")


def read(path: Path) -> Table:
    """Read a file that holds one mapping.

    Raises:
        LocatedYamlError: it holds something else, or a mapping in it has a key twice.
    """
    try:
        root = yaml.compose(path.read_text(), Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        raise LocatedYamlError(f"{path.name} is no YAML: {error}") from error
    if not isinstance(root, yaml.MappingNode):
        raise LocatedYamlError(f"{path.name} holds no mapping")
    return _table(root, path.name)


def _table(node: Any, name: str) -> Table:
    table = Table(f"{name}, line {node.start_mark.line + 1}", {})
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise table.wrong("has a key that is no text")
        if key.value in table.entries:
            raise table.wrong(f"has {key.value} twice, again on line {key.start_mark.line + 1}")
        table.entries[key.value] = _value(value, name)
    return table


def _value(node: Any, name: str) -> Value:
    if isinstance(node, yaml.MappingNode):
        return _table(node, name)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, name) for item in node.value]
    return str(node.value)
