"""The capability manifest: what can be asked of a runtime, how far ours goes, and which tests prove it.

Knows the form of ``fixtures/conformance/capabilities.yaml``, and what it may not say. It must not know pytest: whether a
proof exists and has passed is found out by the tests (`tests/capability_proofs.py`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from outboard._tools import located_yaml
from outboard._tools.generated_block import ROOT
from outboard._tools.located_yaml import Table, Value
from outboard.protocol import messages as m
from outboard.protocol.versions import AIRFLOW

__all__ = (
    *("LEVELS", "MANIFEST", "OFF_THE_MATRIX", "PROVERS", "TIERS"),
    *("Capability", "Manifest", "Proof", "Status", "problems", "read"),
)

MANIFEST = ROOT / "fixtures" / "conformance" / "capabilities.yaml"

# How much a runtime is expected to have it; no row of Airflow's matrix has the last one.
OFF_THE_MATRIX = "none"
TIERS = ("MUST", "SHOULD", "MAY", OFF_THE_MATRIX)

# How far ours goes. All but the first need a reason.
LEVELS = ("supported", "partial", "no", "not-applicable")

# Whose supervisor a proof is by, and on which dates: Airflow's, whichever version runs; that of one version; our own.
OURS = "outboard"
PROVERS: Mapping[str, tuple[str, ...]] = {
    "airflow": m.SCHEMA_DATES,
    **{f"airflow-{version}": (date,) for date, version in AIRFLOW.items()},
    OURS: m.SCHEMA_DATES,
}

LIVE_TESTS = "tests/live/"

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TEST = re.compile(r"tests/[\w/]+\.py::test_\w+(\[.+\])?")


@attrs.frozen(kw_only=True)
class Status:
    """How far it goes on one schema date, and why no further."""

    level: str
    reason: str = ""


@attrs.frozen(kw_only=True)
class Proof:
    """The ids of the tests that show it under one supervisor, or why none can."""

    tests: tuple[str, ...] = ()
    reason: str = ""


@attrs.frozen(kw_only=True)
class Capability:
    """One row.

    Attributes:
        place: the file and line that it stands on.
        area: the heading that it stands under.
        id, title: its name for machines and for people.
        tier: one of `TIERS`.
        needs: the id of the capability without which the tier does not apply, or None.
        source: the key of what demands it, in the manifest's sources.
        messages: the requests, reports and greetings that it takes, and what was added to a schema for it.
        status: by schema date.
        proof: by one of `PROVERS`.
    """

    place: str
    area: str
    id: str
    title: str
    tier: str
    needs: str | None
    source: str
    messages: tuple[str, ...]
    status: Mapping[str, Status]
    proof: Mapping[str, Proof]

    def tests(self, airflow_version: str) -> list[str]:
        """The ids of all tests that prove it where this version of Airflow runs."""
        only = f"airflow-{'.'.join(airflow_version.split('.')[:2])}"
        here = ("airflow", only, OURS)
        return [test for prover, proof in self.proof.items() if prover in here for test in proof.tests]

    def proofs(self, date: str, *, ours: bool) -> list[Proof]:
        """What there is to show it on a date, by our supervisor or by Airflow's."""
        return [
            proof
            for prover, proof in self.proof.items()
            if (prover == OURS) is ours and date in PROVERS.get(prover, ())
        ]


@attrs.frozen(kw_only=True)
class Manifest:
    """All rows, and what demands them: a short name and what it stands for."""

    sources: Mapping[str, str]
    capabilities: tuple[Capability, ...]


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────


def read(path: Path = MANIFEST) -> Manifest:
    """Read a manifest. What it says is not judged: see `problems`.

    Raises:
        LocatedYamlError: it is not of the form; the text says where and what is wanted.
    """
    page = located_yaml.read(path)
    page.only("sources", "capabilities")
    sources, areas = page.table("sources"), page.table("capabilities")
    return Manifest(
        sources={name: sources.text(name) for name in sources.entries},
        capabilities=tuple(_capability(area, row) for area in areas.entries for row in areas.tables(area)),
    )


def _capability(area: str, row: Table) -> Capability:
    row.only("id", "title", "tier", "needs", "source", "messages", "status", "proof")
    return Capability(
        place=row.place,
        area=area,
        id=row.text("id"),
        title=row.text("title"),
        tier=row.text("tier"),
        needs=row.text("needs") if "needs" in row.entries else None,
        source=row.text("source"),
        messages=row.texts("messages"),
        status=_statuses(row),
        proof=_proofs(row),
    )


def _statuses(row: Table) -> dict[str, Status]:
    value = row.entries.get("status", "")
    if isinstance(value, Table) and not value.entries.keys() & set(LEVELS):
        return {date: _status(row, status) for date, status in value.entries.items()}
    return dict.fromkeys(m.SCHEMA_DATES, _status(row, value))


def _status(row: Table, value: Value) -> Status:
    if isinstance(value, str) and value:
        return Status(level=value)
    if isinstance(value, Table) and len(value.entries) == 1:
        [level] = value.entries
        return Status(level=level, reason=value.text(level))
    raise row.wrong("needs a status: a level, or {level: reason}, for all dates or for each")


def _proofs(row: Table) -> dict[str, Proof]:
    if "proof" not in row.entries:
        return {}
    table = row.table("proof")
    return {
        prover: Proof(reason=value) if isinstance(value, str) else Proof(tests=table.texts(prover))
        for prover, value in table.entries.items()
    }


# ── judging ───────────────────────────────────────────────────────────────────────────────────────────────────────


def problems(manifest: Manifest) -> list[str]:
    """What a manifest says and may not, each as one sentence with its place."""
    rows = manifest.capabilities
    counted = Counter(row.id for row in rows)
    found = [f"{row.place}: {row.id} is there more than once" for row in rows if counted[row.id] > 1]
    for row in rows:
        said = [*_unknown_names(row, manifest), *_wrong_statuses(row), *_wrong_proofs(row), *_missing_proofs(row)]
        found += [f"{row.place}: {row.id} {text}" for text in said]
    return found


def _unknown_names(row: Capability, manifest: Manifest) -> Iterator[str]:
    if not _ID.fullmatch(row.id):
        yield "is no id: small letters, digits and hyphens"
    if row.tier not in TIERS:
        yield f"has the tier {row.tier}; there is {', '.join(TIERS)}"
    if row.source not in manifest.sources:
        yield f"has the source {row.source}, which is not among the sources"
    if row.needs is not None and row.needs not in {other.id for other in manifest.capabilities}:
        yield f"needs {row.needs}, which is no row"
    for name in row.messages:
        if name not in m.DEFINED:
            yield f"names {name}, which no schema has"


def _wrong_statuses(row: Capability) -> Iterator[str]:
    if row.status.keys() != set(m.SCHEMA_DATES):
        yield f"has a status for {', '.join(row.status)}; it needs one for each of {', '.join(m.SCHEMA_DATES)}"
    for date, status in row.status.items():
        if status.level not in LEVELS:
            yield f"has the status {status.level} on {date}; there is {', '.join(LEVELS)}"
        elif (status.level == "supported") is bool(status.reason):
            yield f"is {status.level} on {date}, which {'takes no' if status.reason else 'needs a'} reason"
        if row.messages and all(_is_newer(name, date) for name in row.messages) and status.level != "not-applicable":
            yield f"is {status.level} on {date}, when none of its messages was there yet; that is not-applicable"


def _is_newer(message: str, date: str) -> bool:
    return any(message in m.ADDED[later] and m.ADDED[later][message] is None for later in m.ADDED if later > date)


def _wrong_proofs(row: Capability) -> Iterator[str]:
    for prover, proof in row.proof.items():
        if prover not in PROVERS:
            yield f"has a proof by {prover}; there is {', '.join(PROVERS)}"
        if len(set(proof.tests)) < len(proof.tests):
            yield f"names a proof by {prover} twice"
        for test in proof.tests:
            if not _TEST.fullmatch(test):
                yield f"has the proof {test}, which is no id of a test: tests/FILE.py::test_NAME, and [CASE] for one case"
            elif prover != OURS and not test.startswith(LIVE_TESTS):
                yield f"has the proof {test} by {prover}, but Airflow runs in {LIVE_TESTS} only"
        dates = PROVERS.get(prover, ())
        if proof.tests and not any(_holds(row, date) for date in dates):
            yield f"is proved by {prover}, but on {' and '.join(dates)} there is nothing to prove"


def _holds(row: Capability, date: str) -> bool:
    return date in row.status and row.status[date].level in ("supported", "partial")


def _missing_proofs(row: Capability) -> Iterator[str]:
    for date, status in row.status.items():
        if status.level != "supported":
            continue
        by_airflow, by_ours = row.proofs(date, ours=False), row.proofs(date, ours=True)
        for name, proofs in (("Airflow's", by_airflow), ("our own", by_ours)):
            if not any(proof.tests or proof.reason for proof in proofs):
                yield f"is supported on {date} without a proof by {name} supervisor; name a test, or say why there is none"
        if not any(proof.tests for proof in (*by_airflow, *by_ours)):
            yield f"is supported on {date} without any test that proves it"
