"""Why a given Airflow does not find or start a bundle.

Airflow itself says only that it cannot find one, or nothing at all. This goes the same way, from the setting to the started
process, and says at each step what is in the way. Must not know how findings are shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from outboard.airflow import bundles, lookup
from outboard.airflow.bundles import FoundBundle
from outboard.airflow.configuration import Configuration
from outboard.airflow.coordination import Coordination, Scope, read_coordination
from outboard.airflow.finding import Finding, Severity
from outboard.airflow.lookup import Cost
from outboard.airflow.settings import AIRFLOW_VERSIONS
from outboard.airflow.worker import Worker, worker
from outboard.bundle.entry import PYTHON_VARIABLE
from outboard.errors import UsageError

__all__ = ("LOOKUP_LIMIT", "Diagnosis", "LookUp", "Question", "diagnose")

LOOKUP_LIMIT = 0.1
"""Seconds of CPU from which on looking for a bundle is a problem: as long as a whole native task takes."""

_CONFIGURE = "configure what `outboard airflow config` prints"


@attrs.frozen(kw_only=True)
class Question:
    """What is asked.

    Attributes:
        airflow: the version, ``"3.3"`` or ``"3.4"``.
        configuration: what it is configured with.
        dag_id: a Dag whose bundle must be found; None if any Dags will do.
        queues: queues that must be routed to a coordinator of bundles.
        root: a folder to look into instead of those that are configured; None for those.
        worker: whoever runs tasks.

    Raises:
        UsageError: that version is not known.
    """

    airflow: str
    configuration: Configuration
    dag_id: str | None = None
    queues: Sequence[str] = ()
    root: Path | None = None
    worker: Worker = attrs.field(factory=worker)

    def __attrs_post_init__(self) -> None:
        if self.airflow not in AIRFLOW_VERSIONS:
            raise UsageError(f"--airflow {self.airflow}: outboard knows {' and '.join(AIRFLOW_VERSIONS)}")


@attrs.frozen(kw_only=True)
class LookUp:
    """What one coordinator finds in its folders.

    Attributes:
        coordinator: its name.
        roots: the folders.
        bundles: the sound bundles in them.
        dag_ids: the Dags of those.
        cost: what looking for one takes.
    """

    coordinator: str
    roots: tuple[str, ...]
    bundles: int
    dag_ids: tuple[str, ...]
    cost: Cost


@attrs.frozen(kw_only=True)
class Diagnosis:
    """The answer. Healthy means without a problem; notes don't count."""

    findings: tuple[Finding, ...]
    look_ups: tuple[LookUp, ...]

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is in the way of a task."""
        return not any(finding.severity == "problem" for finding in self.findings)


def diagnose(question: Question) -> Diagnosis:
    """Go Airflow's way and report everything that is in it."""
    coordination = read_coordination(question.configuration, question.airflow)
    findings = [*_file_findings(question), *coordination.findings, *_routing_findings(question, coordination)]
    look_ups: list[LookUp] = []
    found: list[FoundBundle] = []
    for scope in _scopes(question, coordination):
        if not scope.roots:
            continue
        rooted = _root_findings(scope, question)
        findings += rooted
        if len(rooted) == len(scope.roots):
            continue
        there, problems = _explore(scope, question)
        findings += [*problems, *_twice(scope, there)]
        look_up = _look_up(scope, there, question)
        look_ups.append(look_up)
        findings += _cost_findings(scope, look_up)
        found += there
    if look_ups:
        findings += _dag_findings(question, found, look_ups)
    return Diagnosis(findings=tuple(findings), look_ups=tuple(look_ups))


# ── the settings ──────────────────────────────────────────────────────────────────────────────────────────────────


def _file_findings(question: Question) -> list[Finding]:
    configuration = question.configuration
    if configuration.problem is None:
        return []
    what = f"it cannot be read, so Airflow goes on without it: {configuration.problem}"
    return [Finding(code="airflow-cfg", where=str(configuration.file), what=what, remedy="mend it")]


def _routing_findings(question: Question, coordination: Coordination) -> list[Finding]:
    where = question.configuration.where("sdk", "queue_to_coordinator")
    if not coordination.is_configured:
        what = "no coordinator is configured, so Airflow runs every task in its own Python"
        setting = question.configuration.where("sdk", "coordinators")
        # Somebody who names a folder may well be on a machine that has the bundles and no Airflow.
        severity: Severity = "note" if question.root is not None and not question.queues else "problem"
        return [Finding(code="coordinators", severity=severity, where=setting, what=what, remedy=_CONFIGURE)]
    ours = {scope.name for scope in coordination.scopes}
    findings = []
    for queue in question.queues:
        target = coordination.routes.get(queue)
        if target is None:
            what = f"the queue {queue!r} is not routed, so Airflow runs its tasks in its own Python, where a stub fails"
            remedy = f'add "{queue}": "{next(iter(ours), "outboard")}"'
            findings.append(Finding(code="queue-not-routed", where=where, what=what, remedy=remedy))
        elif target not in ours and ours:
            what = f"the queue {queue!r} is routed to {target!r}, which runs no bundles"
            remedy = f"route it to {' or '.join(map(repr, sorted(ours)))}"
            findings.append(Finding(code="queue-not-routed", where=where, what=what, remedy=remedy))
    return findings


def _scopes(question: Question, coordination: Coordination) -> Iterable[Scope]:
    """The folders to look into: those that are asked for, or else those that are configured."""
    if question.root is None:
        wanted = {coordination.routes.get(queue) for queue in question.queues}
        return [scope for scope in coordination.scopes if not wanted or scope.name in wanted]
    timeouts = [scope.timeout for scope in coordination.scopes]
    given = Scope(name="--root", where=f"--root {question.root}", roots=(question.root,))
    return [attrs.evolve(given, timeout=min(timeouts)) if timeouts else given]


# ── the folders ───────────────────────────────────────────────────────────────────────────────────────────────────


def _root_findings(scope: Scope, question: Question) -> list[Finding]:
    """One finding for each root that Airflow would pass over: it does so silently."""
    findings = []
    for root in scope.roots:
        if not root.is_absolute() and question.root is None:
            what = f"the folder {root} is relative, so each process looks for it somewhere else"
            findings.append(Finding(code="root", where=scope.where, what=what, remedy="give its absolute path"))
        elif not _exists(root):
            what = f"the folder {root} does not exist here, and Airflow looks into nothing without a word"
            remedy = "create it, mount it on every worker, or correct the setting"
            findings.append(Finding(code="root", where=scope.where, what=what, remedy=remedy))
        elif root.is_dir() and not (question.worker.can_read(root) and question.worker.can_execute(root)):
            what = (
                f"{question.worker.name} may not look into the folder {root}, and Airflow passes it over without a word"
            )
            remedy = f"chmod a+rx {root}, and a+x the folders above it"
            findings.append(Finding(code="root", where=scope.where, what=what, remedy=remedy))
    return findings


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder above it that this process may not look into
        return True


def _explore(scope: Scope, question: Question) -> tuple[list[FoundBundle], list[Finding]]:
    """The bundles below a coordinator's folders in the order in which Airflow comes by, and what is wrong with files."""
    found: list[FoundBundle] = []
    findings: list[Finding] = []
    usable = [root for root in scope.roots if _exists(root)]
    # How a bundle finds its interpreter depends on these two, which are Airflow's and not those of this command.
    theirs = question.configuration.environment
    environment = {name: value for name, value in os.environ.items() if name != PYTHON_VARIABLE}
    environment |= {name: theirs[name] for name in ("PATH", PYTHON_VARIABLE) if name in theirs}
    for entry in lookup.walk(usable, question.worker):
        if entry.problem is not None:
            if entry.path not in scope.roots:  # those were told already
                what = f"it is {entry.problem}, and Airflow passes it over without a word"
                findings.append(
                    Finding(code="unreadable", where=str(entry.path), what=what, remedy="mend or remove it")
                )
            continue
        seen = bundles.examine(entry.path, question.airflow, question.worker)
        if isinstance(seen, Finding):
            findings.append(seen)
        elif seen is not None:
            found.append(seen)
            problem = bundles.start_problem(seen, scope.timeout, question.worker, environment)
            findings += [problem] if problem is not None else []
    return found, findings


def _twice(scope: Scope, found: Sequence[FoundBundle]) -> list[Finding]:
    holders: dict[str, list[Path]] = {}
    for bundle in found:
        for dag_id in bundle.dag_ids:
            holders.setdefault(dag_id, []).append(bundle.path)
    return [
        Finding(
            code="dag-id-twice",
            where=str(paths[0]),
            what=f"the Dag {dag_id!r} is also in {', '.join(map(str, paths[1:]))}; Airflow takes whichever the file system "
            "names first, today this one",
            remedy="remove all but one",
        )
        for dag_id, paths in holders.items()
        if len(paths) > 1
    ]


def _look_up(scope: Scope, found: Sequence[FoundBundle], question: Question) -> LookUp:
    usable = [root for root in scope.roots if _exists(root)]
    return LookUp(
        coordinator=scope.name,
        roots=tuple(map(str, scope.roots)),
        bundles=len(found),
        dag_ids=tuple(dict.fromkeys(dag_id for bundle in found for dag_id in bundle.dag_ids)),
        cost=lookup.cost(usable, question.worker, only_executable=question.airflow == "3.3"),
    )


def _cost_findings(scope: Scope, look_up: LookUp) -> list[Finding]:
    if look_up.cost.next < LOOKUP_LIMIT:
        return []
    what = (
        f"looking through {look_up.cost.files} files costs each task up to {look_up.cost.next * 1000:.0f} ms of CPU, "
        f"and {look_up.cost.first * 1000:.0f} ms the first task of a process"
    )
    remedy = "pack more Dags into one bundle, or give groups of bundles a folder, a coordinator and a queue each"
    return [Finding(code="look-up-cost", where=scope.where, what=what, remedy=remedy)]


def _dag_findings(question: Question, found: Sequence[FoundBundle], look_ups: Sequence[LookUp]) -> list[Finding]:
    roots = ", ".join(dict.fromkeys(root for look_up in look_ups for root in look_up.roots))
    held = list(dict.fromkeys(dag_id for look_up in look_ups for dag_id in look_up.dag_ids))
    if question.dag_id is not None and question.dag_id not in held:
        what = f"no usable bundle here has the Dag {question.dag_id!r}; there are: {', '.join(held) or 'none'}"
        remedy = "deploy its bundle there, and see the problems above"
        return [Finding(code="dag-id-unknown", where=roots, what=what, remedy=remedy)]
    if not found:
        what = "there is no usable bundle here"
        return [Finding(code="no-bundle", where=roots, what=what, remedy="deploy one: outboard deploy BUNDLE FOLDER")]
    return []
