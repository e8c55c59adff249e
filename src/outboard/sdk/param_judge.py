"""Judging a value by a JSON schema with ``jsonschema``, the library that Airflow itself judges with.

Loaded only where a glance does not suffice. Which draft counts, and which formats are checked, is Airflow's choice: the newest
draft that the library knows unless the schema names another one, and the formats in `FORMATS`; any other format is a note
for people. Unlike Airflow, nothing is fetched: what a schema refers to is in it.
"""

from __future__ import annotations

from outboard.errors import MissingLibraryError
from outboard.sdk.param_schema import FORMATS, SchemaError, cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

__all__ = ("EXTRA", "libraries", "problem")

EXTRA = "params"
"""The extra of outboard's that brings the libraries along."""

LIBRARY = "jsonschema"

# What a format takes besides.
_FORMAT_LIBRARIES = {"duration": "isoduration", "idn-hostname": "idna"}


def problem(schema: Any, value: Any) -> str | None:
    """What is wrong with a value; None if it fits.

    Raises:
        SchemaError: the schema makes no sense.
        MissingLibraryError: a library is not there.
    """
    for library in libraries(schema):
        try:
            __import__(library)
        except ImportError as error:
            raise MissingLibraryError(library, EXTRA, "the JSON schema of a param") from error
    return _judge(schema, value)


def libraries(schema: Any) -> list[str]:
    """The projects that are needed to judge by a schema."""
    formats = {_FORMAT_LIBRARIES[name] for name in _formats(schema) if name in _FORMAT_LIBRARIES}
    return [LIBRARY, *sorted(formats)]


def _judge(schema: Any, value: Any) -> str | None:
    import jsonschema
    from referencing.jsonschema import EMPTY_REGISTRY

    known = jsonschema.FormatChecker.checkers
    checker = jsonschema.FormatChecker([name for name in FORMATS if name in known])
    try:
        jsonschema.validate(value, schema, format_checker=checker, registry=EMPTY_REGISTRY)
    except jsonschema.ValidationError as error:
        path = error.json_path.removeprefix("$").removeprefix(".")
        return cut(f"{path}: {error.message}" if path else error.message)
    except jsonschema.SchemaError as error:
        raise SchemaError(cut(error.message)) from None
    except Exception as error:  # a reference that leads nowhere, a key that is no string, …
        raise SchemaError(cut(f"{type(error).__name__}: {error}")) from error
    return None


def _formats(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("format"), str):
            yield schema["format"]
        for part in schema.values():
            yield from _formats(part)
    elif isinstance(schema, (list, tuple)):
        for part in schema:
            yield from _formats(part)
