"""Reads the recordings in ``fixtures/``, with the notation of ``record_wire``."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import msgpack

__all__ = ("load", "untag")

FIXTURES = Path(__file__).parents[1] / "fixtures"


def load(name: str) -> list[dict[str, Any]]:
    """The entries of one recording, such as ``"wire/values.json"``."""
    entries: list[dict[str, Any]] = json.loads((FIXTURES / name).read_text())
    return entries


def untag(value: Any) -> Any:
    """The value that was written down as `value`."""
    if isinstance(value, list):
        return [untag(item) for item in value]
    if not isinstance(value, dict):
        return value
    match list(value.items()):
        case [("$timestamp", text)]:
            return datetime.fromisoformat(text)
        case [("$bytes", text)]:
            return bytes.fromhex(text)
        case [("$float", text)]:
            return float(text)
        case [("$ext", [code, text])]:
            # The class refuses negative codes, which a peer may send.
            return tuple.__new__(msgpack.ExtType, (code, bytes.fromhex(text)))
        case [("$map", pairs)]:
            return {hashable(untag(key)): untag(item) for key, item in pairs}
    return {key: untag(item) for key, item in value.items()}


def hashable(key: Any) -> Any:
    """Arrays as keys come back as tuples."""
    return tuple(key) if isinstance(key, list) else key
