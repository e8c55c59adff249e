"""The metadata region of a bundle: what Airflow looks a Dag up by.

Pure. Airflow reads the region of every bundle on its way to the right one, for each task, as YAML and with a slow reader: so it
holds only what is looked up, and what outboard writes is the YAML that takes least time. What other packers write may be any
YAML. Must not know the rest of the file; outboard's own manifest is `outboard.bundle.manifest`'s business.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Sequence
from typing import Any

import attrs

from outboard.bundle.format import COPY_AGAIN
from outboard.errors import DamagedBundleError

__all__ = ("Metadata", "read_metadata", "write_metadata")

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


# Airflow looks at the keys only. Keys without values take half the time of JSON's empty maps: 200 Dags cost it 5 ms, not 10.
_OWN = re.compile(r'\{"dags": \{(?P<dag_ids>.*)\}, "sdk": \{"supervisor_schema_version": (?P<schema_date>"[^"]*")\}\}')


def write_metadata(dag_ids: Sequence[str], schema_date: str) -> bytes:
    """The region as outboard writes it: the same bytes for the same Dags.

    Args:
        dag_ids: the Dags that the bundle has tasks for.
        schema_date: the date of the message schema that it speaks.
    """
    # Escapes stay out: YAML reads a pair of \\u escapes above the basic plane as two broken characters.
    keys = ", ".join(json.dumps(dag_id, ensure_ascii=False) for dag_id in dag_ids)
    return f'{{"dags": {{{keys}}}, "sdk": {{"supervisor_schema_version": {json.dumps(schema_date)}}}}}'.encode()


def _parsed(text: str) -> Any:
    own = _OWN.fullmatch(text)
    if own is not None:
        with contextlib.suppress(ValueError):
            dag_ids = json.loads(f"[{own['dag_ids']}]")
            return {
                "dags": dict.fromkeys(dag_ids),
                "sdk": {"supervisor_schema_version": json.loads(own["schema_date"])},
            }
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
    dags, date = document.get("dags"), _sdk_text(document, "supervisor_schema_version")
    if not isinstance(dags, dict) or date is None:
        return False
    try:
        return write_metadata([str(dag_id) for dag_id in dags], date) == text
    except ValueError:  # JSON text can name half a character
        return False


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
