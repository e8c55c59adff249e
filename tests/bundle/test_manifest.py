from __future__ import annotations

import json

import attrs
import pytest

from outboard.bundle.manifest import Manifest, SourceFile
from outboard.errors import BundleError

MANIFEST = Manifest(
    name="weather",
    digest="ab" * 32,
    dag_ids=("weather", "größe"),
    sources=(SourceFile(module="weather", file="weather.py", sha256="cd" * 32),),
    outboard_version="0.1.0",
    python_version="3.11",
    interpreter="/env/bin/python",
    environment="/env",
    vendored=("msgpack",),
)


def test_a_manifest_survives_its_json() -> None:
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST


def test_a_manifest_of_a_somewhat_older_or_newer_outboard_is_read_too() -> None:
    """Or nobody could roll back to what was packed before an upgrade."""
    document = json.loads(MANIFEST.to_json())
    older = {name: value for name, value in document.items() if name not in ("vendored", "revision", "data")}
    newer = document | {"invented": ["later"]}
    assert Manifest.from_json(json.dumps(older).encode()) == attrs.evolve(MANIFEST, vendored=())
    assert Manifest.from_json(json.dumps(newer).encode()) == MANIFEST


def test_the_json_has_no_date_and_is_the_same_each_time() -> None:
    assert MANIFEST.to_json() == MANIFEST.to_json()
    assert "größe".encode() in MANIFEST.to_json()


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{}", b'{"manifest_version": 1}', b'{"manifest_version": 1, "sources": [{}]}', b"\xff"],
)
def test_what_is_no_manifest_is_refused(text: bytes) -> None:
    with pytest.raises(BundleError, match="manifest"):
        Manifest.from_json(text)


def test_a_manifest_of_another_version_is_refused_by_its_number() -> None:
    document = json.loads(MANIFEST.to_json()) | {"manifest_version": 9}
    with pytest.raises(BundleError, match="version 9"):
        Manifest.from_json(json.dumps(document).encode())
