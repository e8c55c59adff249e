"""The metadata region of a bundle: what Airflow looks a Dag up by.

Pure. Knows the region's two notations: the JSON that outboard writes, and YAML, which Airflow reads and the packers of other
languages write. Must not know the rest of the file. outboard's own manifest is `outboard.bundle.manifest`'s business.
"""

from __future__ import annotations

import json
from typing import Any

import attrs

from outboard.bundle.format import COPY_AGAIN
from outboard.errors import DamagedBundleError

__all__ = ("Metadata", "read_metadata", "to_json")

_REGION = "metadata"


@attrs.frozen(kw_only=True)
class Metadata:
    """What Airflow reads.

    Attributes:
        dag_ids: the Dags that the bundle has tasks for, in the region's order.
        schema_date: the date of the message schema that it speaks; None where Airflow would refuse what stands there.
        language: what the packer says that the tasks are written in; outboard says nothing, which is Python.
        is_ours: whether it is, byte for byte, how outboard writes what it says.
    """

    dag_ids: tuple[str, ...]
    schema_date: str | None
    language: str | None
    is_ours: bool


def read_metadata(text: bytes, file: str) -> Metadata:
    """Read the region as Airflow does.

    Args:
        text: the region.
        file: the bundle's name, for errors.

    Raises:
        DamagedBundleError: it is neither JSON nor YAML, or no mapping.
    """
    try:
        document = _parsed(text.decode())
    except ValueError as error:
        raise DamagedBundleError(file, _REGION, f"neither JSON nor YAML: {_one_line(error)}", COPY_AGAIN) from error
    if not isinstance(document, dict):
        kind = type(document).__name__
        raise DamagedBundleError(file, _REGION, f"a mapping belongs there, not {kind}", COPY_AGAIN)
    dags = document.get("dags")
    return Metadata(
        dag_ids=tuple(str(dag_id) for dag_id in dags) if isinstance(dags, dict) else (),
        schema_date=_sdk_text(document, "supervisor_schema_version"),
        language=_sdk_text(document, "language"),
        is_ours=_is_ours(document, text),
    )


def to_json(document: dict[str, Any]) -> bytes:
    """A document as outboard writes it: JSON that is also YAML, the same bytes for the same document."""
    # Escapes stay out: YAML reads a pair of \u escapes above the basic plane as two broken characters.
    return json.dumps(document, ensure_ascii=False, separators=(", ", ": ")).encode()


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as not_json:
        # Not ours, then; a hundred times slower to read, and only the command line's extra brings the library.
        try:
            import yaml
        except ModuleNotFoundError:
            raise ValueError(f"{not_json} (as JSON; YAML needs 'outboard[cli]')") from not_json
        try:
            return yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError) as error:
            raise ValueError(str(error)) from error


def _sdk_text(document: dict[str, Any], key: str) -> str | None:
    sdk = document.get("sdk")
    value = sdk.get(key) if isinstance(sdk, dict) else None
    return value if isinstance(value, str) and value else None


def _is_ours(document: dict[str, Any], text: bytes) -> bool:
    try:
        return to_json(document) == text
    except (TypeError, ValueError):  # YAML has dates, and JSON text can name half a character
        return False


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
