"""``outboard inspect``: what is in a bundle, for people and for programs."""

from __future__ import annotations

import json as json_text
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from outboard.bundle.archive import Member
from outboard.bundle.manifest import Manifest
from outboard.bundle.reader import BundleFile, verify, warnings_here
from outboard.cli.exit_codes import SUCCESS
from outboard.cli.output import print_json
from outboard.protocol.versions import AIRFLOW

if TYPE_CHECKING:
    from outboard.cli.asking import Contents

__all__ = ("inspect",)

_LABEL_WIDTH = 16
_DIGITS_TOLD = 12

# What the lines of the text say in their own words; whatever else a manifest has follows under its own name.
_TOLD_APART = frozenset({"manifest_version", "name", "digest", "dag_ids", "sources", "supervisor_schema_version"})


def inspect(
    bundle: Annotated[Path, Parameter(help="The bundle.")],
    /,
    *,
    asking: Annotated[
        bool,
        Parameter(
            name="--ask", negative="", show_default=False, help="Start it too, and ask for its tasks and handlers."
        ),
    ] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="Print one JSON document.")] = False,
) -> int:
    """Show what is in a bundle, once it has proved to be sound. Nothing in it is run, unless it is asked."""
    found = verify(bundle)
    document = _document(found, _asked(bundle) if asking else None)
    if json:
        print_json(document)
    else:
        print("\n".join(_lines(found, document)))
    return SUCCESS


def _asked(bundle: Path) -> Contents:
    # A whole supervisor, which a look at a file does not need.
    from outboard.cli import interruption
    from outboard.cli.asking import ask

    return interruption.run(lambda _: ask(bundle.absolute(), bundle))


def _document(found: BundleFile, contents: Contents | None) -> dict[str, Any]:
    regions = found.regions
    bounds = (0, regions.source_start, regions.metadata_start, regions.trailer_start, found.size)
    names = ("executable", "sources", "metadata", "trailer")
    return {
        "file": str(found.path),
        "size": found.size,
        "sha256": found.sha256,
        "digest": found.manifest.digest,
        "dag_ids": list(found.manifest.dag_ids),
        "tasks": {dag_id: list(dag.tasks) for dag_id, dag in contents.dags.items()} if contents else None,
        "handlers": {dag_id: list(tasks) for dag_id, tasks in contents.handlers.items()} if contents else None,
        "schema": {
            "date": found.metadata.schema_date,
            "airflow": [version for date, version in AIRFLOW.items() if date >= str(found.metadata.schema_date)],
        },
        "program": found.program,
        "regions": {
            name: {"offset": start, "size": end - start}
            for name, start, end in zip(names, bounds, bounds[1:], strict=False)
        },
        "members": [_member(member, regions.source_start) for member in found.members],
        "manifest": _plain(found.manifest),
        "warnings": list(warnings_here(found)),
    }


def _member(member: Member, source_start: int) -> dict[str, Any]:
    region = "sources" if member.offset >= source_start else "executable"
    return {"name": member.name, "region": region, "offset": member.end - member.size, "size": member.size}


def _plain(manifest: Manifest) -> dict[str, Any]:
    document: dict[str, Any] = json_text.loads(manifest.to_json())
    return document


def _lines(found: BundleFile, document: dict[str, Any]) -> Iterator[str]:
    manifest = document["manifest"]
    yield manifest["name"]
    yield _line("file", f"{found.path}, {found.size:,} bytes")
    yield _line("sha256", found.sha256)
    yield _line("digest", found.manifest.digest)
    for dag_id in found.manifest.dag_ids:
        yield _line("Dag", dag_id + _tasks_of(dag_id, document))
    yield _line("schema", f"{found.metadata.schema_date}: Airflow {document['schema']['airflow'][0]} or newer")
    for name, value in manifest.items():
        if name not in _TOLD_APART:
            yield from _value_lines(name.replace("_", " "), value)
    sizes = {member.name: member.size for member in found.members}
    for source in found.manifest.sources:
        size = sizes.get(source.file, 0)
        yield _line("source", f"{source.file}, {size:,} bytes, module {source.module}, {source.sha256[:_DIGITS_TOLD]}")
    for name, region in document["regions"].items():
        end = region["offset"] + region["size"]
        yield _line("region", f"{name}, {region['size']:,} bytes, from {region['offset']:,} to {end:,}")
    yield _line("files", f"{len(found.members)} inside, {sum(sizes.values()):,} bytes")
    for warning in document["warnings"]:
        yield _line("warning", warning)


def _tasks_of(dag_id: str, document: dict[str, Any]) -> str:
    if document["tasks"] is None:
        return ""
    own = ", ".join(document["tasks"].get(dag_id, ()))
    handled = ", ".join(document["handlers"].get(dag_id, ()))
    return (f": tasks {own}" if own else "") + (f": handlers of {handled}" if handled else "")


def _value_lines(label: str, value: object) -> Iterator[str]:
    """A field that this module knows nothing of, shown as well as its shape allows."""
    if value in (None, "", [], {}):
        return
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for item in value:
            yield _line(label, _in_one(item))
    else:
        yield _line(label, _in_one(value))


def _in_one(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_in_one(item)}" for name, item in value.items() if item not in (None, "", []))
    if isinstance(value, list):
        return ", ".join(map(_in_one, value))
    return str(value)


def _line(label: str, text: str) -> str:
    return f"  {label:<{_LABEL_WIDTH}} {text}"
